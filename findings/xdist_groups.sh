#!/usr/bin/env bash
# pytest 9.2.0 with pytest-xdist 3.8.0: `--dist loadgroup` groups nothing, and says nothing.
#
# Guess before running: tests marked `xdist_group("one")` run in one worker process, as xdist's documentation says and as
# they do with pytest 8.4.2, so that a module's fixture is made once.
# Seen: with pytest 9.2.0 the twenty tests of one group are spread over both workers. xdist writes the group's name into
# `item._nodeid`, from which its scheduler reads it back; in pytest 9.2 the id of a node is kept in `_id`, so that what xdist
# wrote is never seen. With pytest 8.4.2 all twenty run in one worker.
# Output seen: "pytest 8.4.2: 1 worker(s)", "pytest 9.2.0: 2 worker(s)".
# What to do: `--dist loadfile`, which reads the file's name from the id and still works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/test_group.py" <<'P'
import os
import time

import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(20))
def test_where(number):
    time.sleep(0.05)
    with open(os.environ["SEEN"], "a") as file:
        file.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
P
workers() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0 2> /dev/null
    (cd "$folder" && SEEN="$folder/$1.txt" "$folder/$1/bin/python" -m pytest -q -n 2 --dist "$2" test_group.py > /dev/null)
    sort -u "$folder/$1.txt" | wc -l | tr -d ' '
    rm -rf "$folder/$1" "$folder/$1.txt"
}
old=$(workers 8.4.2 loadgroup) new=$(workers 9.2.0 loadgroup) file=$(workers 9.2.0 loadfile)
echo "pytest 8.4.2: $old worker(s)"
echo "pytest 9.2.0: $new worker(s)"
echo "pytest 9.2.0, loadfile: $file worker(s)"
[ "$old" = 1 ] && [ "$new" = 2 ] && [ "$file" = 1 ]

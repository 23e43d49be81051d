#!/usr/bin/env bash
# datasets 5.2.0: `Dataset.from_generator` of a function that reads a file returns the first file's rows for ever, also in later
# processes.
#
# Guess before running: the function runs at each call, and its rows are those of the file as it is now; that is so for
# `Dataset.from_text` and `load_dataset`, which look at the file.
# Seen: after the file is written anew the same rows come back, whether its path is in the function or in `gen_kwargs`, and in
# another process too: what is cached goes by the function's code and arguments, and the function does not run. `from_text` of
# the same path, `IterableDataset.from_generator` and a function that is handed the rows themselves give the new ones. No word.
# Output seen: "from_generator: ['generation 0', 'generation 0', 'generation 0']", "from_generator with gen_kwargs: …", "another
# process: generation 0", "from_text: ['generation 0', 'generation 1', 'generation 2']", "handed rows: …" and "IterableDataset:
# …" likewise.
# Who it hits: recursions that hand samples on by a file of fixed name: all generations are fitted to the first one's samples,
# so that replacing looks as stable as a policy can. Put the generation into the path, or pass `gen_kwargs` that differ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/generations.py" <<'P'
import sys
from pathlib import Path

from datasets import Dataset, IterableDataset, disable_progress_bars

disable_progress_bars()
SAMPLES = Path(sys.argv[1]) / "samples.txt"
CACHE = str(Path(sys.argv[1]) / "cache")


def rows():
    for line in SAMPLES.read_text().splitlines():
        yield {"text": line}


def rows_of(path):
    for line in Path(path).read_text().splitlines():
        yield {"text": line}


def handed(lines):
    for line in lines:
        yield {"text": line}


WAYS = {
    "from_generator": lambda: Dataset.from_generator(rows, cache_dir=CACHE),
    "from_generator with gen_kwargs": lambda: Dataset.from_generator(
        rows_of, gen_kwargs={"path": str(SAMPLES)}, cache_dir=CACHE
    ),
    "from_text": lambda: Dataset.from_text(str(SAMPLES), cache_dir=CACHE),
    "handed rows": lambda: Dataset.from_generator(
        handed, gen_kwargs={"lines": SAMPLES.read_text().splitlines()}, cache_dir=CACHE
    ),
    "IterableDataset": lambda: IterableDataset.from_generator(rows),
}
if len(sys.argv) > 2:
    seen = next(iter(WAYS["from_generator"]()))["text"]
    print("another process:", seen)
    assert seen == "generation 0" and SAMPLES.read_text() == "generation 2\n"
    raise SystemExit
found = {name: [] for name in WAYS}
for generation in range(3):
    SAMPLES.write_text(f"generation {generation}\n")
    for name, read in WAYS.items():
        found[name].append(next(iter(read()))["text"])
for name, seen in found.items():
    print(f"{name}: {seen}")
    stale = name.startswith("from_generator")
    assert seen == [f"generation {0 if stale else generation}" for generation in range(3)]
P
export HF_HUB_OFFLINE=1
"$folder/venv/bin/python" "$folder/generations.py" "$folder"
"$folder/venv/bin/python" "$folder/generations.py" "$folder" again

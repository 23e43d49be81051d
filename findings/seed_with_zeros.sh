#!/usr/bin/env bash
# numpy 2.4.6: `default_rng([7, 0])` is `default_rng(7)`: zeros at the end of a seed of up to four words do not count.
#
# Guess before running: a list of numbers is a seed of its own, so that [seed, generation] and [seed, generation, replicate] give
# streams that differ from each other and from `seed` alone.
# Seen: `SeedSequence` fills up its pool of four 32-bit words with zeros, so 7, [7, 0], [7, 0, 0] and [7, 0, 0, 0] are one
# stream, and so are the children they spawn; [7, 0, 0, 0, 0] is the first that differs. [7, 1] is 7 + 2^32.
# Output seen: "7 with 0 zeros: equal", likewise with 1, 2 and 3; "7 with 4 zeros: other"; "children of 7 and [7, 0]: equal";
# "[7, 1] and 7 + 2**32: equal".
# Who it hits: loops that seed by [seed, generation] beside data drawn from `seed`: generation 0 draws the data's own numbers once
# more, and replicate 0 of [seed, generation, replicate] those of [seed, generation]. Count from 1, or use `spawn`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 2> /dev/null
cat > "$folder/zeros.py" <<'P'
import numpy as np


def equal(one, other):
    return np.array_equal(np.random.default_rng(one).random(1000), np.random.default_rng(other).random(1000))


def word(same):
    return "equal" if same else "other"


found = [equal(7, [7] + zeros * [0]) for zeros in range(5)]
for zeros, same in enumerate(found):
    print(f"7 with {zeros} zeros: {word(same)}")
children = [np.random.SeedSequence(seed).spawn(3)[2] for seed in (7, [7, 0])]
spawned = equal(*children)
print("children of 7 and [7, 0]:", word(spawned))
shifted = equal([7, 1], 7 + 2**32)
print("[7, 1] and 7 + 2**32:", word(shifted))
assert found == [True, True, True, True, False]
assert spawned and shifted
assert not equal(7, [7, 1]) and not equal(7, [0, 7])
P
"$folder/venv/bin/python" "$folder/zeros.py"

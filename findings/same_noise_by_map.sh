#!/usr/bin/env bash
# datasets 5.2.0: `map` of a function that draws from numpy's or torch's global generator adds the same noise at every call, also
# after another seed.
#
# Guess before running: each call runs the function and draws anew; after another `np.random.seed` the numbers are others.
# Seen: on a dataset that lies on disk the second call returns the first one's rows. What is cached goes by the function's code
# and what it refers to; the state of a global generator is not among it. A `Generator` object that the function refers to is, and
# draws anew; a dataset in memory has no cache and does too.
# Output seen: "np.random, seeds 0, 1, 2: [1.764, 1.764, 1.764]", "torch, seeds 0, 1, 2: [1.541, 1.541, 1.541]",
# "Generator: [0.126, 0.64, -0.536]", "in memory, np.random, seeds 0, 1, 2: [1.764, 1.624, -0.417]".
# Who it hits: noise and subsampling by `map` in a recursion that reads its data from disk: all seeds get one and the same draw,
# and the spread between them is nothing. Refer to a `Generator`, or pass `load_from_cache_file=False`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    datasets==5.2.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/noise.py" <<'P'
import sys

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars, load_from_disk

disable_progress_bars()
memory = Dataset.from_dict({"x": [0.0, 0.0]})
memory.save_to_disk(sys.argv[1])
disk = load_from_disk(sys.argv[1])
rng = np.random.default_rng(0)


def by_numpy(row):
    return {"x": row["x"] + np.random.normal()}


def by_torch(row):
    return {"x": row["x"] + torch.randn(()).item()}


def by_generator(row):
    return {"x": row["x"] + rng.normal()}


def drawn(table, noisy):
    found = []
    for seed in range(3):
        np.random.seed(seed)
        torch.manual_seed(seed)
        found.append(round(table.map(noisy)["x"][0], 3))
    return found


numpys, torchs, owned, unstored = drawn(disk, by_numpy), drawn(disk, by_torch), drawn(disk, by_generator), drawn(memory, by_numpy)
print("np.random, seeds 0, 1, 2:", numpys)
print("torch, seeds 0, 1, 2:", torchs)
print("Generator:", owned)
print("in memory, np.random, seeds 0, 1, 2:", unstored)
assert len(set(numpys)) == len(set(torchs)) == 1
assert len(set(owned)) == len(set(unstored)) == 3
P
"$folder/venv/bin/python" "$folder/noise.py" "$folder/rows"

#!/usr/bin/env bash
# pandas 3.1.1, scikit-learn 1.9.1, datasets 5.2.0: a random subset drawn with seed s is the test part of the split with seed s.
#
# Guess before running: 200 of 1,000 rows drawn by `df.sample` have some 40 in common with a test part of 200 rows that
# `train_test_split` draws, whatever the two are seeded with.
# Seen: all 200. `train_test_split` takes the head of a permutation as test part; `DataFrame.sample`, `sklearn.utils.shuffle`,
# `resample` without replacement and numpy's `RandomState.choice` take the head of the same permutation. In datasets likewise:
# `shuffle(seed=s).select(range(200))` is `train_test_split(200, seed=s)["test"]`. A smaller subset lies wholly in the test part.
# Output seen: "DataFrame.sample: 200 of 200 rows are test rows" and so on for the others; with seeds 0 and 1:
# 39 of 200.
# Who it hits: recursions that start from a seeded subset of the data and are judged on its seeded test part: trained on just what
# they are judged on. Split first, then draw from the training part.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pandas==3.1.1 scikit-learn==1.9.1 datasets==5.2.0 numpy==2.4.6 2> /dev/null
cat > "$folder/subset.py" <<'P'
import numpy as np
import pandas as pd
from datasets import Dataset
from sklearn.model_selection import train_test_split
from sklearn.utils import resample, shuffle

ROWS, TEST = 1000, 200
frame = pd.DataFrame({"row": np.arange(ROWS)})
table = Dataset.from_pandas(frame)
SUBSETS = {
    "DataFrame.sample": lambda seed: frame.sample(TEST, random_state=seed)["row"],
    "half as many by DataFrame.sample": lambda seed: frame.sample(TEST // 2, random_state=seed)["row"],
    "sklearn.utils.shuffle": lambda seed: shuffle(frame, random_state=seed)["row"][:TEST],
    "sklearn.utils.resample": lambda seed: resample(frame, replace=False, n_samples=TEST, random_state=seed)["row"],
    "RandomState.choice": lambda seed: np.random.RandomState(seed).choice(ROWS, TEST, replace=False),
}


def common(subset, test):
    return len({*map(int, subset)} & {*map(int, test)})


def shown(name, subset, test):
    print(f"{name}: {common(subset, test)} of {len(subset)} rows are test rows")
    return common(subset, test)


test = train_test_split(frame, test_size=TEST, random_state=0)[1]["row"]
for name, draw in SUBSETS.items():
    assert shown(name, draw(0), test) == len(draw(0))
theirs = table.train_test_split(TEST, seed=0)["test"]["row"]
assert shown("Dataset.shuffle", table.shuffle(seed=0).select(range(TEST))["row"], theirs) == TEST
assert 20 < shown("DataFrame.sample with another seed", frame.sample(TEST, random_state=1)["row"], test) < 60
P
"$folder/venv/bin/python" "$folder/subset.py"

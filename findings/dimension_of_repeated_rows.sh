#!/usr/bin/env bash
# scikit-dimension 0.5.0: as soon as one row comes twice, the dimension of data by maximum likelihood is 0.
#
# Guess before running: one repeated row among 500 moves an estimate that is put together from 500 neighbourhoods by a
# percent.
# Seen: 4.90 for 500 rows of five normal columns, 0.00 for the same with one of them twice, by `MLE`; by `MiND_ML` 4.92 and
# 1.00. A row at distance 0 makes the estimates at the two copies 0, and one of the 501 local estimates that is 0 decides over
# their harmonic mean. Of numpy there are warnings of a division by zero, of the estimators none. Their median is 4.98 and
# their mean 5.19; `TwoNN`, which drops such rows with a warning, says 4.44 and 4.48, `lPCA` 5 and 5.
# Output seen: "MLE: 4.90, with one row twice 0.00", "MiND_ML: 4.92, with one row twice 1.00", "TwoNN: 4.44, … 4.48", "lPCA:
# 5.00, … 5.00", "MLE by the median: 5.01, … 4.97".
# Who it hits: the dimension of samples over generations as a sign of collapse: policies that draw rows with replacement,
# subsample a growing pool or mix real rows in twice fall to 0 at once, whatever the model does. Drop repeated rows, or take
# the median.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    scikit-dimension==0.5.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/dimension.py" <<'P'
import warnings

import numpy as np
import skdim.id as estimators

warnings.simplefilter("ignore")
once = np.random.default_rng(0).normal(size=(500, 5))
twice = np.vstack([once, once[:1]])


def told(name, **words):
    one, other = (float(getattr(estimators, name)().fit(rows, **words).dimension_) for rows in (once, twice))
    print(f"{name}{' by the median' if words else ''}: {one:.2f}, with one row twice {other:.2f}")
    return one, other


one, other = told("MLE")
assert 4 < one < 6 and other == 0
one, other = told("MiND_ML")
assert 4 < one < 6 and other == 1
for name, words in (("TwoNN", {}), ("lPCA", {}), ("MLE", {"comb": "median"})):
    one, other = told(name, **words)
    assert 4 < one < 6 and abs(one - other) < 0.1
P
"$folder/venv/bin/python" "$folder/dimension.py"

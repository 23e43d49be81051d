#!/usr/bin/env bash
# numba 0.68.1: `np.mean`, `np.sum` and `np.var` of a float32 array in a compiled function are not those of numpy.
#
# Guess before running: a compiled `np.mean` has numpy's value to the last digits or so.
# Seen: the mean of 2^25 ones is 0.5, as the sum stops at 2^24, where adding 1 changes nothing any more; of ten million normal
# numbers around 5 it is 4.877 instead of 5.000, and the variance, taken around that mean, 1.014 instead of 0.999. numpy sums in
# pairs of blocks; numba adds one by one in the array's own type. With float64 the two agree.
# Output seen: "mean of 2^25 ones: numba 0.5, numpy 1.0", "around 5: mean 4.8774, numpy 4.9997; variance 1.0140, numpy 0.9990".
# Who it hits: compiled fits of means and variances from many rows: an error of 2 % every generation that looks like drift. Sum in
# float64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6 2> /dev/null
cat > "$folder/mean.py" <<'P'
import numpy as np
from numba import njit


@njit
def moments(x):
    return np.mean(x), np.var(x)


ones = moments(np.ones(2**25, np.float32))[0]
print(f"mean of 2^25 ones: numba {ones}, numpy {np.ones(2**25, np.float32).mean()}")
double = 5 + np.random.default_rng(0).normal(size=10_000_000)
rows = double.astype(np.float32)
mean, variance = moments(rows)
print(f"around 5: mean {mean:.4f}, numpy {rows.mean():.4f}; variance {variance:.4f}, numpy {rows.var():.4f}")
assert ones == 0.5
assert abs(rows.mean() - 5) < 0.001 and abs(rows.var() - 1) < 0.002
assert 0.05 < 5 - mean < 0.2 and variance > 1.005
assert np.allclose(moments(double), (double.mean(), double.var()))
P
"$folder/venv/bin/python" "$folder/mean.py"

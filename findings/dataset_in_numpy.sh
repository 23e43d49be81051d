#!/usr/bin/env bash
# datasets 5.2.0: a column of double precision comes out of `with_format("numpy")` in single precision, integers as 64-bit ones.
#
# Guess before running: numbers keep the type that `features` states, at least in numpy, which has them all.
# Seen: `features` says float64, the array is float32, and 1e300 in it is inf; uint64 comes as int64, so that 2^64 − 1 is −1;
# int8 as int64. With "pandas" or no format at all the values are those stored, and with `dtype=` those asked for.
# Output seen: "Value('float64'): numpy float32 [0.10000000149011612, inf], pandas float64 [0.1, 1e+300]" and
# "Value('uint64'): numpy int64 [-1, 1], pandas uint64 [18446744073709551615, 1]".
# Who it hits: log-densities, weights and closed-form data that go through a dataset every generation are rounded to seven digits
# each time, and large finite losses turn into divergence. Use `with_format("numpy", dtype=np.float64)`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.4.6 2> /dev/null
cat > "$folder/format.py" <<'P'
import warnings

import numpy as np
from datasets import Dataset

warnings.simplefilter("ignore", RuntimeWarning)
table = Dataset.from_dict(
    {"loss": np.array([0.1, 1e300]), "seed": np.array([2**64 - 1, 1], np.uint64), "small": np.array([1, 2], np.int8)}
)
arrays, frame = table.with_format("numpy")[:], table.with_format("pandas")[:]
for name, array in arrays.items():
    stored = frame[name]
    print(f"{table.features[name]}: numpy {array.dtype} {array.tolist()}, pandas {stored.dtype} {stored.tolist()}")
    assert table.features[name].dtype == str(stored.dtype)
assert {name: str(array.dtype) for name, array in arrays.items()} == {"loss": "float32", "seed": "int64", "small": "int64"}
assert np.isinf(arrays["loss"][1]) and arrays["seed"][0] == -1
assert table[:]["loss"] == frame["loss"].tolist() == [0.1, 1e300]
assert table.with_format("numpy", dtype=np.float64)[:]["loss"].tolist() == [0.1, 1e300]
P
"$folder/venv/bin/python" "$folder/format.py"

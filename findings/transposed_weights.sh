#!/usr/bin/env bash
# safetensors 0.8.0 with numpy 2.4.6: `safetensors.numpy` saves a transposed array with its numbers in another order.
#
# Guess before running: an array comes back as it was, however it lies in memory; or it is refused, as `safetensors.torch`
# refuses a transposed tensor.
# Seen: the bytes are written as they lie in memory, under the shape that numpy states. Of a transposed or Fortran-ordered
# matrix all numbers come back, in other places; of every other column the first columns are written instead. Shape, type, mean
# and norm of a transposed matrix are right. The docstring asks for contiguous arrays; nothing looks whether they are.
# Output seen: "transposed: saved [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], read [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]", "in
# Fortran's order: …", "every other column: …", "contiguous copy: equal", "torch refuses: ValueError".
# Who it hits: weights are transposed just where they are handed on (a layer's to numpy's convention, eigenvectors and solutions
# as LAPACK returns them): the next generation starts from, or samples by, a scrambled model of the right norm, and that reads
# as collapse. Save `np.ascontiguousarray(x)`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    safetensors==0.8.0 torch==2.13.0 scipy==1.17.1 numpy==2.4.6 packaging==26.3 2> /dev/null
cat > "$folder/weights.py" <<'P'
import numpy as np
import scipy.linalg
import torch
from safetensors.numpy import load, save
from safetensors.torch import save as save_tensors

rows = np.arange(6.0).reshape(2, 3)
ARRAYS = {"transposed": rows.T, "in Fortran's order": np.asfortranarray(rows), "every other column": rows[:, ::2]}


def there_and_back(array):
    return load(save({"x": array}))["x"]


for name, array in ARRAYS.items():
    read = there_and_back(array)
    print(f"{name}: saved {array.tolist()}, read {read.tolist()}")
    assert read.shape == array.shape and not np.array_equal(read, array)
    assert np.array_equal(there_and_back(np.ascontiguousarray(array)), array)
print("contiguous copy: equal")
assert np.linalg.norm(there_and_back(rows.T)) == np.linalg.norm(rows)
data = np.random.default_rng(0).normal(size=(50, 4))
vectors = scipy.linalg.eigh(data.T @ data)[1]
lost = np.abs(there_and_back(vectors) - vectors).max()
print(f"eigenvectors by scipy: off by up to {lost:.2f}")
assert lost > 0.5
try:
    save_tensors({"x": torch.from_numpy(rows).T})
except ValueError as refusal:
    print("torch refuses:", type(refusal).__name__)
else:
    raise AssertionError("torch saved a transposed tensor")
P
"$folder/venv/bin/python" "$folder/weights.py"

#!/usr/bin/env bash
# prdc 0.2: samples that are the real rows themselves have precision, recall and coverage of 0.22 where rows come several
# times.
#
# Guess before running: data compared with itself have precision, recall and coverage of 1, whatever the data.
# Seen: of 200 normal rows, 1.000; of the same in whole numbers 0.220; of five binary columns 0.265. A row that comes more
# often than `nearest_k` has its k-th neighbour at distance 0, so that its ball is a point, and what lies on its edge is not
# inside: comparisons are by "less than". What is common is missed, what is rare counts: a sample of the rare rows alone
# scores better than the data, with a precision of 1 and a recall of 0.44. No warning. With noise of 0.01 on both all are 0.97
# and more.
# Output seen: "normal rows: precision 1.000, recall 1.000, coverage 1.000", "whole numbers: precision 0.220, …", "five binary
# columns: precision 0.265, …", "whole numbers, the rare rows alone: precision 1.000, recall 0.440, coverage 0.220".
# Who it hits: tables, tokens, fingerprints and quantised codes: a perfect generation scores a fifth, and one that has lost
# what is common, in place of the tail, scores best. Jitter both sets, or compare by "at most".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    prdc==0.2 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/itself.py" <<'P'
import contextlib
import io

import numpy as np
from prdc import compute_prdc

NAMES = ("precision", "recall", "coverage")
rng = np.random.default_rng(0)


def compared(name, real, fake):
    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real, fake, nearest_k=5)
    print(f"{name}: " + ", ".join(f"{key} {found[key]:.3f}" for key in NAMES))
    return [float(found[key]) for key in NAMES]


normal = rng.normal(size=(200, 2))
whole = np.round(normal)
binary = rng.integers(0, 2, size=(200, 5)).astype(float)
assert compared("normal rows", normal, normal) == [1, 1, 1]
assert max(compared("whole numbers", whole, whole)) < 0.3
assert max(compared("five binary columns", binary, binary)) < 0.5
_, kinds, counts = np.unique(whole, axis=0, return_inverse=True, return_counts=True)
rare = whole[counts[kinds.ravel()] <= 5]
precision, recall, _ = compared("whole numbers, the rare rows alone", whole, rare)
assert precision == 1 and recall > 0.3
jittered = [whole + 0.01 * rng.normal(size=whole.shape) for _ in range(2)]
assert min(compared("whole numbers and noise", *jittered)) > 0.9
P
"$folder/venv/bin/python" "$folder/itself.py"

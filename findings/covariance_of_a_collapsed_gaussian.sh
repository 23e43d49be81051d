#!/usr/bin/env bash
# numpy 2.4.6: `Generator.multivariate_normal` warns of a matrix that is no covariance at unit scale, and is silent about the
# same matrix times 1e-9.
#
# Guess before running: a correlation of 2 is refused or warned of at any scale, since whether a matrix is positive
# semidefinite does not depend on its scale (with check_valid="raise": a ValueError at both).
# Seen: `check_valid` compares with an absolute tolerance of 1e-8 too, so anything smaller passes, with "raise" as well; what
# is drawn has another covariance (correlation 0.5 for the 2 that was asked).
# Output seen: "scale 1: ValueError", "scale 1e-09: drawn, covariance / scale [[2. 1.] [1. 2.]] for [[1 2] [2 1]]".
# Who it hits: Gaussians whose variance dies out over generations: a wrong update goes unseen just there. Divide by the trace
# first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 2> /dev/null
cat > "$folder/scale.py" <<'P'
import warnings

import numpy as np

SHAPE = np.array([[1.0, 2.0], [2.0, 1.0]])
warnings.simplefilter("error")


def drawn(scale):
    rng = np.random.default_rng(0)
    try:
        rows = rng.multivariate_normal([0, 0], scale * SHAPE, 200_000, check_valid="raise")
    except ValueError as error:
        return type(error).__name__
    return np.cov(rows.T) / scale


large, small = drawn(1.0), drawn(1e-9)
print("scale 1:", large)
print("scale 1e-09: drawn, covariance / scale", str(small.round(1)).replace("\n", ""), "for [[1 2] [2 1]]")
assert large == "ValueError"
assert np.allclose(small, [[2, 1], [1, 2]], atol=0.05)
P
"$folder/venv/bin/python" "$folder/scale.py"

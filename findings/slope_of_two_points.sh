#!/usr/bin/env bash
# scipy 1.17.1: the slope of two points has p-value 0 by `linregress`, 1 by `pearsonr` and nan by `spearmanr`.
#
# Guess before running: nan, or an error: a line through two points leaves nothing to judge it by. At any rate the same by
# `linregress` and `pearsonr`, whose tests are one and the same test.
# Seen: `linregress` says p = 0 and a standard error of 0, whichever two points that differ, `pearsonr` p = 1. From three
# points on the two agree. No warning.
# Output seen: "2 points: linregress 0.000 ± 0.0, pearsonr 1.000, spearmanr nan", "3 points: linregress 0.179 ± 0.3, pearsonr
# 0.179, …".
# Who it hits: slopes over two generations, or over the two sizes of a pilot: significant in every seed, at any correction for
# many tests, and of infinite weight where slopes are averaged by their errors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/slope.py" <<'P'
import math
import warnings

import numpy as np
from scipy import stats

warnings.simplefilter("error")


def judged(y):
    x = np.arange(len(y))
    line = stats.linregress(x, y)
    others = [float(test(x, y).pvalue) for test in (stats.pearsonr, stats.spearmanr)]
    print(
        f"{len(y)} points: linregress {line.pvalue:.3f} ± {line.stderr:.1f}, "
        f"pearsonr {others[0]:.3f}, spearmanr {others[1]:.3f}"
    )
    return float(line.pvalue), float(line.stderr), *others


rng = np.random.default_rng(0)
for _ in range(3):
    line, error, pearson, spearman = judged(rng.normal(size=2))
    assert line == error == 0 and pearson == 1 and math.isnan(spearman)
line, error, pearson, _ = judged([1.0, 1.5, 3.0])
assert error > 0 and math.isclose(line, pearson)
P
"$folder/venv/bin/python" "$folder/slope.py"

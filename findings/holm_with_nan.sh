#!/usr/bin/env bash
# statsmodels 0.15.0: `multipletests` by Holm's method rejects a hypothesis whose p-value is NaN, and by Benjamini and Hochberg's
# one NaN takes all other adjusted p-values with it.
#
# Guess before running: a p-value that is not a number is left out or refused; it is never significant, nor does it change others.
# Seen: of [0.001, nan] both are rejected by `holm` and `holm-sidak`, of two NaNs both. By `fdr_bh`, `fdr_by`, `hommel` and
# `simes-hochberg` the adjusted p-values are all NaN. `bonferroni` does neither. No warning. The method compares from below,
# and NaN is not above any bound.
# Output seen: "holm [True, True] [0.002, nan]", "fdr_bh [True, False] [nan, nan]", "bonferroni [True, False] [0.002, nan]".
# Who it hits: a t-test over replicates that have all collapsed to one value is NaN; the table calls it significant, or nothing.
# Take NaN out before, and put it back after.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 2> /dev/null
cat > "$folder/holm.py" <<'P'
import warnings

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

warnings.simplefilter("ignore", RuntimeWarning)
collapsed = float(stats.ttest_ind([3.0, 3.0, 3.0], [3.0, 3.0, 3.0]).pvalue)
assert np.isnan(collapsed)
warnings.simplefilter("error")


def told(p, method):
    rejected, adjusted = multipletests(p, method=method)[:2]
    return rejected.tolist(), adjusted.tolist()


for method in ("holm", "holm-sidak", "bonferroni", "fdr_bh", "fdr_by", "hommel", "simes-hochberg"):
    rejected, adjusted = told([0.001, collapsed], method)
    print(method, rejected, [round(p, 4) for p in adjusted])
    assert rejected[1] == method.startswith("holm")
    assert np.isnan(adjusted[1])
    assert np.isnan(adjusted[0]) == (method in ("fdr_bh", "fdr_by", "hommel", "simes-hochberg"))
assert told([collapsed, collapsed], "holm")[0] == [True, True]
P
"$folder/venv/bin/python" "$folder/holm.py"

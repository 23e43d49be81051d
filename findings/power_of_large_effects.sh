#!/usr/bin/env bash
# statsmodels 0.15.0 with scipy 1.17.1: `TTestPower.power` of some large effects is not a number.
#
# Guess before running: the power of a t-test rises with the effect to 1 and stays there.
# Seen: for three observations and alpha 0.05 it is nan where effect · √n is 9, 12 or 20, and 1 again at 40.
# Its lower tail is scipy's `nct.cdf` far out, which is nan there; the upper tail, `nct.sf`, is right.
# Output seen: "noncentrality 4: 0.5645", "9: nan, by the upper tail alone 0.9817", "12: nan", "20: nan", "40: 1.0000"; no
# exception.
# Who it hits: plans from a pilot with little noise ask for just these effects, and `nan < wanted` is false, so that a search for
# the number of seeds takes too few to be enough. Take the upper tail alone where the lower is nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 2> /dev/null
cat > "$folder/power.py" <<'P'
import math

from scipy import stats
from statsmodels.stats.power import TTestPower

found = {}
for noncentrality in (4, 9, 12, 20, 40):
    found[noncentrality] = float(TTestPower().power(noncentrality / math.sqrt(3), 3, 0.05))
    upper = float(stats.nct.sf(stats.t.isf(0.025, 2), 2, noncentrality))
    print(f"noncentrality {noncentrality}: {found[noncentrality]:.4f}, by the upper tail alone {upper:.4f}")
    assert 0 < upper <= 1
assert 0 < found.pop(4) < 1
assert found.pop(40) == 1
assert all(map(math.isnan, found.values()))
P
"$folder/venv/bin/python" "$folder/power.py"

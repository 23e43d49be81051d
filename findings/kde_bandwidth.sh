#!/usr/bin/env bash
# scikit-learn 1.9.1: `KernelDensity(bandwidth="scott" | "silverman")` does not look at the spread of the data.
#
# Guess before running: "scott" is Scott's rule as in scipy's `gaussian_kde`, n^(-1/(d+4)) times the data's standard deviation.
# Seen: it is n^(-1/(d+4)) alone, 0.25 for 1,000 rows, whether the data's deviation is 0.01, 1 or 100; scipy's is 0.0025,
# 0.25, 25. The estimate of wide data is a comb of spikes, that of narrow data one wide bump.
# Output seen: a line "deviation …: scikit-learn 0.2512, scipy …" for each of three deviations; 0.2661 by Silverman's rule.
# Who it hits: density estimates fitted to their own samples: the bandwidth is the variance that a generation adds, so the two
# libraries collapse at different speeds. Scale the data, or pass a number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/rules.py" <<'P'
import numpy as np
from scipy.stats import gaussian_kde
from sklearn.neighbors import KernelDensity

unit = np.random.default_rng(0).normal(size=1000)
unit /= unit.std(ddof=1)
for rule, alone in (("scott", 1000 ** (-1 / 5)), ("silverman", (1000 * 3 / 4) ** (-1 / 5))):
    for deviation in (0.01, 1.0, 100.0):
        rows = deviation * unit
        ours = KernelDensity(bandwidth=rule).fit(rows[:, None]).bandwidth_
        theirs = np.sqrt(gaussian_kde(rows, bw_method=rule).covariance[0, 0])
        print(f"{rule}, deviation {deviation}: scikit-learn {ours:.4f}, scipy {theirs:.4g}")
        assert np.isclose(ours, alone)
        assert np.isclose(theirs, deviation * (alone if rule == "scott" else 1000 ** (-1 / 5) * (3 / 4) ** (-1 / 5)))
P
"$folder/venv/bin/python" "$folder/rules.py"

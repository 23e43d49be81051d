#!/usr/bin/env bash
# statsmodels 0.15.0: a mixed model with random slopes, GEE and standard errors clustered by seed reject a slope that is 0 in
# one case of five, at 5 % and with three seeds.
#
# Guess before running: the mixed model that made the data has the level it is asked for, to a percent or two; that is what
# one takes it for where each seed has a slope of its own.
# Seen: of 400 studies of three seeds and eight generations, whose seeds have slopes of their own with mean 0, `MixedLM`
# rejects 17 %, `GEE` 26 % and `OLS` with `cov_type="cluster"` 20 %; `OLS` that takes all rows for independent 25 %. With five
# seeds they are 10, 13, 10 and 19 %. Their p-values are by the normal distribution, as if the spread between seeds were
# known, while those of plain `OLS` are by t. A t-test of the three slopes, one for each seed, rejects 4 %. No warning tells
# of it.
# Output seen: "rejected at 5 %: MixedLM 0.172, GEE 0.263, clustered 0.198, independent rows 0.250, slopes by t 0.037".
# Who it hits: growth per generation, with its interval over a handful of seeds: intervals are half as long as they should be,
# and policies differ that do not. Fit a slope to each seed and compare these by t.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 2> /dev/null
cat > "$folder/slopes.py" <<'P'
import warnings

import numpy as np
import statsmodels.api as sm
from scipy import stats

warnings.simplefilter("ignore")
SEEDS, GENERATIONS, STUDIES = 3, 8, 400
seed = np.repeat(np.arange(SEEDS), GENERATIONS)
generation = np.tile(np.arange(GENERATIONS), SEEDS).astype(float)
design = sm.add_constant(generation)
CLUSTERED = {"cov_type": "cluster", "cov_kwds": {"groups": seed}}
TESTS = {
    "MixedLM": lambda loss: sm.MixedLM(loss, design, groups=seed, exog_re=design).fit().pvalues[1],
    "GEE": lambda loss: sm.GEE(loss, design, groups=seed).fit().pvalues[1],
    "clustered": lambda loss: sm.OLS(loss, design).fit(**CLUSTERED).pvalues[1],
    "independent rows": lambda loss: sm.OLS(loss, design).fit().pvalues[1],
    "slopes by t": lambda loss: stats.ttest_1samp(
        [np.polyfit(generation[seed == one], loss[seed == one], 1)[0] for one in range(SEEDS)], 0
    ).pvalue,
}
rejected = dict.fromkeys(TESTS, 0)
rng = np.random.default_rng(0)
for _ in range(STUDIES):
    levels, slopes = rng.normal(size=SEEDS), 0.3 * rng.normal(size=SEEDS)
    loss = levels[seed] + slopes[seed] * generation + 0.3 * rng.normal(size=len(seed))
    for name, test in TESTS.items():
        rejected[name] += bool(test(loss) < 0.05)
shares = {name: count / STUDIES for name, count in rejected.items()}
print("rejected at 5 %: " + ", ".join(f"{name} {share:.3f}" for name, share in shares.items()))
assert 0.02 < shares["slopes by t"] < 0.08
assert all(0.1 < shares[name] < 0.35 for name in ("MixedLM", "GEE", "clustered"))
P
"$folder/venv/bin/python" "$folder/slopes.py"

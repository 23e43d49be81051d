#!/usr/bin/env bash
# scikit-learn 1.9.1 and statsmodels 0.15.0: logistic regression without a penalty on data that a threshold separates, which
# has no finite estimate.
#
# Guess before running: both libraries say that the estimate does not exist or that the fit did not converge.
# Seen: `LogisticRegression(C=inf)` says nothing, counts itself converged after some ten of its 100 iterations, and gives a slope
# of 12 by `lbfgs` and of 14 by `newton-cholesky`; statsmodels' `Logit` and `GLM` warn of perfect separation and give 41 and 43.
# Output seen: four lines with slope and warnings: "lbfgs 12.2 []", "newton-cholesky 14.1 []",
# "Logit 41.2 ['ConvergenceWarning', 'PerfectSeparationWarning']", "GLM 43.0 ['PerfectSeparationWarning']".
# Who it hits: regressions refitted on their own labels reach separable data sooner or later; a loop of scikit-learn goes on as
# if nothing had happened, with coefficients that its tolerance chose.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    scikit-learn==1.9.1 statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 2> /dev/null
cat > "$folder/separable.py" <<'P'
import warnings

import numpy as np
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression

x = np.concatenate([np.linspace(-2, -0.5, 50), np.linspace(0.5, 2, 50)])[:, None]
y = (x[:, 0] > 0).astype(float)


def fitted(solver):
    made = LogisticRegression(C=np.inf, solver=solver).fit(x, y)
    assert made.n_iter_[0] < made.max_iter
    return float(made.coef_[0, 0])


FITS = {
    "lbfgs": lambda: fitted("lbfgs"),
    "newton-cholesky": lambda: fitted("newton-cholesky"),
    "Logit": lambda: sm.Logit(y, sm.add_constant(x)).fit(disp=0).params[1],
    "GLM": lambda: sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial()).fit().params[1],
}
slopes, said = {}, {}
for name, fit in FITS.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        slopes[name] = fit()
    said[name] = sorted({one.category.__name__ for one in caught})
    print(name, round(slopes[name], 1), said[name])
assert said["lbfgs"] == said["newton-cholesky"] == []
assert "PerfectSeparationWarning" in said["Logit"] and "PerfectSeparationWarning" in said["GLM"]
assert 11 < slopes["lbfgs"] < 13 < slopes["newton-cholesky"] < 15 and min(slopes["Logit"], slopes["GLM"]) > 35
P
"$folder/venv/bin/python" "$folder/separable.py"

#!/usr/bin/env bash
# statsmodels 0.15.0: a `Binomial()` that several fits share keeps the numbers of trials of the last fit to counts, and so changes
# the likelihood of other fits, later and earlier ones.
#
# Guess before running: `Binomial()` says which family it is and no more; one made at the head of a script serves all fits.
# Seen: after a fit to counts of 50, a fit of single labels with the same object has 50 times its log-likelihood and deviance,
# and an AIC to match; coefficients and standard errors are right. The other way round as well: results compute their likelihood
# when they are asked, so that a fit to counts of 50, read after a fit to counts of 5, has one by trials of 5. No warning.
# Output seen: "labels after counts: log-likelihood -6135.69, by a family of its own -122.71; deviance 12271.37, 245.43",
# "counts, read after another fit: log-likelihood -204.70, by a family of its own -512.36".
# Who it hits: logistic recursions whose generations differ in rows or counts: likelihood and AIC grow with the number of
# trials, and a deviance test between two models of one generation, 50 times as large, finds everything significant. Write
# `family=Binomial()` in each call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 2> /dev/null
cat > "$folder/family.py" <<'P'
import warnings

import numpy as np
import statsmodels.api as sm

warnings.simplefilter("error")
rng = np.random.default_rng(0)
x = sm.add_constant(rng.normal(size=200))
chance = 1 / (1 + np.exp(-x @ [0.3, 1.0]))
labels = rng.binomial(1, chance).astype(float)


def counts(trials):
    drawn = rng.binomial(trials, chance)
    return np.column_stack([drawn, trials - drawn])


def fitted(y, family=None):
    return sm.GLM(y, x, family=family or sm.families.Binomial()).fit()


family = sm.families.Binomial()
fitted(counts(50), family)
after, own = fitted(labels, family), fitted(labels)
print(f"labels after counts: log-likelihood {after.llf:.2f}, by a family of its own {own.llf:.2f}; ", end="")
print(f"deviance {after.deviance:.2f}, {own.deviance:.2f}")
assert np.allclose(after.params, own.params) and np.allclose(after.bse, own.bse)
assert np.isclose(after.llf, 50 * own.llf) and np.isclose(after.deviance, 50 * own.deviance)

family, of_50 = sm.families.Binomial(), counts(50)
first = fitted(of_50, family)
fitted(counts(5), family)
shared, alone = first.llf, fitted(of_50).llf
print(f"counts, read after another fit: log-likelihood {shared:.2f}, by a family of its own {alone:.2f}")
assert shared > alone / 2
P
"$folder/venv/bin/python" "$folder/family.py"

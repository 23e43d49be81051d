#!/usr/bin/env bash
# scikit-learn 1.9.1: `GaussianProcessRegressor.sample_y` draws the same functions at every call, and without the noise that
# `alpha` stands for.
#
# Guess before running: each call draws anew, as other estimators' `sample` does where no `random_state` is stated; and what is
# drawn looks like the data, noise and all.
# Seen: two calls are equal to the last digit: `random_state` is 0, as the docstring lists, where other estimators have
# None. Of two processes of the same kernel, fitted to a sine with noise of variance 0.09, samples spread by 0.02 around
# their mean where the noise is `alpha=0.09`, and by 0.11 where it is a `WhiteKernel`; means are the same. No warning.
# Output seen: "two calls equal: True", "noise by alpha: spread 0.020", "noise by WhiteKernel: spread 0.110", "means differ by
# 0.000", "ten generations: moved by 2.16, with fresh draws by 0.53, at most 0.78".
# Who it hits: regressions refitted on their own samples: all generations and replicates get one and the same noise, which adds
# up in place of averaging out, to four times the way in ten generations; and with `alpha` most of it dies out in the first
# one. Pass a `RandomState` object, and a `WhiteKernel`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    scikit-learn==1.9.1 numpy==2.4.6 2> /dev/null
cat > "$folder/draws.py" <<'P'
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel

NOISE, DRAWS = 0.09, 1_000
rng = np.random.default_rng(0)
places = np.linspace(0, 1, 20)[:, None]
curve = np.sin(6 * places[:, 0])
data = curve + NOISE**0.5 * rng.normal(size=len(places))


def process(noisy, values):
    kernel = RBF(0.3) + WhiteKernel(NOISE) if noisy else RBF(0.3)
    return GaussianProcessRegressor(kernel, alpha=1e-10 if noisy else NOISE, optimizer=None).fit(places, values)


def spread(noisy):
    drawn = process(noisy, data).sample_y(places, DRAWS, random_state=1)
    found = float(drawn.var(axis=1).mean())
    print(f"noise by {'WhiteKernel' if noisy else 'alpha'}: spread {found:.3f}")
    return found


def far(state):
    """How far ten generations, each fitted to one sample of the last, have gone from the first one's mean."""
    values = data
    for _ in range(10):
        draw = {} if state is None else {"random_state": state}
        values = process(True, values).sample_y(places, **draw)[:, 0]
    moved = process(True, values).predict(places) - process(True, data).predict(places)
    return float(np.sqrt(np.mean(moved**2)))


fitted = process(False, data)
equal = np.array_equal(fitted.sample_y(places), fitted.sample_y(places))
print(f"two calls equal: {equal}")
assert equal
assert spread(False) < 0.04
assert spread(True) > 0.08
apart = float(np.abs(process(False, data).predict(places) - process(True, data).predict(places)).max())
print(f"means differ by {apart:.3f}")
assert apart < 1e-6
same, fresh = far(None), [far(np.random.RandomState(seed)) for seed in range(20)]
print(f"ten generations: moved by {same:.2f}, with fresh draws by {np.mean(fresh):.2f}, at most {max(fresh):.2f}")
assert same > 2 * max(fresh)
P
"$folder/venv/bin/python" "$folder/draws.py"

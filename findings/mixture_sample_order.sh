#!/usr/bin/env bash
# scikit-learn 1.9.1: `GaussianMixture.sample` returns rows ordered by component, and with an integer `random_state` the same
# rows at every call.
#
# Guess before running: rows come in random order, so any slice of them is a sample, and two calls give two samples.
# Seen: of 1,000 rows of two components all of the first come before all of the second: the first 500 have the mean of one
# component. Two calls are equal to the last digit.
# Output seen: "changes of component along 1000 rows: 1", "means of the halves: 4.9 and -5.1", "second call equal: True".
# Who it hits: policies that keep the first k rows of a batch, or split one, keep one component; recursions that sample twice
# from one model add nothing new. Shuffle, and pass a `RandomState`, not an integer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6 2> /dev/null
cat > "$folder/order.py" <<'P'
import numpy as np
from sklearn.mixture import GaussianMixture

rng = np.random.default_rng(0)
rows = np.concatenate([rng.normal(-5, 1, 500), rng.normal(5, 1, 500)])[:, None]
model = GaussianMixture(2, random_state=0).fit(rows)
drawn, component = model.sample(1000)
changes = int((np.diff(component) != 0).sum())
halves = drawn[:500].mean(), drawn[500:].mean()
again = bool(np.array_equal(drawn, model.sample(1000)[0]))
print("changes of component along 1000 rows:", changes)
print(f"means of the halves: {halves[0]:.1f} and {halves[1]:.1f}")
print("second call equal:", again)
assert changes == 1
assert abs(halves[0] - halves[1]) > 9
assert again
P
"$folder/venv/bin/python" "$folder/order.py"

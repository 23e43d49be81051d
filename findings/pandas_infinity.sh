#!/usr/bin/env bash
# pandas 3.1.1: `rolling`, `expanding` and `ewm` take an infinity for a missing value, while `mean`, `max` and `groupby` do not.
#
# Guess before running: every window that holds inf has mean and maximum inf, and the running maximum stays inf for ever.
# Seen: the running maximum of [1, inf, 1, 1] is 1 throughout, so are the expanding and the exponentially weighted mean; a
# rolling window that holds inf gives NaN. `Series.mean`, `Series.cummax` and `groupby.max` say inf; `groupby.cumsum` says inf
# once, then NaN. No warning.
# Output seen: "expanding max [1.0, 1.0, 1.0, 1.0]", "ewm mean [1.0, 1.0, 1.0, 1.0]", "rolling mean [nan, nan, nan, 1.0]",
# "cummax [1.0, inf, inf, inf]", "groupby cumsum [1.0, inf, nan, nan]".
# Who it hits: smoothed or running curves of runs that diverged look as healthy as the others. Use `cummax`, or mark events.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/infinity.py" <<'P'
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("error")
loss = pd.Series([1.0, np.inf, 1.0, 1.0])
seen = {
    "expanding max": loss.expanding().max(),
    "ewm mean": loss.ewm(alpha=0.5).mean(),
    "rolling mean": loss.rolling(2).mean(),
    "cummax": loss.cummax(),
    "groupby cumsum": loss.groupby([0] * 4).cumsum(),
}
for name, curve in seen.items():
    print(name, curve.tolist())
nan, inf = np.nan, np.inf
expected = [[1, 1, 1, 1], [1, 1, 1, 1], [nan, nan, nan, 1], [1, inf, inf, inf], [1, inf, nan, nan]]
for curve, values in zip(seen.values(), expected, strict=True):
    np.testing.assert_array_equal(curve, values)
assert loss.mean() == loss.max() == loss.groupby([0] * 4).max()[0] == inf
P
"$folder/venv/bin/python" "$folder/infinity.py"

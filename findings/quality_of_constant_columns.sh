#!/usr/bin/env bash
# sdmetrics 0.32.0: a synthetic table in which four of six columns have collapsed to one value keeps 0.99 for its
# correlations; with a billionth of noise on them it has 0.56.
#
# Guess before running: columns that move together in the data, and do not move at all in the sample, have lost their
# correlations; the score of pairs falls with each one, and noise of 1e-9 changes nothing.
# Seen: of six columns that are correlated by 0.92, "Column Pair Trends" of a good sample is 0.991, with one, three and four
# columns constant 0.990, 0.989 and 0.989; with five it is not a number, and the whole score is that of the columns alone. A
# pair with a constant column is an error, named in a column of `get_details`, and left out of the mean; so 14 of 15 pairs
# are, and the last one decides. "Column Shapes" does fall, from 0.94 to 0.64, and at six constant columns is still 0.49. No
# warning.
# Output seen: "0 columns constant: pairs 0.991, whole 0.967", "4 columns constant: pairs 0.989, whole 0.816", "4 columns
# nearly so: pairs 0.559, whole 0.601", "5 columns constant: pairs nan, …".
# Who it hits: quality of synthetic tables over generations: collapse to one value is rewarded as against collapse to almost
# one, and the score can rise when a column dies. Look at how many pairs were left out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    sdmetrics==0.32.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==2.3.3 numpy==2.4.6 2> /dev/null
cat > "$folder/quality.py" <<'P'
import math
import warnings

import numpy as np
import pandas as pd

warnings.simplefilter("error")
warnings.simplefilter("ignore", FutureWarning)
from sdmetrics.reports.single_table import QualityReport  # noqa: E402

COLUMNS = list("abcdef")
META = {"columns": {name: {"sdtype": "numerical"} for name in COLUMNS}}


def table(seed, dead=0, noise=0.0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(500, 1)) + 0.3 * rng.normal(size=(500, 6)), columns=COLUMNS)
    for name in COLUMNS[:dead]:
        rows[name] = rows[name].mean() + noise * rng.normal(size=500)
    return rows


def scored(dead, noise=0.0):
    report = QualityReport()
    report.generate(table(0), table(1, dead, noise), META, verbose=False)
    pairs = float(report.get_properties().set_index("Property").loc["Column Pair Trends", "Score"])
    left_out = int(report.get_details("Column Pair Trends")["Score"].isna().sum())
    whole = report.get_score()
    how = "nearly so" if noise else "constant"
    print(f"{dead} columns {how}: pairs {pairs:.3f}, whole {whole:.3f}, {left_out} of 15 pairs left out")
    return pairs, left_out


for dead in (0, 1, 3, 4):
    pairs, left_out = scored(dead)
    assert pairs > 0.98 and left_out == 15 - (6 - dead) * (5 - dead) // 2
pairs, left_out = scored(4, noise=1e-9)
assert pairs < 0.8 and left_out == 0
pairs, left_out = scored(5)
assert math.isnan(pairs) and left_out == 15
P
"$folder/venv/bin/python" "$folder/quality.py"

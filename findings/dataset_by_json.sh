#!/usr/bin/env bash
# datasets 5.2.0 with pandas 3.1.1: numbers that go through `to_json` come back with ten decimals: 1e-12 is 0, 9e-16 is not, and
# an infinity is None.
#
# Guess before running: a column of double precision comes back to a digit or so, as from Python's `json`, and what JSON can't
# say is refused.
# Seen: `to_json` hands rows to pandas, whose writer rounds to ten decimals, not digits: 1/3 keeps ten digits, 1e-5/3 five, and
# what lies between 1e-15 and 5e-11 is 0. Below 1e-15 it writes exponents, and numbers have ten digits again. Infinities and NaN
# become null, read as None. No warning. Parquet keeps everything, CSV all but NaN, `to_json(..., double_precision=15)` fifteen
# decimals.
# Output seen: "stored [0.3333333333333333, 3.3333333333333337e-06, 1e-12, 9e-16, inf, nan]", "JSON [0.3333333333, 3.3333e-06,
# 0.0, 9e-16, None, None]", "Parquet" as stored.
# Who it hits: chances and weights that a generation hands on as lines of JSON: a tail that was dying out is dead, while a
# thinner one lives, and a diverged loss is a missing one. Keep numbers in Parquet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pandas==3.1.1 numpy==2.4.6 2> /dev/null
cat > "$folder/lines.py" <<'P'
import math
import sys
import warnings

from datasets import Dataset, disable_progress_bars

warnings.simplefilter("error")
disable_progress_bars()
STORED = [1 / 3, 1e-5 / 3, 1e-12, 9e-16, math.inf, math.nan]
table = Dataset.from_dict({"x": STORED})


def there_and_back(kind, **settings):
    path = f"{sys.argv[1]}/{kind}{len(settings)}"
    getattr(table, f"to_{kind}")(path, **settings)
    read = getattr(Dataset, f"from_{kind}")(path, cache_dir=f"{path}.cache")
    assert str(read.features["x"].dtype) == "float64"
    return read["x"][:]


json, finer = there_and_back("json"), there_and_back("json", double_precision=15)
csv, parquet = there_and_back("csv"), there_and_back("parquet")
print(f"stored {STORED}\nJSON {json}\nJSON with double_precision=15 {finer}\nCSV {csv}\nParquet {parquet}")
assert json == [0.3333333333, 3.3333e-06, 0.0, 9e-16, None, None]
assert finer[2] == 1e-12 and abs(finer[0] - 1 / 3) < 1e-14
assert csv[:5] == parquet[:5] == STORED[:5] and math.isnan(parquet[5])
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/lines.py" "$folder"

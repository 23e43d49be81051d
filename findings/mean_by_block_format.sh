#!/usr/bin/env bash
# ray 2.60.0 with pandas 3.1.1 and pyarrow 25.0.1: the mean of a column that holds a NaN depends on what a dataset was made
# from, while its maximum never sees the NaN.
#
# Guess before running: the mean of [1, nan, 3] is nan, or 2 if missing values are left out, whatever made the dataset; the
# maximum likewise.
# Seen: from pandas it is 2, from an Arrow table and from Python's rows it is None, which is what a column without any number
# has; after a `map_batches` by pandas that changes nothing it is 2 there too. The maximum is 3 from all of them, where an Arrow
# table's NaN is a number for the mean. `ignore_nulls=True` is the default. No warning.
# Output seen: "from_pandas: mean 2.0, max 3.0", "from_arrow: mean None, max 3.0", "from_items: mean None, max 3.0", "from_arrow,
# through pandas: mean 2.0, max 3.0".
# Who it hits: losses of seeds some of which diverged, averaged where they lie: whether a policy has a mean, and whether diverged
# seeds count in it, goes by the format of the step before. Count what is not finite apart.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    "ray[data]==2.60.0" pandas==3.1.1 pyarrow==25.0.1 numpy==2.4.6 2> /dev/null
cat > "$folder/means.py" <<'P'
import logging

import pandas as pd
import pyarrow as pa
import ray

ray.init(num_cpus=1, logging_level="ERROR", include_dashboard=False, log_to_driver=False)
ray.data.DataContext.get_current().enable_progress_bars = False
logging.getLogger("ray.data").setLevel(logging.ERROR)
LOSSES = [1.0, float("nan"), 3.0]


def told(name, dataset):
    mean, largest = dataset.mean("loss"), dataset.max("loss")
    print(f"{name}: mean {mean}, max {largest}")
    return mean, largest


arrow = ray.data.from_arrow(pa.table({"loss": LOSSES}))
assert told("from_pandas", ray.data.from_pandas(pd.DataFrame({"loss": LOSSES}))) == (2, 3)
assert told("from_arrow", arrow) == (None, 3)
assert told("from_items", ray.data.from_items([{"loss": loss} for loss in LOSSES])) == (None, 3)
assert told("from_arrow, through pandas", arrow.map_batches(lambda rows: rows, batch_format="pandas")) == (2, 3)
P
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/means.py" 2> /dev/null

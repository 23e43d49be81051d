#!/usr/bin/env bash
# pyarrow 25.0.1: reading a Parquet file with a filter loses rows with NaN that the same filter keeps in memory.
#
# Guess before running: `read_table(path, filters=e)` is `read_table(path).filter(e)`, for any expression and any values.
# Seen: of losses [0.5, nan, 0.7, nan] the filter "not at most 1" keeps both NaNs in memory and nothing when reading. Statistics
# of a row group leave NaN out, so that the group counts as lying in [0.5, 0.7] and is skipped; with 1.5 in place of 0.7 both are
# read. Where all other values of a group are equal, `loss != 0.5` and even `is_nan` lose NaN too. No warning.
# Output seen: "[0.5, nan, 0.7, nan], not <= 1: in memory [2, 4], read []", "[0.5, nan], is_nan: in memory [2], read []",
# "[0.5, nan], != 0.5: in memory [2], read []".
# Who it hits: records of runs, asked for those that diverged: whether a run is found depends on which others share its row group.
# Filter in memory, or keep a column that says whether a loss is finite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1 2> /dev/null
cat > "$folder/filters.py" <<'P'
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.compute import field

NAN, LOSS = float("nan"), field("loss")
path = tempfile.mkdtemp() + "/losses.parquet"


def kept(losses, filters):
    pq.write_table(pa.table({"run": range(1, len(losses) + 1), "loss": losses}), path)
    memory, read = pq.read_table(path).filter(filters), pq.read_table(path, filters=filters)
    return memory["run"].to_pylist(), read["run"].to_pylist()


def shown(name, losses, filters):
    memory, read = kept(losses, filters)
    print(f"{losses}, {name}: in memory {memory}, read {read}")
    return memory, read


assert shown("not <= 1", [0.5, NAN, 0.7, NAN], ~(LOSS <= 1)) == ([2, 4], [])
assert shown("not <= 1", [0.5, NAN, 1.5, NAN], ~(LOSS <= 1)) == ([2, 3, 4], [2, 3, 4])
assert shown("is_nan", [0.5, NAN, 0.7, NAN], LOSS.is_nan()) == ([2, 4], [2, 4])
assert shown("is_nan", [0.5, NAN], LOSS.is_nan()) == ([2], [])
assert shown("!= 0.5", [0.5, NAN], LOSS != 0.5) == ([2], [])
P
"$folder/venv/bin/python" "$folder/filters.py"

#!/usr/bin/env bash
# torch 2.13.0 on a CPU: `torch.cdist` in single precision says that close rows are at distance 0 as soon as there are 26 rows.
#
# Guess before running: distances in single precision are right to five digits or so, however many rows there are.
# Seen: for rows that lie around 100 with a deviation of 0.01, distances to the nearest neighbour of 25 rows are right; of 26 rows
# all are 0. From 26 rows on |x|² − 2xy + |y|² is used, whose terms are 80,000 and more for a result of 0.0006.
# `compute_mode="donot_use_mm_for_euclid_dist"` is right for 26 too, as are rows less their mean.
# Output seen: "25 rows: mean distance to the nearest 0.0224, true 0.0224", "26 rows: mean distance to the nearest 0.0000, true
# 0.0248", "26 rows, without products: 0.0248, less their mean: 0.0248".
# Who it hits: precision, recall, coverage and diversity by nearest neighbours: duplicates everywhere just when samples have
# collapsed to a narrow cloud. Take the mean off, or double precision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/distances.py" <<'P'
import torch

torch.set_num_threads(1)
torch.manual_seed(0)
DIRECT = "donot_use_mm_for_euclid_dist"


def nearest(rows, mode="use_mm_for_euclid_dist_if_necessary"):
    return torch.cdist(rows, rows, compute_mode=mode).fill_diagonal_(torch.inf).min(dim=1).values.double()


found = {}
for count in (25, 26):
    rows = 100 + 0.01 * torch.randn(count, 8)
    found[count], true = nearest(rows), nearest(rows.double(), DIRECT)
    direct, centred = nearest(rows, DIRECT), nearest(rows - rows.mean(dim=0))
    print(f"{count} rows: mean distance to the nearest {found[count].mean():.4f}, true {true.mean():.4f}")
    print(f"{count} rows, without products: {direct.mean():.4f}, less their mean: {centred.mean():.4f}")
    assert torch.allclose(direct, true, rtol=1e-3) and torch.allclose(centred, true, rtol=1e-2)
    if count == 25:
        assert torch.allclose(found[25], true, rtol=1e-3)
assert (found[26] == 0).all()
P
"$folder/venv/bin/python" "$folder/distances.py"

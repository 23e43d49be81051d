#!/usr/bin/env bash
# torch 2.13.0 on a CPU: `ReduceLROnPlateau` never lowers the learning rate for a loss that stays below zero, not even for one
# that gets worse.
#
# Guess before running: a loss that stays at -1 is a plateau, as one that stays at +1 is: both lower the rate after `patience`
# looks without progress.
# Seen: at +1 the rate falls to 1e-8 in 50 looks, at -1 and -100 it stays 1. Progress is a loss below `best * (1 - threshold)`,
# which lies above the best where that is negative, so that standing still is progress; so is a loss that rises by 9e-5 of itself
# at each look, from -1 to -0.64. `mode="max"` has the same for scores below zero. With `threshold_mode="abs"` both signs do
# alike.
# Output seen: "rel: rate after 50 looks at a loss of 1: 1e-08", "rel: … of -1: 1", "abs: … of -1: 1e-08", "rel: rate after a loss
# has risen from -1 to -0.638: 1".
# Who it hits: densities of continuous data, whose negative log-likelihood passes zero as generations narrow: early ones are
# trained with a falling rate and late ones without, and waiting for the rate's floor never ends. Use "abs".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/plateau.py" <<'P'
from itertools import accumulate, repeat

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau


def rate(losses, kind="rel", mode="min"):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = ReduceLROnPlateau(optimizer, mode=mode, patience=3, threshold_mode=kind)
    for loss in losses:
        schedule.step(loss)
    return optimizer.param_groups[0]["lr"]


def stays(loss, kind="rel", mode="min"):
    return rate([loss] * 50, kind, mode)


for kind, loss, low in (("rel", 1, True), ("rel", -1, False), ("rel", -100, False), ("abs", 1, True), ("abs", -1, True)):
    seen = stays(loss, kind)
    print(f"{kind}: rate after 50 looks at a loss of {loss}: {seen:.2g}")
    assert seen < 1e-7 if low else seen == 1
assert stays(1, mode="max") < 1e-7 and stays(-1, mode="max") == 1

worse = list(accumulate(repeat(1 - 9e-5, 5_000), lambda loss, factor: loss * factor, initial=-1.0))
print(f"rel: rate after a loss has risen from -1 to {worse[-1]:.3f}: {rate(worse):.2g}")
assert worse[-1] > -0.65 and rate(worse) == 1
assert rate(worse, "abs") < 1e-7
P
"$folder/venv/bin/python" "$folder/plateau.py"

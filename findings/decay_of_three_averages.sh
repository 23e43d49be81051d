#!/usr/bin/env bash
# diffusers 0.42.1 and torch-ema 0.3 with torch 2.13.0: a moving average of weights by a decay of 0.999, 0.9999 and 0.99999 is
# one and the same average for the first 9,000 updates.
#
# Guess before running: with `use_ema_warmup=False`, the default, `EMAModel(decay=0.9999)` keeps 0.9999 of the average at each
# update, as torch's `AveragedModel` does: 1,000 updates after weights have moved it has gone a tenth of the way.
# Seen: of weights that rise evenly from 0 to 1 over 1,000 updates the average is 0.90, whichever decay is asked for; torch's
# is 0.37, 0.05 and 0.005. The decay at update t is held below (1 + t) / (10 + t), so that the average reaches over a ninth of
# the updates there have been; `use_ema_warmup` exchanges this rule for another one. torch-ema does likewise unless
# `use_num_updates=False`.
# Output seen: "decay 0.9999: diffusers 0.900, torch-ema 0.900, torch 0.048", 0.900 too for 0.999 and 0.99999, where torch has
# 0.368 and 0.005.
# Who it hits: generations of diffusion models that take a few thousand updates each and are sampled from the average: a sweep
# over decays sees no effect at all, and the same decay in another library is another model. State the decay that was in
# force.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    diffusers==0.42.1 torch-ema==0.3 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/averages.py" <<'P'
import warnings

import torch
from diffusers.training_utils import EMAModel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch_ema import ExponentialMovingAverage

warnings.simplefilter("ignore")
torch.set_num_threads(1)
UPDATES = 1000


def averages(decay):
    """The averages of a weight that rises evenly from 0 to 1."""
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    diffusers, separate = EMAModel(model.parameters(), decay=decay), ExponentialMovingAverage(model.parameters(), decay)
    plain = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    plain.update_parameters(model)
    for update in range(1, UPDATES + 1):
        torch.nn.init.constant_(model.weight, update / UPDATES)
        diffusers.step(model.parameters())
        separate.update()
        plain.update_parameters(model)
    found = [float(weight) for weight in (diffusers.shadow_params[0], separate.shadow_params[0], plain.module.weight)]
    print(f"decay {decay}: diffusers {found[0]:.3f}, torch-ema {found[1]:.3f}, torch {found[2]:.3f}")
    return found


seen = [averages(decay) for decay in (0.999, 0.9999, 0.99999)]
for first, second, third in seen:
    assert abs(first - 0.9) < 0.01 and abs(second - 0.9) < 0.01 and third < 0.4
assert seen[0][:2] == seen[1][:2] == seen[2][:2]
assert seen[0][2] > 5 * seen[1][2] > 25 * seen[2][2]
P
"$folder/venv/bin/python" "$folder/averages.py" 2> /dev/null

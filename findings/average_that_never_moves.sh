#!/usr/bin/env bash
# torch 2.13.0 on a CPU: the moving average of bfloat16 weights by `AveragedModel` stays where it began.
#
# Guess before running: with a decay of 0.999 the average has gone 0.86 of the way after 2,000 updates, up to rounding.
# Seen: not a digit of 4,096 weights moves, although all of them have grown by half. A step is a thousandth of the distance, less
# than half of a bfloat16's last place, and is rounded off each time. In single precision it goes 0.865 of the way; with a decay
# of 0.9 bfloat16 comes to a stop after 0.925 of it.
# Output seen: "decay 0.999, torch.bfloat16: 0.000 of the way, exactly 0.865", "decay 0.9, torch.bfloat16: 0.925 of the way, exactly
# 1.000", in torch.float32 0.865 and 1.000.
# Who it hits: diffusion models are sampled from such an average: those of a generation trained in bfloat16 are its first
# weights', so that it passes on what it started from and seems not to collapse. Keep the average in single precision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/average.py" <<'P'
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

UPDATES = 2000
torch.set_num_threads(1)


def way(decay, kind):
    torch.manual_seed(0)
    model = torch.nn.Linear(64, 64).to(kind)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
    average.update_parameters(model)
    start = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.mul_(1.5)
    for _ in range(UPDATES):
        average.update_parameters(model)
    gone, whole = ((weight.detach() - start).float().norm() for weight in (average.module.weight, model.weight))
    return float(gone / whole)


found = {(decay, kind): way(decay, kind) for decay in (0.9, 0.999) for kind in (torch.bfloat16, torch.float32)}
for (decay, kind), share in found.items():
    print(f"decay {decay}, {kind}: {share:.3f} of the way, exactly {1 - decay**UPDATES:.3f}")
    if kind == torch.float32:
        assert abs(share - (1 - decay**UPDATES)) < 1e-3
assert found[0.999, torch.bfloat16] == 0
assert found[0.9, torch.bfloat16] < 0.99
P
"$folder/venv/bin/python" "$folder/average.py"

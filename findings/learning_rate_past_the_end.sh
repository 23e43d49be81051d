#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: past its last step the cosine schedule raises the learning rate again, to
# all of it.
#
# Guess before running: after `num_training_steps` the rate stays at 0, as it does by the linear schedule; at the smallest
# one, if there is one.
# Seen: of 100 planned steps the rate is 0 at 100, a half of the peak at 150 and all of it at 200, by "cosine" and by
# "cosine_with_min_lr"; the docstring says that it decreases to 0. By "linear", "polynomial", "cosine_with_restarts" and
# "warmup_stable_decay" it stays where it ended. No warning.
# Output seen: "cosine: steps 0, 50, 100, 150, 200: [1.0, 0.5, 0.0, 0.5, 1.0]", "cosine_with_min_lr: … [1.0, 0.55, 0.1, 0.55,
# 1.0]", "linear: … [1.0, 0.5, 0.0, 0.0, 0.0]".
# Who it hits: generations whose corpus grows, or that go on from the last one's state, with a schedule planned for the first:
# the data that come last are learned at the full rate, the earlier ones are forgotten, and accumulating looks like replacing.
# Make the schedule for each fit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/rates.py" <<'P'
import torch
from transformers import get_scheduler

MORE = {"cosine_with_min_lr": {"min_lr_rate": 0.1}, "warmup_stable_decay": {"num_decay_steps": 20}}
LOOKS = (0, 50, 100, 150, 200)


def rates(name):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler(name, optimizer, 0, 100, scheduler_specific_kwargs=MORE.get(name))
    seen = []
    for _ in range(max(LOOKS) + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    found = [round(seen[step], 3) for step in LOOKS]
    print(f"{name}: steps {', '.join(map(str, LOOKS))}: {found}")
    return found


for name in ("cosine", "cosine_with_min_lr"):
    _, _, end, more, twice = rates(name)
    assert end <= 0.1 and more >= 0.5 and twice == 1
for name in ("linear", "polynomial", "cosine_with_restarts", "warmup_stable_decay"):
    assert max(rates(name)[2:]) < 0.01
P
"$folder/venv/bin/python" "$folder/rates.py"

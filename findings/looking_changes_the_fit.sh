#!/usr/bin/env bash
# torch 2.13.0: going through a `DataLoader` draws from the global generator, also without shuffling and without workers.
#
# Guess before running: with shuffle=False and num_workers=0 nothing is random, so that a pass over validation rows leaves the
# training's random numbers as they are.
# Seen: every `iter(loader)` draws one 64-bit number, a seed for workers that aren't there. A model with dropout, trained once
# with and once without a pass over validation rows each epoch, from one seed, ends with other weights. With `DataLoader(…,
# generator=torch.Generator())`, or without a `DataLoader`, the two are equal to the last digit.
# Output seen: "never looked at and looked at each epoch: other weights", "with a generator of its own: equal weights".
# Who it hits: pairs of runs that ought to differ in the policy alone: one more metric, or a metric every other generation,
# gives other noise to all that follows. Give every loader its own generator.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/look.py" <<'P'
import torch
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
x = torch.linspace(-1, 1, 64)[:, None]
ROWS = TensorDataset(x, x**2)


def trained(look, **settings):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.ReLU(), torch.nn.Dropout(0.2), torch.nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    validation = DataLoader(ROWS, batch_size=16, shuffle=False, num_workers=0, **settings)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(ROWS.tensors[0]), ROWS.tensors[1]).backward()
        optimizer.step()
        if look:
            assert sum(len(batch) for batch, _ in validation) == len(ROWS)
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def word(one, other):
    return "equal weights" if torch.equal(one, other) else "other weights"


found = word(trained(False), trained(True))
owned = word(trained(False), trained(True, generator=torch.Generator()))
print("never looked at and looked at each epoch:", found)
print("with a generator of its own:", owned)
assert word(trained(False), trained(False)) == owned == "equal weights"
assert found == "other weights"
P
"$folder/venv/bin/python" "$folder/look.py"

#!/usr/bin/env bash
# torch 2.13.0: `Categorical(probs=…).log_prob` of a category that can't occur is -15.9, not -inf, and so it is of one with
# chance 1e-12.
#
# Guess before running: the logarithm of the chance, as `probs.log()` has it: -27.6 for 1e-12 and -inf for 0.
# Seen: in single precision -15.94 for both and for all chances below 1.2e-7, in double precision -36.04 for 0. Chances are
# clamped at the type's epsilon. The divergence from (½, ½) of a model that gives the second category 1e-12 is 7.3 instead of
# 13.1; for 0 it is inf, as it ought to be. `Categorical(logits=probs.log())` is right throughout. Bernoulli is clamped too.
# Output seen: "torch.float32, chance 1e-12: by probs, by logits, divergence, true: -15.94 -27.63 7.28 13.12", "torch.float32,
# chance 0: … -15.94 -inf inf inf", "torch.float64, chance 0: … -36.04 -inf inf inf".
# Who it hits: held-out loss of models whose tail dies out: it levels off at 15.9 nats for a word however long one goes on,
# which reads as a bound. Hand in logits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/impossible.py" <<'P'
import math

import torch
from torch.distributions import Bernoulli, Categorical, kl_divergence

CHANCES = (1e-6, 1e-9, 1e-12, 0.0)
torch.set_num_threads(1)


def of_second(made):
    return float(made.log_prob(torch.tensor(1)))


found = {}
for kind in (torch.float32, torch.float64):
    even = Categorical(probs=torch.tensor([0.5, 0.5], dtype=kind))
    for chance in CHANCES:
        probs = torch.tensor([1 - chance, chance], dtype=kind)
        by_probs, by_logits = Categorical(probs=probs), Categorical(logits=probs.log())
        found[kind, chance] = of_second(by_probs), of_second(by_logits), float(kl_divergence(even, by_probs))
        divergence = float((even.probs * (even.logits - probs.log())).sum())
        values = " ".join(f"{value:.2f}" for value in (*found[kind, chance], divergence))
        print(f"{kind}, chance {chance:g}: by probs, by logits, divergence, true: {values}")
        assert math.isclose(found[kind, chance][1], math.log(chance) if chance else -math.inf, rel_tol=1e-3)
single, double = ([found[kind, chance] for chance in CHANCES] for kind in (torch.float32, torch.float64))
assert all(abs(by_probs + 15.94) < 0.01 for by_probs, _, _ in single[1:])
assert abs(single[2][2] - 7.28) < 0.01 and abs(double[2][2] - 13.12) < 0.01 and single[3][2] == double[3][2] == math.inf
assert abs(double[3][0] + 36.04) < 0.01
assert abs(float(Bernoulli(probs=torch.tensor(0.0)).log_prob(torch.tensor(1.0))) + 15.94) < 0.01
P
"$folder/venv/bin/python" "$folder/impossible.py"

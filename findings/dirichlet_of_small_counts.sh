#!/usr/bin/env bash
# torch 2.13.0 on a CPU: `Dirichlet` and `Beta` with small concentrations draw the middle of the simplex, where no chance is.
#
# Guess before running: nearly all draws of Dirichlet(0.001, 0.001) lie in a corner, one category holding all but 1e-6, as
# numpy's do; one share in a hundred thousand is within 0.01 of one half.
# Seen: one draw in four is exactly (0.5, 0.5), in single and in double precision, and so for `Beta(0.001, 0.001)`. The chance
# that a Gamma variate of shape 0.001 is below the smallest double is 0.49; where both are, they are lifted to one small number
# and divided by their sum.
# Output seen: "torch.float32: Dirichlet at one half 0.243, in a corner 0.740; Beta at one half 0.248", torch.float64 likewise,
# "numpy: at one half 0.000, in a corner 0.988".
# Who it hits: draws under a sparse prior, or of rates that have nearly died out: a quarter of what ought to stay collapsed
# jumps to the uniform. Draw by numpy, or in logarithms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/dirichlet.py" <<'P'
import numpy as np
import torch

DRAWS, SMALL = 20_000, 1e-3
torch.set_num_threads(1)
torch.manual_seed(0)


def half(shares):
    return float((abs(shares - 0.5) < 0.01).mean())


def corner(shares):
    return float((abs(shares - 0.5) > 0.5 - 1e-6).mean())


for kind in (torch.float32, torch.float64):
    small = torch.full((2,), SMALL, dtype=kind)
    shares = torch.distributions.Dirichlet(small).sample((DRAWS,))[:, 0].numpy()
    beta = torch.distributions.Beta(small[0], small[1]).sample((DRAWS,)).numpy()
    found = f"Dirichlet at one half {half(shares):.3f}, in a corner {corner(shares):.3f}"
    print(f"{kind}: {found}; Beta at one half {half(beta):.3f}")
    assert 0.2 < float((shares == 0.5).mean()) < 0.3 and 0.2 < float((beta == 0.5).mean()) < 0.3
theirs = np.random.default_rng(0).dirichlet([SMALL, SMALL], DRAWS)[:, 0]
print(f"numpy: at one half {half(theirs):.3f}, in a corner {corner(theirs):.3f}")
assert half(theirs) < 0.001 and corner(theirs) > 0.98
P
"$folder/venv/bin/python" "$folder/dirichlet.py"

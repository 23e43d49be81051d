#!/usr/bin/env bash
# scipy 1.17.1 with torch 2.13.0 on a CPU: `minimize` says "terminated successfully" at its starting point for a loss that torch
# computes in single precision.
#
# Guess before running: slopes by differences are rough in single precision, so that the minimum is found to a digit or two, or
# the search fails and says so.
# Seen: BFGS, L-BFGS-B, CG, SLSQP, TNC and trust-constr all return the starting point, with success. `loss.item()` is a Python
# number, by which scipy takes the loss for one in double precision and steps 1.5e-8; in single precision that changes nothing,
# so the slope is 0 and the search over. In double precision all find the minimum; so do those without slopes, as Nelder-Mead.
# Output seen: "BFGS: temperature 1.000, success True; in double precision 2.002, success True", likewise for the five others,
# "Nelder-Mead: temperature 2.00…".
# Who it hits: temperatures, mixing weights and bandwidths that are fitted anew each generation to a model's loss: they stay
# where they were put, so that a correction seems to change nothing. Give `eps=1e-3`, the gradient, or a loss in double
# precision.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 scipy==1.17.1 numpy==2.4.6 2> /dev/null
cat > "$folder/minimum.py" <<'P'
import torch
from scipy.optimize import minimize

TRUE = 2.0
METHODS = ["BFGS", "L-BFGS-B", "CG", "SLSQP", "TNC", "trust-constr"]
torch.set_num_threads(1)
torch.manual_seed(0)
logits = 3 * torch.randn(1000, 10)
labels = torch.distributions.Categorical(logits=logits / TRUE).sample()


def found(method, kind, **options):
    def loss(temperature):
        return torch.nn.functional.cross_entropy(logits.to(kind) / float(temperature[0]), labels).item()

    end = minimize(loss, [1.0], method=method, options=options)
    return float(end.x[0]), bool(end.success)


for method in METHODS:
    single, double = found(method, torch.float32), found(method, torch.float64)
    print(f"{method}: temperature {single[0]:.3f}, success {single[1]}; ", end="")
    print(f"in double precision {double[0]:.3f}, success {double[1]}")
    assert single == (1.0, True)
    assert abs(double[0] - TRUE) < 0.05 and double[1]
simplex, stepped = found("Nelder-Mead", torch.float32)[0], found("L-BFGS-B", torch.float32, eps=1e-3)[0]
print(f"Nelder-Mead: temperature {simplex:.3f}; L-BFGS-B with eps=1e-3: {stepped:.3f}")
assert abs(simplex - TRUE) < 0.05 and abs(stepped - TRUE) < 0.05
P
"$folder/venv/bin/python" "$folder/minimum.py"

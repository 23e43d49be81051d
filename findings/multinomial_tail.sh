#!/usr/bin/env bash
# torch 2.13.0 on a CPU: `torch.multinomial(…, replacement=True)` in single precision never draws a tail of small categories
# that come after a large one, and neither does `torch.distributions.Categorical.sample`.
#
# Guess before running: 100,000 categories that hold a thousandth of the chance together are drawn in a thousandth of two
# million draws, wherever the large category stands, and a little less exactly in single precision.
# Seen: none in two million where the large category comes first (2,000 expected), in float32 weights; 1.0e-3 where it comes
# last, and in either order with float64 weights. The cumulative distribution is summed in the type of the weights: 0.999 plus
# 1e-8 is 0.999 in single precision, a hundred thousand times over.
# Output seen: "large first, float32: 0 of 2000000" and 1,9xx to 2,1xx of 2,000,000 in the three other rows; Categorical: 0.
# Who it hits: whoever watches tails die out over generations sees the sampler kill them. Draw from float64 weights.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/tail.py" <<'P'
import torch

DRAWS, TAIL, SMALL = 2_000_000, 1e-3, 100_000
torch.set_num_threads(1)
torch.manual_seed(0)


def weights(first, kind):
    chances = torch.full((SMALL + 1,), TAIL / SMALL, dtype=torch.float64)
    chances[0 if first else SMALL] = 1 - TAIL
    return chances.to(kind)


def outside(drawn, first):
    return int((drawn != (0 if first else SMALL)).sum())


seen = {}
for first in (True, False):
    for kind in (torch.float32, torch.float64):
        drawn = torch.multinomial(weights(first, kind), DRAWS, replacement=True)
        seen[first, kind] = outside(drawn, first)
        print(f"large {'first' if first else 'last'}, {str(kind)[6:]}: {seen[first, kind]} of {DRAWS}")
category = outside(torch.distributions.Categorical(probs=weights(True, torch.float32)).sample((DRAWS,)), True)
print(f"Categorical, large first, float32: {category} of {DRAWS}")
right = [count for case, count in seen.items() if case != (True, torch.float32)]
assert seen[True, torch.float32] == category == 0
assert all(1_800 < count < 2_200 for count in right)
P
"$folder/venv/bin/python" "$folder/tail.py"

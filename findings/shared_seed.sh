#!/usr/bin/env bash
# numpy 2.4.6 and torch 2.13.0 (on a CPU): after `np.random.seed(s)` and `torch.manual_seed(s)` the two draw the same integers.
#
# Guess before running: libraries that are seeded alike draw unrelated numbers, so one seed for all is as good as several.
# Seen: `np.random.randint(0, 256, n)` and `torch.randint(0, 256, (n,))` are equal to the last of 100,000, and so are coins, for
# every seed tried: both are one Mersenne Twister, seeded by one rule, of which both take a word and its low bits. Uniform reals
# and normal numbers differ, since the words are turned into them in other ways.
# Output seen: "seed 0: 100000 of 100000 bytes equal, 100000 of 100000 coins equal", likewise for seeds 5 and 12345; with
# `np.random.default_rng(s)` for numpy: about 390 and 50,000.
# Who it hits: scripts that seed everything with one number: which rows a policy keeps (numpy) and what noise they get (torch)
# are one and the same draw. Use `default_rng`, or another seed for each library.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/seed.py" <<'P'
import numpy as np
import torch

COUNT = 100_000


def equal(draw, seed, top):
    numbers = draw(top)
    torch.manual_seed(seed)
    return int((numbers == torch.randint(0, top, (COUNT,)).numpy()).sum())


def legacy(seed):
    def draw(top):
        np.random.seed(seed)
        return np.random.randint(0, top, COUNT)

    return draw


for seed in (0, 5, 12345):
    same = [equal(legacy(seed), seed, top) for top in (256, 2)]
    other = [equal(lambda top: np.random.default_rng(seed).integers(0, top, COUNT), seed, top) for top in (256, 2)]
    print(f"seed {seed}: {same[0]} of {COUNT} bytes equal, {same[1]} of {COUNT} coins equal; default_rng: {other}")
    assert same == [COUNT, COUNT]
    assert 250 < other[0] < 550
    assert 49_000 < other[1] < 51_000
P
"$folder/venv/bin/python" "$folder/seed.py"

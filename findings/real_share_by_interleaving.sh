#!/usr/bin/env bash
# datasets 5.2.0: `interleave_datasets` with probabilities takes the first rows of each dataset in their order; the seed only says
# where they stand.
#
# Guess before running: a tenth by `probabilities=[0.1, 0.9]` is a random tenth, of other rows under another seed.
# Seen: of 1,000 real rows beside 1,000 synthetic ones, rows 0 to 99 or so are taken, under every seed; the other 900 never are.
# Output seen: "seed 0: 100 real rows, the first 100", "seed 1: 98 real rows, the first 98", "seed 2: 91 …"; "shuffled first,
# seeds 0 and 1: 11 rows in common".
# Who it hits: recursions that mix in a share of real data: every generation, and every seed, sees the same few real rows. That is
# a fixed set where fresh real data was meant, and what is proved of the two differs. Shuffle the real rows first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 numpy==2.4.6 2> /dev/null
cat > "$folder/share.py" <<'P'
from datasets import Dataset, interleave_datasets

ROWS = 1000
real, synthetic = (Dataset.from_dict({"row": list(range(ROWS)), "real": [kind] * ROWS}) for kind in (True, False))


def real_rows(seed, first=real):
    mixed = interleave_datasets([first, synthetic], probabilities=[0.1, 0.9], seed=seed)
    return [row["row"] for row in mixed if row["real"]]


for seed in range(3):
    rows = real_rows(seed)
    assert 70 < len(rows) < 150 and rows == list(range(len(rows)))
    print(f"seed {seed}: {len(rows)} real rows, the first {len(rows)}")
fresh = [set(real_rows(seed, real.shuffle(seed=seed))) for seed in range(2)]
print(f"shuffled first, seeds 0 and 1: {len(fresh[0] & fresh[1])} rows in common")
assert len(fresh[0] & fresh[1]) < 40
P
"$folder/venv/bin/python" "$folder/share.py"

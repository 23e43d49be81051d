#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: `WatermarkDetector` finds a watermark in texts that have none as soon as
# they repeat themselves.
#
# Guess before running: at a bound of 3 standard deviations about one text in a thousand is taken for marked, whatever it
# says.
# Seen: of texts of 100 random tokens none of 200, of those that repeat twenty tokens 11 %, five tokens 35 %, and of texts
# that are one token over and over 29 %, with p-values down to 1e-66. Each pair of tokens is counted as often as it comes,
# though its colour is drawn once, by the key; the standard deviation is that of independent draws. With
# `ignore_repeated_ngrams=True`, False by default, none is taken for marked; of a text of one token a single pair is left, in
# which nothing can be found.
# Output seen: "each pair as often as it comes: 100 tokens 0.000, 20 tokens 0.105, 5 tokens 0.350, 1 token 0.290 taken for
# marked", "each pair once: … 0.000 …".
# Who it hits: recursions that filter marked samples out, or count them: late generations repeat themselves, and so seem
# marked more and more often, with or without a watermark; real text that repeats itself, as lists and verses do, is thrown
# away.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/marks.py" <<'P'
import torch
from transformers import GPT2Config, WatermarkDetector, WatermarkingConfig, logging

logging.set_verbosity_error()
torch.set_num_threads(1)
MODEL = GPT2Config(vocab_size=1000, bos_token_id=0, eos_token_id=0)
PERIODS = (100, 20, 5, 1)


def marked(once):
    """For each period the share of 200 texts of 100 tokens that are taken for marked, and the least p-value."""
    detector = WatermarkDetector(MODEL, "cpu", WatermarkingConfig(), ignore_repeated_ngrams=once)
    torch.manual_seed(0)
    found = {}
    for period in PERIODS:
        texts = torch.randint(1, 1000, (200, period)).repeat(1, 100 // period)
        told = detector(texts, z_threshold=3.0, return_dict=True)
        found[period] = float(told.prediction.mean()), float(told.p_value.min())
    shares = ", ".join(f"{period} token{'s' * (period > 1)} {share:.3f}" for period, (share, _) in found.items())
    print(f"{'each pair once' if once else 'each pair as often as it comes'}: {shares} taken for marked")
    return found


found = marked(once=False)
assert found[100][0] < 0.02 and 0.05 < found[20][0] < 0.2 and found[5][0] > 0.3 and 0.15 < found[1][0] < 0.4
assert found[1][1] < 1e-50
assert all(share < 0.02 for share, _ in marked(once=True).values())
P
"$folder/venv/bin/python" "$folder/marks.py" 2> "$folder/errors" | grep "taken for marked"

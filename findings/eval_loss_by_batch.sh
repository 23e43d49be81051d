#!/usr/bin/env bash
# transformers 5.23.0: `eval_loss` of the Trainer depends on the batch it is computed by, and on the order of rows.
#
# Guess before running: the mean over all tokens, as a training step's loss is since tokens are counted over accumulated
# batches; `per_device_eval_batch_size` is a matter of memory.
# Seen: it is a mean over batches, weighted by their rows, of means over tokens: one row at a time gives every text the same
# weight, all at once every token: 5.02 and 5.74 on eight texts of 4 tokens and eight of 64. Four at a time it is 5.74 where
# lengths are mixed and 5.02 where rows are sorted by them.
# Output seen: "mixed rows, by 1, 4, 16: 5.017, 5.744, 5.744", "sorted by length, by 1, 4, 16: 5.017, 5.017, 5.744", "mean over
# texts 5.017, over tokens 5.744".
# Who it hits: perplexities of texts whose lengths differ, which are compared across machines with other batches, or with a
# loss by tokens. Sum the tokens' losses, or evaluate by one row and say so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/batches.py" <<'P'
import sys

import torch
from torch.nn.functional import pad
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, logging

logging.set_verbosity_error()

torch.set_num_threads(1)
torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=50,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    tie_word_embeddings=True,
    initializer_range=0.5,
)
model = LlamaForCausalLM(config)
SHORT, LONG = [torch.full((4,), token) for token in range(8)], [torch.randint(0, 50, (64,)) for _ in range(8)]
MIXED = [row for pair in zip(SHORT, LONG, strict=True) for row in pair]


def batch(rows):
    def padded(value, row):
        return pad(row, (0, max(map(len, rows)) - len(row)), value=value)

    ids, labels = (torch.stack([padded(value, row) for row in rows]) for value in (0, -100))
    return {"input_ids": ids, "labels": labels, "attention_mask": (labels != -100).long()}


def evaluated(rows, size):
    settings = TrainingArguments(
        sys.argv[1], per_device_eval_batch_size=size, use_cpu=True, report_to="none", disable_tqdm=True
    )
    return Trainer(model, settings, data_collator=batch).evaluate(rows)["eval_loss"]


with torch.no_grad():
    each = [float(model.eval()(**batch([row])).loss) for row in MIXED]
tokens = [len(row) - 1 for row in MIXED]
by_text = sum(each) / len(each)
by_token = sum(loss * count for loss, count in zip(each, tokens, strict=True)) / sum(tokens)
mixed, in_order = ([evaluated(rows, size) for size in (1, 4, 16)] for rows in (MIXED, SHORT + LONG))
for name, losses in (("mixed rows", mixed), ("sorted by length", in_order)):
    print(f"{name}, by 1, 4, 16:", ", ".join(f"{loss:.3f}" for loss in losses))
print(f"mean over texts {by_text:.3f}, over tokens {by_token:.3f}")
assert by_token - by_text > 0.5
assert max(abs(mixed[0] - by_text), abs(in_order[0] - by_text), abs(in_order[1] - by_text)) < 1e-3
assert max(abs(mixed[2] - by_token), abs(in_order[2] - by_token)) < 1e-3
assert mixed[1] - in_order[1] > 0.5
P
"$folder/venv/bin/python" "$folder/batches.py" "$folder/out" 2> "$folder/errors" | grep -v "'eval_"

#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: most samples under SynthID's watermark begin with the same two tokens, whatever
# the prompt.
#
# Guess before running: the watermark is made not to distort: over many samples the first token has the model's own distribution,
# as long as prompts differ at least.
# Seen: a model that draws 99 tokens evenly begins 64 % of 2,000 texts with two of them, under another key with two others; 926 of
# the texts, six tokens long, are different at all, where without a watermark 2,000 are. What a token gets depends on the key and
# on the four tokens drawn before it; at the beginning these are four zeros for every text, and the prompt is not among them. A
# context that comes again is left alone within a text, not from one text to the next. With `skip_first_ngram_calls=True`, False
# by default, all is as without a watermark.
# Output seen: "no watermark: two commonest first tokens 0.03, 2000 different texts", "watermark: … 0.64, 926 …", "another key: …
# 0.73, 1044 …", "first calls skipped: … 0.03, 2000 …".
# Who it hits: recursions on watermarked samples, which are marked so that a filter can tell them from real text: the beginnings
# of generation 1 have collapsed before any model was fitted to samples. Skip the first calls.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/beginnings.py" <<'P'
import torch
from transformers import GPT2Config, GPT2LMHeadModel, SynthIDTextWatermarkingConfig, logging

TOKENS, TEXTS, END = 100, 2_000, 0
logging.set_verbosity_error()
torch.set_num_threads(1)
torch.manual_seed(0)
config = GPT2Config(vocab_size=TOKENS, n_embd=32, n_layer=1, n_head=2, n_positions=16, bos_token_id=END, eos_token_id=END)
model = GPT2LMHeadModel(config).eval()
prompts = torch.randint(1, TOKENS, (TEXTS, 10))


def begins(name, **settings):
    """How many texts begin with one of two tokens, and which these are."""
    torch.manual_seed(1)
    whole = model.generate(
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        suppress_tokens=[END],
        max_new_tokens=6,
        pad_token_id=END,
        **settings,
    )
    texts = whole[:, prompts.shape[1] :]
    counts, tokens = torch.bincount(texts[:, 0], minlength=TOKENS).topk(2)
    share, different = float(counts.sum()) / TEXTS, len(texts.unique(dim=0))
    print(f"{name}: two commonest first tokens {share:.2f}, {different} different texts")
    return share, different, set(tokens.tolist())


def mark(keys, **settings):
    return {"watermarking_config": SynthIDTextWatermarkingConfig(keys=list(keys), ngram_len=5, **settings)}


share, different, _ = begins("no watermark")
assert share < 0.06 and different > 0.99 * TEXTS
share, different, first = begins("watermark", **mark(range(1, 31)))
assert share > 0.5 and different < 0.7 * TEXTS
share, different, second = begins("another key", **mark(range(31, 61)))
assert share > 0.3 and different < 0.8 * TEXTS and first != second
share, different, _ = begins("first calls skipped", **mark(range(1, 31), skip_first_ngram_calls=True))
assert share < 0.06 and different > 0.99 * TEXTS
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/beginnings.py"

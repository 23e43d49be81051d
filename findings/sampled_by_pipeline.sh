#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: `pipeline("text-generation")` samples at temperature 0.7 unless one says 1.
#
# Guess before running: `do_sample=True` draws from the model's own distribution, as `model.generate(do_sample=True)` does for a
# model whose generation config says nothing; the pipeline adds tokenizing and batches.
# Seen: of a model whose next word has an entropy of 2.24 nats, first words drawn by `generate` have 2.24 and by the pipeline
# 1.54, whether `do_sample=True` is passed or not; at temperature 0.7 it is 1.56. The pipeline has a config of its own, with
# sampling, 0.7 and 256 new tokens, which its class's docstring names. `temperature=1.0` gives 2.24, in the call or in the
# model's own generation config, although that is what `generate` takes where nothing is said. No warning.
# Output seen: "next word: 2.24 nats, at temperature 0.7 1.56", "generate: 2.24", "pipeline: 1.54", "pipeline, do_sample=True:
# 1.54", "pipeline, temperature=1.0: 2.24", "pipeline, 1.0 stated by the model: 2.24".
# Who it hits: recursions that sample by the pipeline: each generation sharpens the last one's distribution, the fastest known
# way to collapse, and the same study with `generate` collapses at another speed. State the temperature.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/entropies.py" <<'P'
import warnings

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, logging, pipeline

warnings.simplefilter("ignore", FutureWarning)
logging.set_verbosity_error()
torch.set_num_threads(1)
WORDS, DRAWS, PAD, END, PROMPT = 50, 2_000, 1, 2, 5
words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token=f"w{PAD}", eos_token=f"w{END}")
torch.manual_seed(0)
config = GPT2Config(vocab_size=WORDS, n_embd=32, n_layer=1, n_head=2, n_positions=64, initializer_range=0.5)
config.bos_token_id = config.eos_token_id = END
model = GPT2LMHeadModel(config).eval()


def entropy(tokens):
    chances = np.bincount(tokens, minlength=WORDS) / len(tokens)
    return float(-(chances[chances > 0] * np.log(chances[chances > 0])).sum())


def told(name, nats):
    print(f"{name}: {nats:.2f}")
    return nats


def piped(name, **settings):
    """The entropy of first words that the pipeline draws."""
    torch.manual_seed(1)
    draw = pipeline("text-generation", model=model, tokenizer=tokenizer)
    texts = draw([f"w{PROMPT}"] * DRAWS, max_new_tokens=1, batch_size=500, return_tensors=True, **settings)
    return told(name, entropy([text[0]["generated_token_ids"][1] for text in texts]))


with torch.no_grad():
    logits = model(torch.tensor([[PROMPT]])).logits[0, -1].double()
true, sharp = (float(torch.distributions.Categorical(logits=logits / t).entropy()) for t in (1, 0.7))
print(f"next word: {true:.2f} nats, at temperature 0.7 {sharp:.2f}")
assert true - sharp > 0.5
prompts = torch.full((DRAWS, 1), PROMPT)
torch.manual_seed(1)
whole = model.generate(
    prompts, attention_mask=torch.ones_like(prompts), do_sample=True, max_new_tokens=1, pad_token_id=PAD
)
assert abs(told("generate", entropy(whole[:, 1].numpy())) - true) < 0.1
assert abs(piped("pipeline") - sharp) < 0.1
assert abs(piped("pipeline, do_sample=True", do_sample=True) - sharp) < 0.1
assert abs(piped("pipeline, temperature=1.0", temperature=1.0) - true) < 0.1
model.generation_config = GenerationConfig(do_sample=True, temperature=1.0, eos_token_id=END, pad_token_id=PAD)
assert abs(piped("pipeline, 1.0 stated by the model") - true) < 0.1
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/entropies.py" 2> /dev/null

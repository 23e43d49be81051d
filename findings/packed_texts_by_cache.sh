#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: the loss of texts that `DataCollatorWithFlattening` packs into one row
# depends on `use_cache`: with it, the default, texts read each other.
#
# Guess before running: `use_cache` says whether keys and values are returned for later, and changes no logit; the texts of a
# packed row, whose positions begin anew, are apart, or are not, whatever it is.
# Seen: with `use_cache=False` logits of four packed texts are those of each text alone, to 5e-6, in GPT-2, Llama and
# GPT-NeoX, by eager attention and by torch's own. With the default they are off by 5 to 7, and the loss of untrained models
# by 0.2 to 0.7 nats. Positions that begin anew are taken for packed texts where no cache is made and no mask is handed in;
# with a mask of ones they are not, without the cache either. The Trainer turns the cache off, `model(**batch)` does not. The
# collator says that the attention must be able to handle what it packs. No warning.
# Output seen: "gpt2, eager: logits off by 5.6, without the cache 0.0, so with a mask 5.6; loss 4.62 and 5.35", "llama, eager:
# … 7.4, … 0.0, … 7.4; loss 5.22 and 5.38", "gpt_neox, eager: … 4.7, … 0.0, … 4.7; loss 5.29 and 5.64", likewise by sdpa.
# Who it hits: training loops and held-out losses outside the Trainer: a text's loss depends on its neighbours, which repeat
# it where generations have collapsed, so that it falls, and it is another loss than the Trainer's. Pass `use_cache=False`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/packed.py" <<'P'
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DataCollatorWithFlattening, logging

logging.set_verbosity_error()
torch.set_num_threads(1)
SIZES = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.3}
MORE = {"gpt2": {}, "llama": {"intermediate_size": 64}, "gpt_neox": {"intermediate_size": 64}}
torch.manual_seed(0)
TEXTS = [torch.randint(1, 50, (length,)).tolist() for length in (5, 9, 3, 7)]
BATCH = DataCollatorWithFlattening()([{"input_ids": text} for text in TEXTS])


@torch.no_grad()
def off(name, attention):
    """How far packed logits are from those of each text alone: by default, without the cache, and so with a mask of ones."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, **SIZES, **MORE[name], attn_implementation=attention)
    model = AutoModelForCausalLM.from_config(config).eval()
    alone = torch.cat([model(input_ids=torch.tensor([text])).logits[0] for text in TEXTS])
    ways = {}, {"use_cache": False}, {"use_cache": False, "attention_mask": torch.ones_like(BATCH["input_ids"])}
    found = [model(**BATCH, **words) for words in ways]
    default, apart, masked = (float((one.logits[0] - alone).abs().max()) for one in found)
    print(
        f"{name}, {attention}: logits off by {default:.1f}, without the cache {apart:.1f}, so with a mask {masked:.1f}; "
        f"loss {found[0].loss:.2f} and {found[1].loss:.2f}"
    )
    return default, apart, masked


for name in MORE:
    for attention in ("eager", "sdpa"):
        default, apart, masked = off(name, attention)
        assert default > 1 and apart < 1e-4 and masked > 1
P
"$folder/venv/bin/python" "$folder/packed.py" 2> "$folder/errors" | grep "logits off by"

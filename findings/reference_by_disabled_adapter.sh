#!/usr/bin/env bash
# peft 0.21.2 with torch 2.13.0 on a CPU: with the adapter disabled or unloaded, a model under PiSSA or OLoRA is not the one
# that the adapter was put on.
#
# Guess before running: `disable_adapter()` and `unload()` give the base model back to the last digit, as with LoRA's own
# initialisation; an adapter is something beside the weights.
# Seen: a fresh adapter by `init_lora_weights="pissa"` or "olora" changes nothing, as it should, but without it the logits are
# off by a fifth to a quarter of their deviation. The adapter begins as the largest part of each weight, which is taken off
# the weight itself; what is left when it is disabled, unloaded or deleted is the rest. `True`, "gaussian" and "orthogonal"
# leave the base alone. No warning.
# Output seen: "True: off by 0.000 with the adapter, 0.000 disabled, 0.000 unloaded", "pissa: off by 0.000 with the adapter,
# 0.205 disabled, 0.205 unloaded", "olora: … 0.247 …".
# Who it hits: fine-tuning held to a reference by its divergence, for which the reference is the model with its adapter
# disabled, as TRL has it; and populations that unload one adapter and go on with the next: each generation takes a part off
# the base, and what dies is not the data's tail. Keep a copy of the base.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    peft==0.21.2 transformers==5.23.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/reference.py" <<'P'
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, logging

warnings.simplefilter("error")
warnings.simplefilter("ignore", FutureWarning)
logging.set_verbosity_error()
torch.set_num_threads(1)
SIZES = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
IDS = torch.arange(1, 9)[None]


@torch.no_grad()
def off(kind):
    """How far logits are from the base model's: with a fresh adapter, with it disabled, and after it is unloaded."""
    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(**SIZES)).eval()
    before = base(IDS).logits
    config = LoraConfig(r=4, lora_alpha=8, init_lora_weights=kind, target_modules=["q_proj", "v_proj", "down_proj"])
    model = get_peft_model(base, config).eval()
    seen = [model(IDS).logits]
    with model.disable_adapter():
        seen.append(model(IDS).logits)
    seen.append(model.unload()(IDS).logits)
    fresh, disabled, unloaded = (float((logits - before).std() / before.std()) for logits in seen)
    print(f"{kind}: off by {fresh:.3f} with the adapter, {disabled:.3f} disabled, {unloaded:.3f} unloaded")
    return fresh, disabled, unloaded


for kind in (True, "gaussian", "orthogonal"):
    assert max(off(kind)) < 1e-5
for kind in ("pissa", "olora"):
    fresh, disabled, unloaded = off(kind)
    assert fresh < 1e-5 and disabled == unloaded > 0.1
P
"$folder/venv/bin/python" "$folder/reference.py" 2> "$folder/errors" | grep ": off by"

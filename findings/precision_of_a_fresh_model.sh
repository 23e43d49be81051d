#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: a fresh model by `AutoModelForCausalLM.from_config` has the precision of the
# file that the config was read from; by the model's own class it has single precision.
#
# Guess before running: `from_config(config)` and `LlamaForCausalLM(config)` make the same fresh model, in single precision;
# bfloat16 is how the last generation's weights were stored.
# Seen: of a model stored in bfloat16 the config has `dtype` bfloat16, and `from_config` makes bfloat16 weights, the class float32
# ones. In 200 steps at the Trainer's own rate, 5e-5, 46 % of the former do not move at all and the loss falls by 0.006; of the
# latter all move and it falls by 0.024: a step is less than half of a last place. `from_pretrained` gives bfloat16 as well, as
# version 5 says. No warning.
# Output seen: "LlamaForCausalLM: torch.float32, unmoved 0.00, loss falls by 0.024", "from_config: torch.bfloat16, unmoved 0.46,
# loss falls by 0.006", "from_config with dtype: torch.float32, unmoved 0.00, …".
# Who it hits: recursions that store generations in half the space and begin each from a fresh model of the last one's config:
# from generation 1 on models learn less, which reads as the data's fault. Pass `dtype=torch.float32`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/fresh.py" <<'P'
import tempfile
import warnings

import torch
from datasets import Dataset
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainingArguments,
    logging,
)

warnings.simplefilter("ignore", FutureWarning)
logging.set_verbosity_error()
torch.set_num_threads(1)
SIZES = {"vocab_size": 50, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
SIZES["intermediate_size"] = 128
torch.manual_seed(0)
rows = torch.randint(0, SIZES["vocab_size"], (256, 16)).tolist()
texts = Dataset.from_dict({"input_ids": rows, "labels": rows})
with tempfile.TemporaryDirectory() as folder:
    LlamaForCausalLM(LlamaConfig(**SIZES)).to(torch.bfloat16).save_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)


def trained(name, make):
    """The precision of a fresh model, the share of its weights that training leaves alone, and the fall in loss."""
    torch.manual_seed(0)
    model = make()
    before = [weights.detach().clone() for weights in model.parameters()]
    settings = {"max_steps": 200, "use_cpu": True, "disable_tqdm": True, "report_to": [], "logging_strategy": "no"}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, save_strategy="no", **settings)
        trainer = Trainer(model, arguments, train_dataset=texts, eval_dataset=texts)
        first = trainer.evaluate()["eval_loss"]
        trainer.train()
        fall = first - trainer.evaluate()["eval_loss"]
    still = sum(int((now == then).sum()) for now, then in zip(model.parameters(), before, strict=True))
    unmoved = still / sum(weights.numel() for weights in before)
    print(f"{name}: {model.dtype}, unmoved {unmoved:.2f}, loss falls by {fall:.3f}")
    return model.dtype, unmoved, fall


kind, unmoved, plain = trained("LlamaForCausalLM", lambda: LlamaForCausalLM(config))
assert kind == torch.float32 and unmoved < 0.01
kind, unmoved, fall = trained("from_config", lambda: AutoModelForCausalLM.from_config(config))
assert kind == torch.bfloat16 and unmoved > 0.3 and fall < plain / 2

kind, unmoved, fall = trained(
    "from_config with dtype", lambda: AutoModelForCausalLM.from_config(config, dtype=torch.float32)
)
assert kind == torch.float32 and unmoved < 0.01 and abs(fall - plain) < 0.005
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/fresh.py" 2> /dev/null | grep unmoved

#!/usr/bin/env bash
# transformers 5.23.0 with torch 2.13.0 on a CPU: with `label_smoothing_factor` the Trainer's `eval_loss` is the smoothed loss,
# not the model's.
#
# Guess before running: smoothing is for training; `eval_loss` is what the model itself returns as its loss, and its exponential
# the perplexity.
# Seen: of a text that was learned by heart, `eval_loss` is 0.70 with a factor of 0.1 and 2.60 with 0.5, while the model's own
# loss is 0.10 and 0.67; without smoothing both are 0.01. A share of the evaluated loss as large as the factor is the mean of
# -log p over all words of the vocabulary. `compute_loss` serves training and evaluation, with the smoother in both. No warning.
# Output seen: "factor 0.0: eval_loss 0.011, the model's own 0.011", "factor 0.1: eval_loss 0.703, … 0.103", "factor 0.5:
# eval_loss 2.600, … 0.669".
# Who it hits: perplexities of sharper and sharper generations: words that a model rules out count, the more the surer it is, so
# that the loss is smallest where the model is still unsure; and runs that smooth can't be compared with those that don't. Take
# the loss from the model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/losses.py" <<'P'
import tempfile
import warnings

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments, logging

warnings.simplefilter("ignore", FutureWarning)
logging.set_verbosity_error()
torch.set_num_threads(1)
SIZES = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
torch.manual_seed(0)
text = torch.randint(0, SIZES["vocab_size"], (12,)).tolist()
texts = Dataset.from_dict({"input_ids": [text] * 4, "labels": [text] * 4})


def losses(factor):
    """The loss that the Trainer evaluates, the model's own and the one smoothed by the factor, after 60 steps."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    settings = {"max_steps": 60, "learning_rate": 1e-2, "use_cpu": True, "disable_tqdm": True, "report_to": []}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, label_smoothing_factor=factor, save_strategy="no", **settings)
        trainer = Trainer(model, arguments, train_dataset=texts, eval_dataset=texts)
        trainer.train()
        evaluated = trainer.evaluate()["eval_loss"]
    row = torch.tensor([text])
    with torch.no_grad():
        said = model.eval()(row, labels=row)
    own = float(said.loss)
    anywhere = -float(said.logits[0, :-1].log_softmax(-1).mean())
    print(f"factor {factor}: eval_loss {evaluated:.3f}, the model's own {own:.3f}")
    return evaluated, own, (1 - factor) * own + factor * anywhere


for factor in (0.0, 0.1, 0.5):
    evaluated, own, smoothed = losses(factor)
    assert abs(evaluated - smoothed) < 1e-3
    assert abs(evaluated - own) < 1e-4 if factor == 0 else evaluated > 2 * own
P
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/losses.py" 2> /dev/null | grep ^factor

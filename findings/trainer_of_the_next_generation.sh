#!/usr/bin/env bash
# transformers 5.23.0: a Trainer that is handed another model goes on training the first one, and evaluates the other.
#
# Guess before running: after `trainer.model = fresh`, `train()` trains the fresh model with a fresh optimiser, or refuses.
# Seen: the second `train()` moves the first model's weights and none of the fresh one's; its loss is that of a model that has
# been trained already, 0.22 where a fresh one begins at 3.0, and `evaluate()` gives the fresh model's loss, untrained. With
# the same model, steps, epochs and the learning rate begin anew, Adam's averages and its count of updates do not.
# `trainer.model_wrapped` and the optimiser are kept from the first call; with `trainer.model_wrapped = fresh` and
# `trainer.optimizer = None` beside it all is well. No warning.
# Output seen: "another model: trained at a loss of 0.22, evaluated at 2.65; moved: the first True, the other False", "the
# same model: step 0, rate 0.01, Adam at update 30", "another model, wrapped and optimised anew: … moved: the first False, the
# other True".
# Who it hits: loops that make one Trainer and put a new model, or the next generation's data, into it: all generations are
# one model trained for longer, judged by another that never learns; or each begins with the last one's momentum. Make a
# Trainer each time.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    transformers==5.23.0 accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/again.py" <<'P'
import copy
import sys
import warnings

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, logging

warnings.simplefilter("ignore")
logging.set_verbosity_error()
torch.set_num_threads(1)
CONFIG = GPT2Config(vocab_size=20, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
ROWS = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 8


class Beginning(TrainerCallback):
    """What a call of `train` begins with: step, learning rate, and Adam's count of updates."""

    def on_step_begin(self, args, state, control, optimizer, lr_scheduler, **more):
        if state.global_step == 0:
            counts = [float(moments["step"]) for moments in optimizer.state.values()]
            self.seen = state.global_step, lr_scheduler.get_last_lr()[0], int(max(counts, default=0))


def trained():
    torch.manual_seed(0)
    settings = TrainingArguments(
        sys.argv[1],
        learning_rate=0.01,
        max_steps=30,
        save_strategy="no",
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    beginning = Beginning()
    trainer = Trainer(GPT2LMHeadModel(CONFIG), settings, train_dataset=ROWS, eval_dataset=ROWS, callbacks=[beginning])
    trainer.train()
    return trainer, beginning


def moved(model, before):
    return any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())


def with_another(name, anew):
    trainer, _ = trained()
    models = trainer.model, GPT2LMHeadModel(CONFIG)
    before = [copy.deepcopy(model.state_dict()) for model in models]
    trainer.model = models[1]
    if anew:
        trainer.model_wrapped, trainer.optimizer = models[1], None
    loss = trainer.train().training_loss
    evaluated = trainer.evaluate()["eval_loss"]
    first, other = (moved(*pair) for pair in zip(models, before))
    print(f"{name}: trained at a loss of {loss:.2f}, evaluated at {evaluated:.2f}; moved: the first {first}, the other {other}")
    return loss, evaluated, first, other


loss, evaluated, first, other = with_another("another model", anew=False)
assert first and not other and loss < 0.5 and evaluated > 2
trainer, beginning = trained()
assert beginning.seen == (0, 0.01, 0)
trainer.train()
step, rate, updates = beginning.seen
print(f"the same model: step {step}, rate {rate}, Adam at update {updates}")
assert (step, rate, updates) == (0, 0.01, 30)
loss, evaluated, first, other = with_another("another model, wrapped and optimised anew", anew=True)
assert other and not first and loss > 0.5
P
"$folder/venv/bin/python" "$folder/again.py" "$folder/out" 2> "$folder/errors" | grep "^another model\|^the same"

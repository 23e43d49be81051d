#!/usr/bin/env bash
# lightning 2.6.6 with torch 2.13.0 on a CPU: a `Trainer` that has fitted one model fits no other, and callbacks that a second
# Trainer shares go on with the first one's best.
#
# Guess before running: `trainer.fit(fresh)` trains the fresh model for `max_epochs`; `EarlyStopping` and `ModelCheckpoint` begin
# anew with each fit, or at least with each Trainer.
# Seen: of three fits of fresh models by one Trainer the first takes 30 steps, the others none, by `max_epochs` and by
# `max_steps`: the epochs of all fits are counted together. There is a line that `max_epochs` was reached, the same as at the
# end of any fit. In new Trainers that share callbacks, `best_model_path` is generation 0's file for ever, where later losses
# are higher, and the third fit stops after one epoch: patience and the best loss are kept.
# Output seen: "one Trainer: steps [30, 0, 0]", "shared callbacks: epochs [20, 2, 1], best of generations [0, 0, 0]", "callbacks
# made anew: epochs [20, 20, 20], best of generations [0, 1, 2]".
# Who it hits: loops over generations: all but the first are untrained, which reads as sudden collapse, or are sampled from
# generation 0's checkpoint, which reads as none at all. Make Trainer and callbacks in the loop.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check \
    lightning==2.6.6 torch==2.13.0 numpy==2.4.6 2> /dev/null
cat > "$folder/fits.py" <<'P'
import logging
import tempfile
import warnings

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(1)
QUIET = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(10, 1)))


class Model(lightning.LightningModule):
    """A line whose loss ends at the number of its generation."""

    def __init__(self, generation):
        super().__init__()
        self.line, self.generation, self.steps = torch.nn.Linear(1, 1), generation, 0

    def loss(self, batch):
        return (self.line(batch[0]) - 3).pow(2).mean() + self.generation

    def training_step(self, batch, index):
        self.steps += 1
        return self.loss(batch)

    def validation_step(self, batch, index):
        self.log("loss", self.loss(batch))

    def on_save_checkpoint(self, checkpoint):
        checkpoint["generation"] = self.generation

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def generations(shared):
    """Epochs of three generations with early stopping, and whose checkpoint is said to be the best after each."""
    epochs, best = [], []
    with tempfile.TemporaryDirectory() as folder:
        for generation in range(3):
            if generation == 0 or not shared:
                name = f"{generation}-{{epoch}}"
                kept = [EarlyStopping("loss", patience=2), ModelCheckpoint(folder, name, monitor="loss")]
            torch.manual_seed(generation)
            trainer = lightning.Trainer(max_epochs=20, callbacks=kept, **QUIET)
            trainer.fit(Model(generation), rows, rows)
            epochs.append(trainer.current_epoch)
            best.append(torch.load(kept[1].best_model_path, weights_only=False)["generation"])
    print(f"{'shared callbacks' if shared else 'callbacks made anew'}: epochs {epochs}, best of generations {best}")
    return epochs, best


for limit in ({"max_epochs": 3}, {"max_steps": 30}):
    trainer = lightning.Trainer(enable_checkpointing=False, **limit, **QUIET)
    models = [Model(0) for _ in range(3)]
    for model in models:
        trainer.fit(model, rows)
    steps = [model.steps for model in models]
    print(f"one Trainer: steps {steps}")
    assert steps == [30, 0, 0]
epochs, best = generations(shared=True)
assert epochs[0] == 20 and epochs[2] == 1 and best == [0, 0, 0]
epochs, best = generations(shared=False)
assert epochs == [20, 20, 20] and best == [0, 1, 2]
P
"$folder/venv/bin/python" "$folder/fits.py" 2> /dev/null

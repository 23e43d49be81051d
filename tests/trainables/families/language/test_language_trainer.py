"""The fit does the work of transformers' `Trainer`: same start, same order, same learning rates, same model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.checkpoints import make
from trainables.families.batches import shuffled
from trainables.families.language import model as architecture
from trainables.families.language.checkpoint import pretrained
from trainables.families.language.config import BOS, LanguageConfig
from trainables.families.language.evaluate import cross_entropy
from trainables.families.language.fit import fit, rate, train
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream

ROWS, LENGTH = 40, 12


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_fit_ends_where_trainer_ends(name: str, tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="Trainer needs accelerate")
    config = LanguageConfig(
        architecture=name,
        width=16,
        layers=2,
        heads=2,
        context=LENGTH,
        vocabulary=300,
        batch=8,
        epochs=3,
        precision="float32",
        overrides={"max_position_embeddings": LENGTH + 1},
    )
    tokens = np.random.default_rng(0).zipf(1.5, size=2 * ROWS * LENGTH) % 300
    train, test = (Rows.fixed(half.astype(np.uint16), LENGTH) for half in np.split(tokens, 2))
    stream = Stream("fit")
    found = cross_entropy(config, fit(config, RowsView((train,)), stream), test)
    model = architecture.create(config, stream.integer("init"))
    start = cross_entropy(config, model, test)
    order = shuffled(ROWS, config.batch, stream.numpy("order"))
    taken = np.concatenate([next(order) for _ in range(config.updates(ROWS))])
    train_by_trainer(config, model, train.tokens.reshape(-1, LENGTH)[taken], tmp_path)
    expected = cross_entropy(config, model.eval(), test)
    assert found == pytest.approx(expected, abs=1e-3)
    assert start - found > 0.5


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_adapters_end_where_peft_and_trainer_end(name: str, tmp_path: Path) -> None:
    """From the same adapters, with the same rows and learning rates."""
    pytest.importorskip("accelerate", reason="Trainer needs accelerate")
    peft = pytest.importorskip("peft", reason="the extra `lora`")
    from transformers import AutoModelForCausalLM

    from trainables.families.language.adapters import adapted, adapter_weights, merged

    still = {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0} if name == "gpt2" else {}
    given, lora = {"path": str(make(tmp_path / "checkpoint", name))}, {"rank": 4, "alpha": 8}
    config = LanguageConfig.model_validate(
        {"start": "checkpoint", "checkpoint": given, "lora": lora, "context": LENGTH, "batch": 8, "epochs": 6}
        | {"precision": "float32", "learning_rate": 1e-2, "overrides": still}
    )
    tokens = np.random.default_rng(0).zipf(1.5, size=2 * ROWS * LENGTH) % 300
    train_rows, test = (Rows.fixed(half.astype(np.uint16), LENGTH) for half in np.split(tokens, 2))
    base, stream = pretrained(config), Stream("fit")
    begun = adapted(config, base, None, stream.integer("init"))
    first = {name: value.copy() for name, value in adapter_weights(begun).items()}
    tuned = adapter_weights(train(config, begun, RowsView((train_rows,)), stream))
    found = cross_entropy(config, merged(config, base, tuned), test)

    settings = peft.LoraConfig(
        r=4, lora_alpha=8, target_modules="all-linear", fan_in_fan_out=name == "gpt2", task_type="CAUSAL_LM"
    )
    whole = AutoModelForCausalLM.from_pretrained(given["path"], **still)
    start = cross_entropy(config, whole.eval(), test)
    theirs = peft.get_peft_model(whole, settings)
    peft.set_peft_model_state_dict(theirs, {f"base_model.model.{n}": torch.from_numpy(v) for n, v in first.items()})
    order = shuffled(ROWS, config.batch, stream.numpy("order"))
    taken = np.concatenate([next(order) for _ in range(config.updates(ROWS))])
    train_by_trainer(config, theirs, train_rows.tokens.reshape(-1, LENGTH)[taken], tmp_path)
    expected = cross_entropy(config, theirs.merge_and_unload().eval(), test)
    assert found == pytest.approx(expected, abs=1e-3)
    assert start - found > 0.05


def train_by_trainer(config: LanguageConfig, model: Any, tokens: np.ndarray, folder: Path) -> None:
    """One pass over rows in the order given, at the product's learning rates."""
    from torch.optim.lr_scheduler import LambdaLR
    from torch.utils.data import SequentialSampler
    from transformers import Trainer, TrainingArguments

    updates = len(tokens) // config.batch
    rows = [torch.tensor([BOS, *row]) for row in tokens.astype(np.int64)]

    class InOrder(Trainer):
        def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rate(config, step, updates))
            return self.lr_scheduler

        def _get_train_sampler(self, *_: Any) -> SequentialSampler:
            return SequentialSampler(rows)

    settings = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=config.batch,
        max_steps=updates,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        adam_beta2=0.95,
        max_grad_norm=config.clip,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    InOrder(model, settings, train_dataset=[{"input_ids": row, "labels": row} for row in rows]).train()


def test_a_fit_from_a_checkpoint_ends_where_trainer_ends(tmp_path: Path) -> None:
    pytest.importorskip("accelerate", reason="Trainer needs accelerate")
    from transformers import AutoModelForCausalLM

    given = {"path": str(make(tmp_path / "checkpoint"))}
    config = LanguageConfig.model_validate(
        {"start": "checkpoint", "checkpoint": given, "context": LENGTH, "batch": 8, "epochs": 3, "precision": "float32"}
        | {"overrides": {"attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0}}
    )
    tokens = np.random.default_rng(0).zipf(1.5, size=2 * ROWS * LENGTH) % 300
    train, test = (Rows.fixed(half.astype(np.uint16), LENGTH) for half in np.split(tokens, 2))
    stream = Stream("fit")
    tuned = fit(config, RowsView((train,)), stream, pretrained(config))
    model = AutoModelForCausalLM.from_pretrained(given["path"], attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
    start = cross_entropy(config, model.eval(), test)
    order = shuffled(ROWS, config.batch, stream.numpy("order"))
    taken = np.concatenate([next(order) for _ in range(config.updates(ROWS))])
    train_by_trainer(config, model, train.tokens.reshape(-1, LENGTH)[taken], tmp_path)
    found, expected = cross_entropy(config, tuned, test), cross_entropy(config, model.eval(), test)
    assert found == pytest.approx(expected, abs=1e-3)
    assert start - found > 0.3

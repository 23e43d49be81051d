"""A fit on a device: who may take this way, and the stretches of updates that it is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.families.language.fit import rate, require_finite
from trainables.families.language.gpu.packing import Documents, Plan, documents, plan
from trainables.families.language.gpu.update import STRETCH, Update
from trainables.families.language.sampling import has_lean_decoder
from trainables.runtime import forget

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig
    from trainables.families.language.token_rows import RowsView

HELD = 0.25
"""Share of a device's free memory that a corpus may take; a larger one stays on the host and is padded there."""

_kept: dict[str, Update] = {}
"""The last make that was fitted in this process, compiled and recorded."""


def can_pack(config: LanguageConfig, model: PreTrainedModel, rows: RowsView) -> bool:
    """Whether a fit takes this way: on CUDA, models whose places and masks can be given, and that drop nothing."""
    device = next(model.parameters()).device
    return device.type == "cuda" and packable(model) and _bytes(rows) < HELD * torch.cuda.mem_get_info(device)[0]


def packable(model: PreTrainedModel) -> bool:
    """Whether documents can share a line: full attention with places that are given, a plain head, no dropout,
    no adapters."""
    words = model.config.to_dict().items()
    drops = any(value for name, value in words if name.endswith(("dropout", "_pdrop")) and isinstance(value, float))
    adapted = hasattr(model, "peft_config")  # an update copies weights into a model that has no such layers
    return has_lean_decoder(model) and not (drops or adapted)


def fit_packed(config: LanguageConfig, model: PreTrainedModel, rows: RowsView, batches: Iterator[np.ndarray]) -> None:
    """Fit a model in place, on the device where it lies.

    Args:
        config: decides the updates.
        model: packable; its weights are where the fit starts.
        rows: the corpus.
        batches: row numbers of one update after another.

    Raises:
        Diverged: the loss is not finite.
    """
    held, updates = documents(rows, config.loss), config.updates(rows.rows)
    work = _update(config, model)
    work.begin(model, held)
    done, ahead = 0, _stretch(config, held, batches, 0, updates)
    while done < updates:
        (planned, rates), started = ahead, time.perf_counter()
        work.plan(planned, rates)
        work.run(len(rates))
        done += len(rates)
        if done < updates:
            ahead = _stretch(config, held, batches, done, updates)  # while the device works
        require_finite(work.loss, done)
        if done > STRETCH:  # the first one also warms up and records
            work.compile_if_it_repays((time.perf_counter() - started) / len(rates), updates - done)
    work.end(model)


def _stretch(
    config: LanguageConfig, held: Documents, batches: Iterator[np.ndarray], done: int, updates: int
) -> tuple[Plan, np.ndarray]:
    """The next updates, and their learning rates."""
    steps = range(done, min(done + STRETCH, updates))
    rates = np.array([config.learning_rate * rate(config, step, updates) for step in steps])
    return plan(held, np.stack([next(batches) for _ in steps]), config.context), rates


def _update(config: LanguageConfig, model: PreTrainedModel) -> Update:
    """The update of this make, as it was left by an earlier fit where there was one."""
    fields = ("batch", "context", "sequences", "weight_decay", "clip", "precision", "loss", "bos", "eos")
    told = [str(getattr(config, name)) for name in fields]
    key = "|".join([model.config.to_json_string(), str(next(model.parameters()).device), *told])
    if key not in _kept:
        forget(_kept)  # of another make: its memory is wanted
        _kept[key] = Update(config, model)
    return _kept[key]


def _bytes(rows: RowsView) -> int:
    return sum(piece.tokens.nbytes for piece in rows.pieces)

"""What holds of every family whose replicates are fitted side by side as one batched model."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from torch import nn

from trainables import Cell
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload

Weights = Mapping[str, np.ndarray]


def three_replicates(family: Mapping[str, Any], rows: int) -> Recursion:
    """Two generations of three recursions, nothing computed yet."""
    cell = {"family": family, "policy": {"kind": "replace"}, "generations": 2, "rows": rows, "replicates": 3}
    return Recursion(Cell.model_validate(cell), MemoryStore())


def same_gradients(found: Weights, model: nn.Module, share: float) -> None:
    """Each parameter's, but for rounding: a share of its largest."""
    assert found.keys() == {name for name, _ in model.named_parameters()}
    for name, p in model.named_parameters():
        size = float(p.grad.abs().max())
        np.testing.assert_allclose(found[name], p.grad.numpy(), rtol=1e-3, atol=share * size, err_msg=name)


def went_on(starts: Iterable[Weights], found: Iterable[Weights], but: Collection[str] = ()) -> None:
    """Every model is near where it started, and no parameter is where it was, but some that a few updates may leave."""
    for start, weights in zip(starts, found, strict=True):
        for name, value in start.items():
            np.testing.assert_allclose(weights[name], value, atol=1e-5)
            assert name in but or not np.array_equal(weights[name], value), name


def sums_up(recursion: Recursion, names: Iterable[str], constant: str) -> Payload:
    """The second record, which holds every replicate's values of these metrics, their means and standard errors; of
    what is the same for all it tells no error."""
    record = recursion.record(2)
    held = recursion.store.get("record", recursion.steps.step(2).record)
    for name in names:
        values = held.tensors[name]
        assert values.shape == (3,)
        assert record.metrics[name] == pytest.approx(values.mean())
        assert record.metrics[f"{name}_se"] == pytest.approx(values.std(ddof=1) / 3**0.5)
    losses = held.tensors["test_loss"]
    assert record.test_loss == pytest.approx(losses.mean())
    assert len(set(losses.tolist())) == 3
    assert f"{constant}_se" not in record.metrics
    return held


def times_as_long(together: Callable[[], object], apart: Sequence[Callable[[], object]], rounds: int = 3) -> float:
    """Processor time of fits one after another, over that of them all at once; the best of some rounds of each."""
    together()
    seconds = [(_timed([together]), _timed(apart)) for _ in range(rounds)]
    return min(a for _, a in seconds) / min(t for t, _ in seconds)


def _timed(work: Iterable[Callable[[], object]]) -> float:
    started = time.process_time()
    for one in work:
        one()
    return time.process_time() - started

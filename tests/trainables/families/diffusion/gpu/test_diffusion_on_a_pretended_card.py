"""Denoisers as on a card: updates of each size and steps of the reverse process recorded, and a CPU's numbers."""

import contextlib
import gc
from typing import Any

import numpy as np
import pytest
from torch.multiprocessing.reductions import StorageWeakRef

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import on_a_cpu
from trainables.families.diffusion import fit as fits
from trainables.families.diffusion import gpu
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.evaluate import denoising_errors
from trainables.families.diffusion.gpu import reverse
from trainables.families.diffusion.process import sample
from trainables.lineage import Stream
from trainables.sources.molecules import Chain, Conformers, Graph, stack

CONFIG = DiffusionConfig(
    width=16, messages=8, layers=2, timesteps=40, beta_end=0.1, sampling_steps=8, batch=6, steps=28
)
MIXED = [3, 5, 8, 9, 12, 4, 16, 17, 2, 7, 11, 24, 6]
Weights = dict[str, np.ndarray]


def chain(size: int) -> Graph:
    """A molecule of carbon atoms in a row."""
    bonds = np.array([(i, i + 1, 1) for i in range(size - 1)], dtype=np.int16).reshape(-1, 3)
    return Graph(np.full(size, 6, np.uint8), np.zeros(size, np.int8), bonds)


def chains(sizes: list[int], seed: int = 0) -> Conformers:
    rng = np.random.default_rng(seed)
    places = [rng.standard_normal((size, 3)) for size in sizes]
    return stack(range(len(sizes)), [chain(size) for size in sizes], [p - p.mean(axis=0) for p in places])


def fitted(sizes: list[int], start: Weights | None = None) -> Weights:
    rows = Chain((chains(sizes),), None)
    weights = np.linspace(0.5, 1.5, len(sizes))
    return fits.weights_of(fits.fit(CONFIG, rows, weights / weights.mean(), Stream("fit"), start))


def test_fits_are_a_cpus(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of molecules of three sizes, whose updates alternate; then on from there on others."""
    first = fitted(MIXED)
    assert card.replays > 20
    second = fitted([9] * 8, first)
    with on_a_cpu(monkeypatch):
        expected = fitted(MIXED)
        later = fitted([9] * 8, expected)
    for found, aim in ((first, expected), (second, later)):
        for name, value in aim.items():
            np.testing.assert_allclose(found[name], value, atol=2e-3, err_msg=name)


def test_a_corpus_that_does_not_stay_is_padded(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    stays = fitted(MIXED)
    monkeypatch.setattr(gpu, "can_stay", lambda *_: False)
    card.replays = 0
    padded = fitted(MIXED)
    assert card.replays == 0
    for name, value in padded.items():
        np.testing.assert_allclose(stays[name], value, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_samples_and_errors_are_a_cpus(card: Card, sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More sizes than are kept, of two models that take each other's place, the first one twice."""
    config = CONFIG.model_copy(update={"sampler": sampler})
    weights, asked = fitted(MIXED), [chains([size] * 3) for size in (*range(4, 8 * (reverse.KEPT + 2), 8), 4)]
    others = {name: value + 0.01 for name, value in weights.items()}
    found = []
    for here in (contextlib.nullcontext(), on_a_cpu(monkeypatch)):
        with here:
            models = [fits.load(config, some) for some in (weights, others, weights)]
            made = [sample(config, model, rows, Stream("rows")).positions for model in models for rows in asked[-3:]]
            made += [sample(config, models[0], rows, Stream("rows")).positions for rows in asked]
            found.append((made, denoising_errors(config, models[0], chains(MIXED), Stream("errors"))))
    (kept,) = reverse._kept.values()
    assert len(kept._batches) == reverse.KEPT
    assert all(batch.again.recorded for batch in kept._batches.values())
    for ours, its in zip(found[0][0], found[1][0], strict=True):
        np.testing.assert_allclose(ours, its, atol=1e-3)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3)
    assert not np.allclose(found[0][0][0], found[0][0][3])


def test_molecules_leave_the_card_with_their_fit(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: memory of a card does not wait for Python to look for cycles."""
    plain, held = gpu.RecordedUpdate.__init__, []

    def seen(self: Any, *given: Any) -> None:
        plain(self, *given)
        held.append(StorageWeakRef(self.x_CN3.inner.untyped_storage()))

    monkeypatch.setattr(gpu.RecordedUpdate, "__init__", seen)
    gc.disable()
    try:
        fitted(MIXED)
        assert [some.expired() for some in held] == [True]
    finally:
        gc.enable()

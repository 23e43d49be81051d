"""Updates and steps of the reverse process on tensors that stay in place are the plain ones."""

from typing import Any

import numpy as np
import pytest
import torch

from trainables.families.base import Diverged
from trainables.families.batches import shuffled
from trainables.families.diffusion import fit as fits
from trainables.families.diffusion import gpu
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Denoiser
from trainables.families.diffusion.fit import PlainUpdate, create, fit, joined, noise_and_times
from trainables.families.diffusion.gpu import RecordedUpdate, reverse
from trainables.families.diffusion.gpu.update import SIZE, resident_bytes, sized
from trainables.families.diffusion.process import sample
from trainables.lineage import Stream
from trainables.runtime import DEVICE, Captured, seeded
from trainables.sources.molecules import Chain, Conformers, Graph, stack

CONFIG = DiffusionConfig(width=16, messages=8, layers=2, timesteps=100, beta_end=0.1, sampling_steps=20, batch=6)
SAME, MIXED = [SIZE] * 20, [3, 5, 8, 9, 12, 4, 16, 17, 2, 7, 11, 24, 6]
"""Sizes of molecules: such that nothing is padded, and of several sizes of updates."""


@pytest.fixture(autouse=True)
def afresh() -> None:
    reverse._kept.clear()


def chain(size: int) -> Graph:
    """A ring-free molecule of carbon atoms in a row."""
    bonds = np.array([(i, i + 1, 1) for i in range(size - 1)], dtype=np.int16).reshape(-1, 3)
    return Graph(np.full(size, 6, np.uint8), np.zeros(size, np.int8), bonds)


def chains(sizes: list[int]) -> Conformers:
    rng = np.random.default_rng(0)
    places = [rng.standard_normal((size, 3)) for size in sizes]
    return stack(range(len(sizes)), [chain(size) for size in sizes], [p - p.mean(axis=0) for p in places])


def fitted(kind: Any, sizes: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Losses and weights after 25 updates, some of them clipped, at rates that change and that single precision has."""
    config = CONFIG.model_copy(update={"clip": 0.5})
    featured, model = Featured(chains(sizes), 1.0), create(config, 1)
    weight = torch.linspace(0.5, 1.5, len(sizes))
    update = kind(config, model, joined(model), featured, weight)
    batches, draws = shuffled(len(sizes), 6, np.random.default_rng(0)), seeded(0)
    losses = []
    for step in range(25):
        index = next(batches)
        rate = float(np.float32(1e-2 / (1 + step)))
        losses.append(update(rate, index, *noise_and_times(config, featured.sizes[index], draws)).clone())
    return torch.stack(losses), update.together.detach()


def test_updates_in_place_are_the_plain_ones_to_the_bit() -> None:
    (plain, weights), (recorded, others) = (fitted(kind, SAME) for kind in (PlainUpdate, RecordedUpdate))
    assert torch.equal(recorded, plain)
    assert torch.equal(others, weights)
    assert len(plain.unique()) == 25


def test_updates_of_several_sizes_are_the_plain_ones() -> None:
    (plain, weights), (recorded, others) = (fitted(kind, MIXED) for kind in (PlainUpdate, RecordedUpdate))
    torch.testing.assert_close(recorded, plain, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(others, weights, rtol=1e-3, atol=1e-4)


def test_a_fit_in_place_ends_where_the_plain_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    config, rows = CONFIG.model_copy(update={"epochs": 3.0}), Chain((chains(MIXED),), None)
    found = []
    for stays in (False, True):
        monkeypatch.setattr(gpu, "can_stay", lambda *_, stays=stays: stays)
        found.append(fits.weights_of(fit(config, rows, np.ones(len(MIXED)), Stream("fit"))))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_fit_in_place_that_is_no_number_is_no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "can_stay", lambda *_: True)
    config, rows = CONFIG.model_copy(update={"learning_rate": 1e30}), Chain((chains(MIXED),), None)
    with pytest.raises(Diverged, match="not finite"):
        fit(config, rows, np.ones(len(MIXED)), Stream("fit"))


def test_work_is_made_once_a_size_of_updates() -> None:
    featured, model = Featured(chains(MIXED), 1.0), create(CONFIG, 1)
    update = RecordedUpdate(CONFIG, model, joined(model), featured, torch.ones(len(MIXED)))
    for index in ([0, 1, 2], [0, 1, 1], [3, 0, 0], [11, 0, 1], [4, 6, 8]):
        chosen = np.array(index)
        update(1e-3, chosen, *noise_and_times(CONFIG, featured.sizes[chosen], seeded(0)))
    assert set(update._runs) == {8, 16, 24}


def made(model: Denoiser, sizes: list[int], config: DiffusionConfig = CONFIG) -> np.ndarray:
    found: np.ndarray = sample(config, model, chains(sizes), Stream("sample"), 0.8).positions
    return found


def lively(seed: int) -> Denoiser:
    """An untrained denoiser whose moves of atoms are not tiny."""
    model = create(CONFIG, seed)
    for layer in model.layers:
        torch.nn.init.normal_(layer.move.weight, std=0.1, generator=torch.Generator().manual_seed(seed))
    return model.eval()


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_conformers_in_place_are_those_of_the_reference_path(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one denoiser and of the next, whose weights take its place."""
    config = CONFIG.model_copy(update={"sampler": sampler})
    models = [lively(seed) for seed in range(2)]
    expected = [made(model, MIXED, config) for model in models]
    monkeypatch.setattr("trainables.families.diffusion.process.predictor", lambda model: model)
    monkeypatch.setattr(gpu, "can_record", lambda _: True)
    for model, places in zip(models, expected, strict=True):
        np.testing.assert_allclose(made(model, MIXED, config), places, rtol=1e-3, atol=1e-3)
    assert len(reverse._kept) == 1
    assert np.abs(expected[0] - expected[1]).max() > 0.1


def test_steps_are_made_once_a_number_and_size_of_molecules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.families.diffusion.process.predictor", lambda model: model)
    monkeypatch.setattr(gpu, "can_record", lambda _: True)
    calls: list[Captured] = []
    monkeypatch.setattr(Captured, "__call__", lambda self: (calls.append(self), self._work())[1])
    model = lively(0)
    for sizes in ([5, 6, 7], [8, 3, 4], [9, 1, 1], [5, 6, 7]):
        made(model, sizes)
    assert len(set(map(id, calls))) == 2
    assert len(calls) == 4 * CONFIG.sampling_steps


def test_a_corpus_stays_where_a_device_records_and_a_fit_draws_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gpu.can_stay(np.array(MIXED), 100)  # here is no CUDA
    assert not gpu.can_record(create(CONFIG, 0))
    monkeypatch.setattr("trainables.families.diffusion.gpu.update.pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (10**6, 10**6))
    assert [gpu.can_stay(np.array(MIXED), drawn) for drawn in (len(MIXED) - 1, len(MIXED))] == [False, True]
    assert not gpu.can_stay(np.array([500] * 10), 10)
    assert [sized(atoms) for atoms in (1, 8, 9)] == [8, 8, 16]
    assert resident_bytes(np.array([9, 4])) == 2 * (16 * 16 + 16 * (8 + 4 + 3 * 4))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_card_updates_and_steps_are_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(DEVICE, "cuda")
    featured, model = Featured(chains(SAME), 1.0), create(CONFIG, 1).cuda()
    update = RecordedUpdate(CONFIG, model, joined(model), featured, torch.ones(len(SAME)))
    for step in range(6):
        index = np.arange(6) + step
        update(1e-3, index, *noise_and_times(CONFIG, featured.sizes[index], seeded(step)))
    assert all(run.recorded for run in update._runs.values()), caplog.text
    one, placed = lively(0), lively(0).cuda()
    found = made(placed, MIXED)
    (kept,) = reverse._kept.values()
    assert all(batch.again.recorded for batch in kept._batches.values()), caplog.text
    monkeypatch.setenv(DEVICE, "cpu")
    np.testing.assert_allclose(found, made(one, MIXED), rtol=1e-2, atol=1e-2)

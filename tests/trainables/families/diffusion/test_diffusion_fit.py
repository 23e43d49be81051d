"""Fitting a denoiser: weights of rows, the schedule, what an update draws, Adam in numpy, and where a fit ends."""

import math

import numpy as np
import pytest
import torch

from tests.trainables.families.diffusion.test_diffusion_denoiser import chains
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Diverged
from trainables.families.checkpoint_files import write
from trainables.families.diffusion import fit as fits
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.process import errors, scheduler
from trainables.lineage import Stream
from trainables.runtime import seeded
from trainables.sources.molecules import Chain, Conformers

CONFIG = DiffusionConfig(width=4, messages=2, layers=1, radial=2, timesteps=40, beta_end=0.4, sampling_steps=4, batch=4)
ROWS = chains([5, 2, 4, 3, 6, 2])


def draw(rows: Conformers, weight: float = 1.0, index: np.ndarray | None = None) -> RealisedDraw:
    batch = rows.payload()
    return RealisedDraw((Batch(0, "0", batch.rows, lambda: batch),), index, weight)


def fitted(weights: np.ndarray | None = None, start: dict[str, np.ndarray] | None = None, **fields: object):
    config = CONFIG.model_copy(update=fields)
    ones = np.ones(len(ROWS)) if weights is None else weights
    return fits.weights_of(fits.fit(config, Chain((ROWS,)), ones, Stream("fit"), start))


def test_weights_of_a_corpus_have_a_mean_of_one_whatever_their_scale() -> None:
    """Six rows of 1 and two of 5: the mean is 2."""
    for scale in (1.0, 1e-300, 1e300):
        parts = draw(ROWS, scale), draw(ROWS, 5 * scale, np.array([0, 3]))
        rows, weights = fits.gather(Corpus(parts))
        assert weights == pytest.approx([0.5] * 6 + [2.5] * 2)
    assert rows.sizes.tolist() == [5, 2, 4, 3, 6, 2, 5, 3]


def test_the_rate_rises_and_falls_in_straight_lines() -> None:
    """Ten updates, two of warm-up: ½, 1, then from 8/8 down to 1/8."""
    config = CONFIG.model_copy(update={"warmup": 0.2})
    assert [fits.rate(config, step, 10) for step in range(10)] == [0.5, 1.0, *(k / 8 for k in range(8, 0, -1))]
    flat = CONFIG.model_copy(update={"warmup": 0.0})
    assert [fits.rate(flat, step, 4) for step in range(4)] == [1.0, 1.0, 2 / 3, 1 / 3]
    assert fits.rate(flat, 0, 1) == 1.0


@pytest.mark.parametrize("rows", [1, 4, 40, 90])
def test_times_are_spread_one_to_each_equal_share_of_all(rows: int) -> None:
    """Sorted, the k-th lies in [k/B, (k + 1)/B) of the timesteps; which row has which is random."""
    generator, sizes = seeded(0), np.full(rows, 2)
    draws = [fits.noise_and_times(CONFIG, sizes, generator)[1] for _ in range(20)]
    for times in draws:
        for k, t in enumerate(sorted(times.tolist())):
            assert math.floor(40 * k / rows) <= t <= 40 * (k + 1) / rows
    assert len({tuple(times.tolist()) for times in draws}) > 10
    assert all(0 <= int(t) < 40 for times in draws for t in times)


def test_noise_is_drawn_for_atoms_that_there_are_without_centroid() -> None:
    noise, _ = fits.noise_and_times(CONFIG, np.array([3, 1, 2]), seeded(0))
    assert noise.shape == (3, 3, 3)
    assert not noise[1].any(), "one atom has no place but its centroid"
    assert not noise[2, 2:].any()
    assert float(noise.sum(1).abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("fields", "updates"), [({"epochs": 1.0}, 2), ({"epochs": 0.1}, 1), ({"epochs": 3.0}, 5), ({"steps": 7}, 7)]
)
def test_epochs_are_rounded_up_to_whole_updates(fields: dict, updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six rows in batches of four: 1.5 updates a pass."""
    seen: list[float] = []
    call = fits.PlainUpdate.__call__

    def kept(self, rate, *drawn):
        seen.append(rate)
        return call(self, rate, *drawn)

    monkeypatch.setattr(fits.PlainUpdate, "__call__", kept)
    fitted(**fields, warmup=0.0, learning_rate=0.1)
    assert len(seen) == updates
    assert seen[0] == 0.1
    assert seen[-1] == pytest.approx(0.1 * min(1, 1 / max(1, updates - 1)))


def test_updates_are_those_of_adam_in_numpy() -> None:
    """Kingma & Ba 2015, algorithm 1: β 0.9 and 0.999, ε 10⁻⁸; the gradient's norm held to `clip` first."""
    config = CONFIG.model_copy(update={"clip": 0.05, "batch": 3})
    model = fits.create(config, 1)
    weight = torch.tensor([2.0, 0.5, 1.0, 1.0, 0.5, 1.0])
    featured, levels = Featured(ROWS, config.scale), scheduler(config).alphas_cumprod
    twin = fits.create(config, 1)
    update = fits.PlainUpdate(config, model, fits.joined(model), featured, weight)
    first = second = 0.0
    p, generator = np.concatenate([q.detach().numpy().ravel() for q in twin.parameters()]).astype(float), seeded(0)
    for step, rate in enumerate((0.01, 0.03, 0.02), 1):
        index = np.array([step, 0, 5])
        noise, times = fits.noise_and_times(config, featured.sizes[index], generator)
        twin.zero_grad()
        given = twin.prepare(featured.graphs(index))
        found = errors(twin, given, featured.places(index), noise, times, levels) * weight[index]
        (found.sum() / 3).backward()
        slope = np.concatenate([q.grad.numpy().ravel() for q in twin.parameters()]).astype(float)
        slope *= min(1, 0.05 / np.linalg.norm(slope))
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        p = p - rate * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        loss = update(rate, index, noise, times)
        assert float(loss) == pytest.approx(float(found.detach().mean()), rel=1e-5)
        np.testing.assert_allclose(update.together.detach().numpy(), p, atol=2e-5)
        torch.nn.utils.vector_to_parameters(torch.from_numpy(p).float(), twin.parameters())


def test_an_error_is_a_mean_over_a_molecules_own_coordinates() -> None:
    """By loops: √ᾱ x + √(1 − ᾱ) ε goes in, and the squared error of what comes out is over 3n."""

    class Half(torch.nn.Module):
        def forward(self, given, x_BN3, t_B):
            self.seen = x_BN3
            return 0.5 * x_BN3

    featured, index = Featured(ROWS, 1.0), np.array([0, 1])
    graphs, x = featured.graphs(index), featured.places(index)
    noise, _ = fits.noise_and_times(CONFIG, featured.sizes[index], seeded(0))
    levels, times, model = torch.linspace(0.9, 0.1, 40), torch.tensor([0, 39]), Half()
    found = errors(model, graphs, x, noise, times, levels)
    for row, (kept, size) in enumerate(((0.9, 5), (0.1, 2))):
        noisy = kept**0.5 * x[row] + (1 - kept) ** 0.5 * noise[row]
        torch.testing.assert_close(model.seen[row], noisy)
        total = sum(float(v) ** 2 for v in (0.5 * noisy - noise[row]).ravel())
        assert float(found[row]) == pytest.approx(total / (3 * size), rel=1e-5)


def test_a_row_without_weight_teaches_nothing() -> None:
    """One update on the whole corpus, with weight on two rows alone: another place of a third row changes nothing."""
    weights = np.array([3.0, 3.0, 0, 0, 0, 0])
    fields = {"steps": 1, "batch": 6}
    plain = fitted(weights, **fields)
    moved = ROWS.positions.copy()
    moved[ROWS.atoms[4] :] *= 3
    config = CONFIG.model_copy(update=fields)
    other = fits.weights_of(fits.fit(config, Chain((ROWS.moved(moved),)), weights, Stream("fit")))
    all_weigh = fits.weights_of(fits.fit(config, Chain((ROWS.moved(moved),)), np.ones(6), Stream("fit")))
    assert all(np.array_equal(plain[name], other[name]) for name in plain)
    assert any(not np.array_equal(plain[name], all_weigh[name]) for name in plain)


def test_a_fit_goes_on_from_given_weights_which_stay_as_they_were() -> None:
    start = fits.weights_of(fits.create(CONFIG, 9))
    before = {name: value.copy() for name, value in start.items()}
    found = fitted(start=start, steps=2, learning_rate=1e-6)
    for name, value in start.items():
        assert np.array_equal(value, before[name])
        np.testing.assert_allclose(found[name], value, atol=1e-5)
    assert any(not np.array_equal(found[name], start[name]) for name in start)


@pytest.mark.parametrize(("steps", "step"), [(3, 3), (40, 16)])
def test_a_loss_that_is_no_number_is_named_at_the_next_look(steps: int, step: int) -> None:
    """Looks come every sixteen updates and after the last."""
    start = fits.weights_of(fits.create(CONFIG, 0))
    start["time.0.bias"] = np.full_like(start["time.0.bias"], np.nan)
    with pytest.raises(Diverged, match=rf"^loss is not finite at step {step}$"):
        fitted(start=start, steps=steps)


def test_another_networks_checkpoint_is_refused(tmp_path) -> None:
    write(fits.weights_of(fits.create(CONFIG, 0)), CONFIG.canonical(), tmp_path)
    fits.check_weights(CONFIG, tmp_path)
    message = r"^checkpoint: .*'atom.weight' has shape \[42, 4\], and this config's \[42, 5\]$"
    with pytest.raises(ValueError, match=message):
        fits.check_weights(CONFIG.model_copy(update={"width": 5}), tmp_path)


def test_a_model_read_again_predicts_alike_and_a_seed_names_its_weights() -> None:
    model, featured = fits.create(CONFIG, 3), Featured(ROWS, 1.0)
    again = fits.load(CONFIG, fits.weights_of(model))
    index, times = np.arange(3), torch.tensor([1, 20, 39])
    with torch.no_grad():
        found = [m(m.prepare(featured.graphs(index)), featured.places(index), times) for m in (model, again)]
    assert torch.equal(*found)
    assert not again.training
    assert not torch.equal(fits.create(CONFIG, 4).atom.weight, model.atom.weight)
    assert torch.equal(fits.create(CONFIG, 3).atom.weight, model.atom.weight)

"""The two processes: schedules by hand, one step of the reverse against Gaussians, bounds, and independence of rows."""

import math

import numpy as np
import pytest
import torch

from tests.trainables.families.diffusion.test_diffusion_denoiser import chains
from trainables.families.base import Diverged
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import centred, moved, squared_distances
from trainables.families.diffusion.process import (
    BOX,
    Step,
    check_schedule,
    noise,
    noised,
    parts,
    reversed_,
    sample,
    scheduler,
    stepped,
    steps,
)
from trainables.lineage import Stream
from trainables.runtime import seeded

CONFIG = DiffusionConfig(width=4, messages=2, layers=1, timesteps=100, beta_end=0.1, sampling_steps=10)


def levels(config: DiffusionConfig) -> np.ndarray:
    """ᾱ of a linear schedule, by its definition: the product of 1 − β."""
    return np.cumprod(1 - np.linspace(config.beta_start, config.beta_end, config.timesteps))


def test_a_linear_schedule_keeps_the_product_of_what_each_step_keeps() -> None:
    found = scheduler(CONFIG).alphas_cumprod.double().numpy()
    np.testing.assert_allclose(found, levels(CONFIG), rtol=1e-4)


def test_a_scaled_linear_schedule_is_linear_in_the_root_of_beta() -> None:
    config = CONFIG.model_copy(update={"schedule": "scaled_linear"})
    betas = np.linspace(1e-4**0.5, 0.1**0.5, 100) ** 2
    np.testing.assert_allclose(scheduler(config).alphas_cumprod.double(), np.cumprod(1 - betas), rtol=1e-4)


def test_sampling_goes_from_the_last_timestep_down_in_equal_gaps() -> None:
    assert [step.t for step in steps(CONFIG)] == [99, 89, 79, 69, 59, 49, 39, 29, 19, 9]
    whole = CONFIG.model_copy(update={"sampling_steps": 100})
    assert [step.t for step in steps(whole)] == list(range(99, -1, -1))


@pytest.mark.parametrize("sampling_steps", [10, 100])
def test_a_step_of_ddpm_is_the_posterior_of_gaussians(sampling_steps: int) -> None:
    """q(x_s | x_t, x_0) by multiplying N(√ᾱ_s x_0, 1 − ᾱ_s) with the likelihood of x_t: precisions add up."""
    config, held = CONFIG.model_copy(update={"sampling_steps": sampling_steps}), levels(CONFIG)
    for step in steps(config)[:-1]:
        here, next_ = held[step.t], held[step.t - 100 // sampling_steps]
        ratio = here / next_
        precision = 1 / (1 - next_) + ratio / (1 - ratio)
        clean, kept = math.sqrt(next_) / (1 - next_) / precision, math.sqrt(ratio) / (1 - ratio) / precision
        assert (step.clean, step.kept) == pytest.approx((clean, kept), rel=1e-3)
        assert step.fresh == pytest.approx(precision**-0.5, rel=1e-3)


def test_a_step_of_ddim_keeps_the_noise_that_it_sees() -> None:
    """x_s = √ᾱ_s x_0 + √(1 − ᾱ_s) ε with the ε of x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε: nothing new, whatever x_0 and ε."""
    config, held = CONFIG.model_copy(update={"sampler": "ddim"}), levels(CONFIG)
    clean, eps = torch.tensor([0.3, -2.0]).double(), torch.tensor([1.5, 0.2]).double()
    for step in steps(config):
        here, next_ = held[step.t], held[step.t - 10] if step.t >= 10 else 1.0
        noisy = math.sqrt(here) * clean + math.sqrt(1 - here) * eps
        found = stepped(step, eps, noisy, None)
        expected = math.sqrt(next_) * clean + math.sqrt(1 - next_) * eps
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        assert step.fresh == 0


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_the_last_step_gives_the_predicted_data_alone(sampler: str) -> None:
    last = steps(CONFIG.model_copy(update={"sampler": sampler}))[-1]
    assert (last.clean, last.kept, last.fresh) == pytest.approx((1, 0, 0), abs=1e-9)


@pytest.mark.parametrize(("eps", "found"), [(0.0, 3.0), (1.0, 2.0), (-100.0, BOX), (100.0, -BOX)])
def test_predicted_data_is_held_to_a_box(eps: float, found: float) -> None:
    step = Step(t=0, noisy=1.0, noise=1.0, clean=1.0, kept=0.0, fresh=0.0)
    assert float(stepped(step, torch.tensor([eps]), torch.tensor([3.0]), None)) == found


def test_a_step_is_its_weighted_sum_and_leaves_its_inputs() -> None:
    step = Step(t=0, noisy=2.0, noise=0.5, clean=3.0, kept=0.25, fresh=0.1)
    eps, x, fresh = (torch.tensor([value]) for value in (1.0, 4.0, 7.0))
    assert float(stepped(step, eps, x, fresh)) == pytest.approx(3 * (2 * 4 - 0.5 * 1) + 0.25 * 4 + 0.1 * 7)
    assert (float(eps), float(x), float(fresh)) == (1, 4, 7)


def test_a_schedule_may_leave_a_twentieth_of_the_variance_as_data() -> None:
    """A hundred steps of β up to 0.06 leave a little less, up to 0.0585 a little more."""
    config, border = (CONFIG.model_copy(update={"beta_end": end}) for end in (0.06, 0.0585))
    left = levels(config)[-1]
    assert left < 0.05 < levels(border)[-1]
    check_schedule(config)
    with pytest.raises(ValueError, match=r"^beta_end: ") as problem:
        check_schedule(border)
    assert str(problem.value) == (
        f"beta_end: after 100 timesteps of the linear schedule {levels(border)[-1]:.2g} of the variance is still data, "
        "where at most 0.05 may be; raise beta_end or timesteps"
    )


def test_noising_by_hand() -> None:
    """ᾱ of 0.36 keeps 0.6 of the data beside 0.8 of the noise; each molecule at its own time."""
    x, eps = torch.full((2, 1, 3), 10.0), torch.full((2, 1, 3), 2.0)
    found = noised(torch.tensor([1.0, 0.36]), x, eps, torch.tensor([1, 0]))
    assert found[0, 0].tolist() == pytest.approx([7.6] * 3)
    assert found[1, 0].tolist() == [10.0] * 3


@pytest.mark.parametrize(("rows", "found"), [(1, [1]), (16, [16]), (17, [16, 1]), (40, [16, 16, 8])])
def test_a_cpu_denoises_sixteen_molecules_at_once(rows: int, found: list[int]) -> None:
    cuts = list(parts(rows))
    assert [cut.stop - cut.start for cut in cuts] == found
    assert [row for cut in cuts for row in range(cut.start, cut.stop)] == list(range(rows))


class Still:
    """Predicts no noise, and keeps at which times it was asked."""

    def __init__(self, value: float = 0.0) -> None:
        self.value, self.times = value, []

    def prepare(self, graphs: object) -> object:
        return graphs

    def __call__(self, given: object, x_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        self.times.append(t_B.tolist())
        return torch.full_like(x_BN3, self.value)


def test_the_reverse_process_asks_at_its_timesteps_and_adds_each_draw_once() -> None:
    """Of a model that predicts nothing x is a sum of draws, each times what the steps after it make of it."""
    config = CONFIG.model_copy(update={"sampling_steps": 4})
    model, draws = Still(), [torch.zeros(1, 2, 3) for _ in range(4)]
    for number in range(4):
        marked = [d.clone() for d in draws]
        marked[number] += 1e-3
        found = float(reversed_(config, model, None, marked)[0, 0, 0])
        expected = 1e-3 if number == 0 else 1e-3 * steps(config)[number - 1].fresh
        for step in steps(config)[number:]:
            expected *= step.clean * step.noisy + step.kept
        assert found == pytest.approx(expected, rel=1e-4)
    assert model.times[:4] == [[99], [74], [49], [24]]


def test_samples_are_in_angstrom() -> None:
    """Twice the scale, twice the coordinates, of the same noise."""
    plain, scaled = (
        sample(CONFIG.model_copy(update={"scale": scale}), Still(), chains([3, 5]), Stream("s")).positions
        for scale in (1e-3, 2e-3)
    )
    assert np.abs(plain).max() > 0
    np.testing.assert_allclose(scaled, 2 * plain, rtol=1e-5)


def test_samples_share_streams_by_blocks_of_256_in_the_order_of_their_sizes() -> None:
    """Row 258 of equal sizes is the third of the second stream: without predicted noise, its draw grown evenly."""
    config = CONFIG.model_copy(update={"sampler": "ddim", "sampling_steps": 1, "beta_end": 1e-4})
    rows = chains([2] * 259)
    made = sample(config, Still(), rows, Stream("s"), bias=4.0)
    drawn = torch.randn(3, 2, 3, generator=seeded(Stream("s").integer("block", "1")))[2]
    expected = config.scale * 2 * (drawn - drawn.mean(0)) / math.sqrt(levels(config)[-1])
    np.testing.assert_allclose(made.place(258), expected, rtol=1e-4)


def test_a_coordinate_that_is_no_number_is_no_sample() -> None:
    with pytest.raises(Diverged, match=r"^sampled coordinates are not finite$"):
        sample(CONFIG, Still(math.nan), chains([3]), Stream("s"))


def test_noise_is_that_of_the_generator_without_its_centroid_on_real_atoms() -> None:
    mask = torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0]])
    found = noise(torch.Size([2, 4, 3]), mask, torch.Generator().manual_seed(3))
    raw = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(3))
    for row, size in enumerate((3, 2)):
        torch.testing.assert_close(found[row, :size], raw[row, :size] - raw[row, :size].mean(0))
        assert not found[row, size:].any()


def test_atoms_are_pulled_along_differences_over_one_plus_the_distance() -> None:
    """Equation 12 of Hoogeboom et al. by loops, padding left out."""
    generator = torch.Generator().manual_seed(0)
    x, pull = torch.randn(1, 4, 3, generator=generator), torch.randn(1, 4, 4, generator=generator)
    pairs = torch.ones(1, 4, 4)
    pairs[0, 3] = pairs[0, :, 3] = 0
    pairs[0].fill_diagonal_(0)
    found = moved(x, pull, squared_distances(x), pairs)[0]
    for i in range(4):
        expected = x[0, i].clone()
        for j in range(4):
            if i != j and max(i, j) < 3:
                gap = x[0, i] - x[0, j]
                expected += pull[0, i, j] * gap / (1 + gap.norm())
        torch.testing.assert_close(found[i], expected, rtol=1e-5, atol=1e-5)


def test_centring_twice_is_centring_once() -> None:
    mask = torch.tensor([[1.0, 1, 0]])
    once = centred(torch.randn(1, 3, 3), mask)
    torch.testing.assert_close(centred(once, mask), once)

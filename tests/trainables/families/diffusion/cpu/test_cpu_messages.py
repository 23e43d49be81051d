"""Messages and their gradient against definition and differences; the sampler's weights against diffusers."""

import pytest
import torch
from torch.nn.functional import silu

from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.cpu.messages import pull_and_sum
from trainables.families.diffusion.fit import create, joined
from trainables.families.diffusion.process import scheduler, stepped, steps

B, N, M, F = 3, 4, 5, 2


@pytest.fixture
def given() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(B, N, M), (B, N, M), (F, B * N * N), (B, N, N), (M, F), (M,), (M, M), (M,), (M,)]
    made = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    real = torch.ones(B, N, dtype=torch.float64)
    real[1, 3] = 0  # padding
    pairs = real[:, :, None] * real[:, None] * (1 - torch.eye(N, dtype=torch.float64))
    return [*(t.requires_grad_(place != 2) for place, t in enumerate(made)), pairs]


def plainly(given: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    target, source, features, d2, first, distance, second, bias, move, pairs = given
    seen = features.t().view(B, N, N, F) @ first.t() + d2[..., None] * distance
    m = silu(silu(target[:, :, None] + source[:, None] + seen) @ second.t() + bias)
    return m @ move, (m * pairs[..., None]).sum(2)


def test_messages_are_their_definition(given):
    with torch.no_grad():
        found = pull_and_sum(*given, summed=True)
    for kept in (found, pull_and_sum(*given, summed=True)):
        for mine, defined in zip(kept, plainly(given), strict=True):
            torch.testing.assert_close(mine, defined)


@pytest.mark.parametrize("summed", [True, False])
def test_the_gradient_is_that_of_differences(given, summed):
    def outputs(*inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(t for t in pull_and_sum(*inputs, summed=summed) if t is not None)

    assert torch.autograd.gradcheck(outputs, given)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_steps_are_those_of_diffusers(sampler):
    """From noise to data with noise predicted at random, some of it so large that the bound counts."""
    config = DiffusionConfig(sampler=sampler, sampling_steps=20)
    process, generator = scheduler(config), torch.Generator().manual_seed(0)
    mine = theirs = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    for step in steps(config):
        eps, fresh = (torch.randn(mine.shape, generator=generator, dtype=torch.float64) for _ in range(2))
        eta, wanted = (1.0, fresh) if sampler == "ddpm" else (0.0, None)
        theirs = process.step(
            eps, step.t, theirs, eta=eta, use_clipped_model_output=True, variance_noise=wanted, return_dict=False
        )[0]
        mine = stepped(step, eps, mine, wanted)
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)
    assert [step.t for step in steps(config)] == process.timesteps.tolist()


def test_parameters_are_views_of_one():
    model = create(DiffusionConfig(width=8, messages=4, layers=1), 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    together = joined(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.autograd.backward(sum(p.sum() * number for number, p in enumerate(model.parameters())))
    sizes = [p.numel() for p in model.parameters()]
    assert together.grad.tolist() == [float(n) for n, size in enumerate(sizes) for _ in range(size)]
    together.data.zero_()
    assert all(not p.any() for p in model.parameters())

"""The forward and the reverse process: `diffusers`' schedules on noise without a centre of mass.

A Gaussian on the subspace of centroid 0 is invariant under translation (Xu et al. 2022, arXiv 2203.02923,
section 4.3), so all noise is projected there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trainables.families.base import Diverged
from trainables.families.diffusion.batching import Featured, ragged
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.cpu.denoiser import Predictor, predictor
from trainables.families.diffusion.denoiser import Denoiser, Dense, centred
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded
from trainables.sources.molecules import Conformers

if TYPE_CHECKING:
    from diffusers import DDIMScheduler

BLOCK = 256
"""Rows of similar size that share a random stream; whatever the device, so that devices sample alike."""

SIDE_BY_SIDE = {"cpu": 16}
"""Molecules denoised at once: as many as fill the widest vectors of a processor; other devices take a whole block."""

REMAINDER = 0.05
"""Share of the variance that may be data when the forward process ends (GeoDiff leaves 0.007, DDPM 0.00004)."""

BOX = 20.0
"""Bound of a predicted coordinate of x_0, in units of the noise. No molecule reaches it, so a fitted model is
sampled unclipped; a poor one, whose errors feed on themselves at far coordinates, stays finite."""


def scheduler(config: DiffusionConfig) -> DDIMScheduler:
    """The forward process, and its sampler at `sampling_steps`.

    DDIM with η = 1 on all timesteps is DDPM's ancestral sampler (Song et al. 2021, arXiv 2010.02502, equation 16).
    """
    from diffusers import DDIMScheduler, DDPMScheduler

    steps = config.timesteps
    forward = DDPMScheduler(steps, config.beta_start, config.beta_end, config.schedule)
    made = DDIMScheduler(
        steps,
        trained_betas=forward.betas.numpy(),
        clip_sample_range=BOX,
        timestep_spacing="trailing",
    )
    made.set_timesteps(config.sampling_steps)
    return made


def check_schedule(config: DiffusionConfig) -> None:
    """Refuse a forward process that does not end in noise, which every sample starts from.

    Raises:
        ValueError: with what is left of the data at its end.
    """
    left = float(scheduler(config).alphas_cumprod[-1])
    if left > REMAINDER:
        raise ValueError(
            f"beta_end: after {config.timesteps} timesteps of the {config.schedule} schedule {left:.2g} of the "
            f"variance is still data, where at most {REMAINDER} may be; raise beta_end or timesteps"
        )


def noise(shape: torch.Size, mask_BN: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Standard noise of centroid 0, drawn on the CPU so that every device draws alike."""
    return centred(torch.randn(shape, generator=generator), mask_BN)


def noised(levels_T: torch.Tensor, x_BN3: torch.Tensor, eps_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
    """x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε (Ho et al. 2020, equation 4); `levels_T` is ᾱ."""
    kept_B = levels_T[t_B][:, None, None]
    return torch.sqrt(kept_B) * x_BN3 + torch.sqrt(1 - kept_B) * eps_BN3


def errors(
    model: Predictor,
    given: Any,
    x_BN3: torch.Tensor,
    eps_BN3: torch.Tensor,
    t_B: torch.Tensor,
    levels_T: torch.Tensor,
) -> torch.Tensor:
    """Squared error of the predicted noise, a mean over each molecule's 3n coordinates, [B]."""
    found_BN3 = model(given, noised(levels_T, x_BN3, eps_BN3, t_B), t_B)
    error_B: torch.Tensor = (found_BN3 - eps_BN3).square().sum((1, 2)) / (3 * given.mask_BN.sum(1))
    return error_B


def sample(
    config: DiffusionConfig, model: Predictor, rows: Conformers, stream: Stream, bias: float = 1.0
) -> Conformers:
    """New coordinates for the graphs of `rows`.

    Args:
        bias: λ; the variance of all noise that the sampler draws is multiplied by it.

    Raises:
        Diverged: a coordinate is not finite.
    """
    model, featured = predictor(model), Featured(rows, config.scale)
    made: list[tuple[np.ndarray, np.ndarray]] = []
    for number, block in enumerate(featured.by_size(BLOCK)):
        generator = seeded(stream.integer("block", str(number)))
        made.append((block, _denoised(config, model, featured, block, generator, bias**0.5)))
    flat = ragged(made, rows) * config.scale
    if not np.isfinite(flat).all():
        raise Diverged("sampled coordinates are not finite")
    return rows.moved(flat)


@torch.no_grad()
def _denoised(
    config: DiffusionConfig,
    model: Predictor,
    featured: Featured,
    block: np.ndarray,
    generator: torch.Generator,
    spread: float,
) -> np.ndarray:
    """Coordinates of a block in units of the noise, [b, n, 3], from pure noise."""
    mask_BN = featured.graphs(block).mask_BN
    count = config.sampling_steps if config.sampler == "ddpm" else 1
    draws = [spread * noise(torch.Size([*mask_BN.shape, 3]), mask_BN, generator) for _ in range(count)]
    places = np.zeros((*mask_BN.shape, 3), dtype=np.float32)
    for part in parts(len(block)):
        graphs = featured.graphs(block[part])
        size = graphs.mask_BN.shape[1]
        here = [draw[part, :size].to(pick_device()) for draw in draws]
        x_BN3 = _backwards(config, model, graphs.to(pick_device()), here)
        places[part, :size] = x_BN3.cpu().numpy()
    return places


def _backwards(config: DiffusionConfig, model: Predictor, graphs: Dense, draws: list[torch.Tensor]) -> torch.Tensor:
    """The reverse process, by recorded steps where there are any."""
    from trainables.families.diffusion import gpu

    if isinstance(model, Denoiser) and gpu.can_record(model):
        return gpu.reversed_in_place(config, model, graphs, draws)
    return reversed_(config, model, graphs, draws)


def reversed_(config: DiffusionConfig, model: Predictor, graphs: Dense, draws: list[torch.Tensor]) -> torch.Tensor:
    """The reverse process from the first draw on; the others are the noise of its steps."""
    given = model.prepare(graphs)
    x_BN3 = draws[0]
    for number, step in enumerate(steps(config)):
        eps_BN3 = model(given, x_BN3, torch.tensor([step.t], device=x_BN3.device))
        x_BN3 = stepped(step, eps_BN3, x_BN3, draws[number + 1] if number + 1 < len(draws) else None)
    return x_BN3


@dataclass(frozen=True)
class Step:
    """One step of the reverse process; its x is a weighted sum.

    Attributes:
        t: timestep that it starts from.
        noisy, noise: weights of x_t and of the predicted noise in the predicted x_0.
        clean, kept, fresh: weights of the bounded x_0, of x_t and of new noise in the next x.
    """

    t: int
    noisy: float
    noise: float
    clean: float
    kept: float
    fresh: float


def steps(config: DiffusionConfig) -> list[Step]:
    """Of `scheduler(config)`: Song et al. 2021, equations 12 and 16, the noise predicted being what agrees with the
    bounded x_0, put in for ε. Worked out once, where `DDIMScheduler.step` does so at every call.
    """
    process, gap = scheduler(config), config.timesteps // config.sampling_steps
    levels = process.alphas_cumprod.double().tolist()
    found = []
    for t in process.timesteps.tolist():
        here, next_ = levels[t], levels[t - gap] if t >= gap else 1.0
        spread = math.sqrt((1 - next_) / (1 - here) * (1 - here / next_)) if config.sampler == "ddpm" else 0.0
        kept = math.sqrt(max(0.0, 1 - next_ - spread**2) / (1 - here))
        clean = math.sqrt(next_) - kept * math.sqrt(here)
        found.append(Step(t, here**-0.5, math.sqrt((1 - here) / here), clean, kept, spread))
    return found


def stepped(step: Step, eps_BN3: torch.Tensor, x_BN3: torch.Tensor, fresh_BN3: torch.Tensor | None) -> torch.Tensor:
    """x at the next lower timestep; new noise is None where none is wanted."""
    clean_BN3 = (x_BN3 * step.noisy).sub_(eps_BN3, alpha=step.noise).clamp_(-BOX, BOX)
    next_BN3 = clean_BN3.mul_(step.clean).add_(x_BN3, alpha=step.kept)
    return next_BN3 if fresh_BN3 is None else next_BN3.add_(fresh_BN3, alpha=step.fresh)


def parts(rows: int) -> Iterator[slice]:
    """A block of rows, cut so that each part has as many as suit the device."""
    length = SIDE_BY_SIDE.get(pick_device().type, rows)
    for start in range(0, rows, length):
        yield slice(start, min(start + length, rows))

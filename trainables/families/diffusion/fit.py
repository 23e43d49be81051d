"""Fitting: Adam on shuffled molecules, rows of a mapped pool.

Batches of one size would need no padding, but each update would serve one size: at 1,000 molecules the held-out loss is
6 % higher.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from trainables.corpus import Corpus
from trainables.families.base import Diverged
from trainables.families.batches import shuffled
from trainables.families.checkpoint_files import require_shapes
from trainables.families.diffusion import gpu
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Denoiser, Dense
from trainables.families.diffusion.process import errors, noise, scheduler
from trainables.lineage import Stream
from trainables.runtime import isolated, pick_device, seeded
from trainables.sources.molecules import Chain, read

CHECK_EVERY = 16
"""Updates between two looks at whether the loss is still finite: a look waits for the device."""


def gather(corpus: Corpus) -> tuple[Chain, np.ndarray]:
    """A corpus's rows, which stay where they are, and each row's weight in the loss, relative to their mean."""
    rows, weights = [], []
    for part in corpus.parts:
        rows.append(Chain(tuple(read(batch.payload) for batch in part.batches), part.index))
        weights.append(np.full(part.rows, part.weight))
    weight = np.concatenate(weights)
    weight = weight / weight.max()
    return Chain.join(rows), weight / weight.mean()


def fit(
    config: DiffusionConfig,
    rows: Chain,
    weights: np.ndarray,
    stream: Stream,
    start: Mapping[str, np.ndarray] | None = None,
) -> Denoiser:
    """A fitted denoiser: ε-prediction, every molecule counting alike (Xu et al. 2022, equation 10).

    Args:
        config: model and schedule.
        rows: the corpus.
        weights: of each row in the loss, mean 1, [rows].
        stream: randomness of initialisation, order and noise.
        start: weights to go on from; None starts at random ones.

    Raises:
        Diverged: the loss or a weight is not finite.
    """
    model = create(config, stream.integer("init")).to(pick_device()) if start is None else load(config, start).train()
    updates = config.updates(len(rows))
    together = joined(model)
    featured, weight = Featured(rows, config.scale), torch.from_numpy(weights.astype(np.float32))
    stays = gpu.can_stay(featured.sizes, updates * config.batch)
    update = (gpu.RecordedUpdate if stays else PlainUpdate)(config, model, together, featured, weight)
    batches = shuffled(len(rows), config.batch, stream.numpy("order"))
    generator = seeded(stream.integer("noise"))
    for step in range(updates):
        index = next(batches)
        draws = noise_and_times(config, featured.sizes[index], generator)
        loss = update(config.learning_rate * rate(config, step, updates), index, *draws)
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == updates:
            _require_finite(loss, step + 1)
    _require_finite(together.detach().double().abs().sum(), updates)
    return model


def create(config: DiffusionConfig, seed: int) -> Denoiser:
    """A freshly initialised model; the global generator is left as it was."""
    with isolated(seed):
        return Denoiser(config)


def joined(model: Denoiser) -> torch.nn.Parameter:
    """All parameters as one, of which each, and its gradient, becomes a view: an update is then one of a single tensor,
    not of three dozen small ones."""
    together = torch.nn.Parameter(torch.cat([p.detach().flatten() for p in model.parameters()]))
    together.grad = torch.zeros_like(together)
    start = 0
    for p in model.parameters():
        part = slice(start, start + p.numel())
        p.data, p.grad = together.data[part].view_as(p), together.grad[part].view_as(p)
        start = part.stop
    return together


def load(config: DiffusionConfig, tensors: Mapping[str, np.ndarray]) -> Denoiser:
    """A fitted model on this process's device."""
    model = create(config, 0)
    model.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    return model.to(pick_device()).eval()


def check_weights(config: DiffusionConfig, folder: Path) -> None:
    """Refuse a checkpoint that is not of this config's denoiser.

    Raises:
        ValueError: one line says what differs.
    """
    require_shapes(folder, {name: tuple(value.shape) for name, value in create(config, 0).state_dict().items()})


def weights_of(model: Denoiser) -> dict[str, np.ndarray]:
    """Its parameters by name."""
    return {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}


def rate(config: DiffusionConfig, step: int, updates: int) -> float:
    """The learning rate of update `step` (from 0), relative to its peak."""
    warm = max(1, round(config.warmup * updates))
    return min((step + 1) / warm, (updates - step) / max(1, updates - warm))


class PlainUpdate:
    """A denoiser's updates on one corpus, by Adam, rows of each padded to its largest.

    Args:
        config: of the fit.
        model: fitted in place.
        together: all its parameters as one, of which they are views.
        featured: the corpus.
        weight_C: of its rows in the loss.
    """

    def __init__(
        self,
        config: DiffusionConfig,
        model: Denoiser,
        together: torch.nn.Parameter,
        featured: Featured,
        weight_C: torch.Tensor,
    ) -> None:
        self.config, self.model, self.together = config, model, together
        self.featured, self.weight_C = featured, weight_C
        self.levels_T = scheduler(config).alphas_cumprod.to(together.device)
        self.optimizer = torch.optim.Adam([together], fused=together.device.type in ("cpu", "cuda"))

    def __call__(self, rate: float, index: np.ndarray, eps_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        """The loss before the update at a learning rate; of rows, noise, and timesteps."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self._loss(index, eps_BN3, t_B)
        self.optimizer.zero_grad(set_to_none=False)  # parameters keep views of it
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.together, self.config.clip)
        self.optimizer.step()
        return loss.detach()

    def _loss(self, index: np.ndarray, eps_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        here = self.together.device
        given = self.model.prepare(self.featured.graphs(index).to(here))
        places_BN3 = self.featured.places(index).to(here)
        found_B = errors(self.model, given, places_BN3, eps_BN3.to(here), t_B.to(here), self.levels_T)
        return (found_B * self.weight_C[index].to(here)).mean()


def drawn(
    config: DiffusionConfig, featured: Featured, index: np.ndarray, generator: torch.Generator
) -> tuple[Dense, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Graphs, coordinates, noise and timesteps of a batch."""
    draws = noise_and_times(config, featured.sizes[index], generator)
    return featured.graphs(index), featured.places(index), *draws


def noise_and_times(
    config: DiffusionConfig, sizes: np.ndarray, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise [B, N, 3] and timesteps [B] of molecules of so many atoms, the times spread evenly over them: the loss
    varies less than at independent ones.
    """
    rows = len(sizes)
    even = (torch.randperm(rows, generator=generator) + torch.rand(rows, generator=generator)) / rows
    t_B = (even * config.timesteps).long().clamp(max=config.timesteps - 1)
    mask_BN = torch.from_numpy((np.arange(sizes.max()) < sizes[:, None]).astype(np.float32))
    return noise(torch.Size([*mask_BN.shape, 3]), mask_BN, generator), t_B


def _require_finite(value: torch.Tensor | float, step: int) -> None:
    if not math.isfinite(float(value)):
        raise Diverged(f"loss is not finite at step {step}")

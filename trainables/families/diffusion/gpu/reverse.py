"""The reverse process of molecules side by side: one step is recorded for each number and size of them, and replayed.

Noise is drawn on the CPU as ever. Letters in tensor names: B molecules, N atoms, S steps.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.cpu.denoiser import Predictor
from trainables.families.diffusion.denoiser import Denoiser, Dense, Prepared
from trainables.families.diffusion.gpu.update import sized
from trainables.families.diffusion.process import BOX, steps
from trainables.runtime import Captured, forget

KEPT = 8
"""Numbers and sizes of molecules whose steps are kept, the latest."""

_kept: dict[str, Reverse] = {}
"""The last make that was sampled in this process, its steps recorded."""


def can_record(model: Predictor) -> bool:
    """Whether steps are recorded: of a denoiser on CUDA."""
    return isinstance(model, Denoiser) and model.centres_R1.is_cuda


def reversed_in_place(config: DiffusionConfig, model: Denoiser, graphs: Dense, draws: list[Tensor]) -> Tensor:
    """Coordinates, [B, N, 3], as `process.reversed_` finds them, by recorded steps. Under `torch.no_grad`.

    Args:
        config: of the model and its sampler.
        model: its weights are copied.
        graphs: of the molecules, on the model's device.
        draws: pure noise, and the noise of the steps.
    """
    shapes = [tuple(p.shape) for p in model.parameters()]
    told = config.timesteps, config.sampling_steps, config.sampler, config.schedule, config.beta_start, config.beta_end
    key = f"{shapes} {told} {model.centres_R1.device}"
    if key not in _kept:
        forget(_kept)  # of another make: its memory is wanted
        _kept[key] = Reverse(config, copy.deepcopy(model))
    _kept[key].load(model)
    return _kept[key](graphs, draws)


class Reverse:
    """The reverse process of one make of denoiser.

    Args:
        config: of the sampler.
        model: of the shape of every denoiser that will be sampled; its weights are written over.
    """

    def __init__(self, config: DiffusionConfig, model: Denoiser) -> None:
        self.model, self.device = model, model.centres_R1.device
        plan = steps(config)
        rows = [(step.noisy, step.noise, step.clean, step.kept, step.fresh) for step in plan]
        self.weights_S5 = torch.tensor(rows, dtype=torch.float32, device=self.device)
        self.times_S = torch.tensor([step.t for step in plan], device=self.device)
        self.noisy = config.sampler == "ddpm"
        self._batches: dict[tuple[int, int], _Batch] = {}

    def load(self, model: Denoiser) -> None:
        """Go on with another denoiser's weights."""
        for mine, theirs in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.copy_(theirs)

    def __call__(self, graphs: Dense, draws: list[Tensor]) -> Tensor:
        rows, atoms = graphs.mask_BN.shape
        shape = rows, sized(atoms)
        batch = self._batches.pop(shape, None) or _Batch(self, *shape)
        self._batches[shape] = batch
        if len(self._batches) > KEPT:
            self._batches.pop(next(iter(self._batches)))
        return batch.run(graphs, draws)[:, :atoms]


class _Batch:
    """So many molecules, padded to a size."""

    def __init__(self, whole: Reverse, rows: int, size: int) -> None:
        self.whole, self.size = whole, size
        self.x_BN3, self.fresh_BN3 = (torch.zeros(rows, size, 3, device=whole.device) for _ in range(2))
        self.step = torch.zeros(1, dtype=torch.int64, device=whole.device)
        self.given: Prepared | None = None
        self.again = Captured(self._once, whole.device)

    def run(self, graphs: Dense, draws: list[Tensor]) -> Tensor:
        """Coordinates from the first draw on; the others are the noise of the steps."""
        more = self.size - graphs.mask_BN.shape[1]
        edges_BNN = pad(graphs.edges_BNN, (0, more, 0, more))
        self._hold(
            self.whole.model.prepare(Dense(pad(graphs.types_BN, (0, more)), edges_BNN, pad(graphs.mask_BN, (0, more))))
        )
        self.x_BN3.copy_(pad(draws[0], (0, 0, 0, more)))
        self.step.zero_()
        for number in range(len(self.whole.times_S)):
            if self.whole.noisy and number + 1 < len(draws):
                self.fresh_BN3.copy_(pad(draws[number + 1], (0, 0, 0, more)))
            else:
                self.fresh_BN3.zero_()
            self.again()
        return self.x_BN3

    def _hold(self, given: Prepared) -> None:
        """What is known of the molecules, where a recording reads it."""
        parts = given.states_BNW, given.edges_EP, given.pairs_BNN, given.mask_BN
        if self.given is None:
            self.given = Prepared(*(part.clone() for part in parts))
            return
        held = self.given.states_BNW, self.given.edges_EP, self.given.pairs_BNN, self.given.mask_BN
        for mine, part in zip(held, parts, strict=True):
            mine.copy_(part)

    def _once(self) -> None:
        """One step, as `process.stepped`, of weights that it reads itself."""
        assert self.given is not None  # a run holds them first
        t_1 = self.whole.times_S.index_select(0, self.step)
        noisy, noise, clean, kept, fresh = self.whole.weights_S5.index_select(0, self.step)[0].unbind()
        eps_BN3 = self.whole.model(self.given, self.x_BN3, t_1)
        clean_BN3 = (self.x_BN3 * noisy - eps_BN3 * noise).clamp_(-BOX, BOX)
        self.x_BN3.copy_(clean_BN3 * clean + self.x_BN3 * kept + self.fresh_BN3 * fresh)
        self.step.add_(1)

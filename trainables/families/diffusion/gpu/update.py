"""An update of a denoiser: the corpus lies on the device, and one function of tensors is recorded for each size.

Order, timesteps and noise are drawn on the CPU as ever, so that a fit depends on the device by rounding alone.
Letters in tensor names: C rows of the corpus, B rows of an update, N atoms.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Denoiser, Dense
from trainables.families.diffusion.process import errors, scheduler
from trainables.runtime import Captured, pick_device

SIZE = 8
"""Molecules of an update are padded to a multiple of so many atoms."""

HELD = 0.25
"""Share of a device's free memory that a corpus may take; a larger one stays on the host and is padded there."""


def can_stay(sizes: np.ndarray, drawn: int) -> bool:
    """Whether molecules of these sizes lie on the device: on CUDA, where they fit and a fit draws as many rows."""
    device = pick_device()
    if drawn < len(sizes):
        return False
    return device.type == "cuda" and resident_bytes(sizes) < HELD * torch.cuda.mem_get_info(device)[0]


def resident_bytes(sizes: np.ndarray) -> int:
    """Of a corpus on the device: its kinds of atoms and pairs, masks and coordinates."""
    largest = sized(int(sizes.max()))
    return len(sizes) * largest * (largest + 8 + 4 + 12)


def sized(atoms: int) -> int:
    """What molecules of so many atoms are padded to."""
    return -(-atoms // SIZE) * SIZE


class RecordedUpdate:
    """A denoiser's updates on one corpus, by Adam; called with what the plain update is called with.

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
        weight_C: Tensor,
    ) -> None:
        here = together.device
        self.config, self.model, self.together = config, model, together
        self.rate, self.value = (torch.zeros((), device=here) for _ in range(2))
        self.optimizer = torch.optim.Adam([together], lr=self.rate, fused=True, capturable=here.type == "cuda")
        self.sizes, every = featured.sizes, np.arange(len(featured.sizes))
        more = sized(int(self.sizes.max())) - int(self.sizes.max())
        graphs = featured.graphs(every)
        self.types_CN, self.mask_CN = (pad(part, (0, more)).to(here) for part in (graphs.types_BN, graphs.mask_BN))
        self.edges_CNN = pad(graphs.edges_BNN, (0, more, 0, more)).to(here)
        self.x_CN3 = pad(featured.places(every), (0, 0, 0, more)).to(here)
        self.weight_C, self.levels_T = weight_C.to(here), scheduler(config).alphas_cumprod.to(here)
        self._held: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._runs: dict[int, Captured] = {}

    def __call__(self, rate: float, index: np.ndarray, eps_BN3: Tensor, t_B: Tensor) -> Tensor:
        """The loss before the update at a learning rate; of rows, noise, and timesteps."""
        size = sized(int(self.sizes[index].max()))
        noise = pad(eps_BN3, (0, 0, 0, size - eps_BN3.shape[1]))
        given = torch.from_numpy(index), noise, t_B
        if size not in self._runs:
            self._held[size] = tuple(part.to(self.rate.device, copy=True) for part in given)  # type: ignore[assignment]
            self._runs[size] = Captured(self._once, self.rate.device, size)
        for held, part in zip(self._held[size], given, strict=True):
            held.copy_(part, non_blocking=True)
        self.rate.fill_(rate)
        self._runs[size]()
        return self.value

    def _once(self, size: int) -> None:
        index_B, eps_BN3, t_B = self._held[size]
        edges_BNN = self.edges_CNN[:, :size, :size][index_B]
        given = self.model.prepare(Dense(self.types_CN[:, :size][index_B], edges_BNN, self.mask_CN[:, :size][index_B]))
        found_B = errors(self.model, given, self.x_CN3[:, :size][index_B], eps_BN3, t_B, self.levels_T)
        loss = (found_B * self.weight_C[index_B]).mean()
        self.optimizer.zero_grad(set_to_none=False)  # parameters keep views of it
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.together, self.config.clip)
        self.optimizer.step()
        self.value.copy_(loss.detach())

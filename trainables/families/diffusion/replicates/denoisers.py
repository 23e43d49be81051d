"""Many denoisers of one shape as one: every linear map is a batched product over a leading axis of replicates.

The same function as `denoiser.Denoiser`. Names end in their shape: R replicates, S molecules of all of them, those of
one replicate behind another's, B of one; N atoms, W state, M message, F pair features, P = B·N·N pairs of a replicate,
A = B·N atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.families.diffusion.config import EDGE_TYPES
from trainables.families.diffusion.denoiser import (
    NEAR,
    NEIGHBOURS,
    NOTHING,
    REACH,
    Denoiser,
    Dense,
    centred,
    moved,
    squared_distances,
    time_features,
)
from trainables.families.diffusion.replicates.messages import pull_and_sum


@dataclass(frozen=True)
class Prepared:
    """What the denoisers know of molecules before they see coordinates.

    Attributes:
        states_RAW: of the atoms.
        edges_REP: edge types of all pairs, one-hot.
        pairs_SNN: 1 where two different atoms are.
        mask_BN: 1 where an atom is, of all S molecules.
    """

    states_RAW: Tensor
    edges_REP: Tensor
    pairs_SNN: Tensor
    mask_BN: Tensor


class Denoisers:
    """Denoisers with their parameters stacked, `parameters`, matrices as [R, inputs, outputs]."""

    def __init__(self, models: Sequence[Denoiser]) -> None:
        self._like = models[0]
        states = [dict(model.named_parameters()) for model in models]
        self.parameters = {
            name: torch.stack([_factor(name, state[name].detach()) for state in states]).requires_grad_()
            for name in states[0]
        }

    def weights(self) -> list[dict[str, np.ndarray]]:
        """Each one's parameters by name, as it holds them itself."""
        stacked = {name: p.detach().cpu() for name, p in self.parameters.items()}
        count = len(next(iter(stacked.values())))
        return [{name: _factor(name, p[number]).numpy() for name, p in stacked.items()} for number in range(count)]

    def prepare(self, graphs: Dense) -> Prepared:
        """As `Denoiser.prepare`, of all replicates' molecules."""
        table = self.parameters["atom.weight"]
        count, _, width = table.shape
        pairs_SNN = graphs.mask_BN[:, :, None] * graphs.mask_BN[:, None] * (graphs.edges_BNN > 0)
        kinds_E = torch.arange(EDGE_TYPES, dtype=torch.uint8, device=table.device)
        edges_REP = (graphs.edges_BNN.view(count, 1, -1) == kinds_E[:, None]).to(pairs_SNN.dtype)
        types_RAW = graphs.types_BN.view(count, -1, 1).expand(-1, -1, width)
        return Prepared(table.gather(1, types_RAW), edges_REP, pairs_SNN, graphs.mask_BN)

    def __call__(self, given: Prepared, x_BN3: Tensor, t_B: Tensor) -> Tensor:
        """As `Denoiser.forward`, B being all S molecules."""
        rounds, count = len(self._like.layers), len(given.states_RAW)
        h_RAW = self._timed(given.states_RAW, t_B.view(count, -1))
        d2_SNN = squared_distances(x_BN3)
        features_RFP = torch.cat([given.edges_REP, self._radial(d2_SNN.view(count, 1, -1))], 1)
        y_SN3 = x_BN3
        for number in range(rounds):
            d2_SNN = squared_distances(y_SN3) if number else d2_SNN
            last = number + 1 == rounds
            pull_SNN, heard_RAM = self._messages(number, h_RAW, features_RFP, d2_SNN, given.pairs_SNN, summed=not last)
            y_SN3 = moved(y_SN3, pull_SNN, d2_SNN, given.pairs_SNN)
            if heard_RAM is not None:
                mixed = self._linear(f"layers.{number}.mix", torch.cat([h_RAW, heard_RAM / NEIGHBOURS], -1))
                h_RAW = h_RAW + self._linear(f"layers.{number}.update", functional.silu(mixed))
        return centred(y_SN3 - x_BN3, given.mask_BN)

    def _timed(self, states_RAW: Tensor, t_RB: Tensor) -> Tensor:
        features = time_features(t_RB.flatten() / self._like.timesteps).view(*t_RB.shape, -1)
        time_RBW = self._linear("time.2", functional.silu(self._linear("time.0", features)))
        atoms = states_RAW.shape[1] // t_RB.shape[1]
        return states_RAW + time_RBW.repeat_interleave(atoms, dim=1)

    def _messages(
        self, number: int, h_RAW: Tensor, features_RFP: Tensor, d2_SNN: Tensor, pairs_SNN: Tensor, *, summed: bool
    ) -> tuple[Tensor, Tensor | None]:
        name, held = f"layers.{number}", self.parameters
        target_RAM = self._linear(f"{name}.target", h_RAW)
        source_RAM = torch.bmm(h_RAW, held[f"{name}.source.weight"])
        maps = held[f"{name}.pair.weight"], held[f"{name}.distance_M"], held[f"{name}.message.weight"]
        read = held[f"{name}.message.bias"], held[f"{name}.move.weight"][..., 0]
        return pull_and_sum(target_RAM, source_RAM, features_RFP, d2_SNN, *maps, *read, pairs_SNN, summed=summed)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return torch.baddbmm(self.parameters[f"{name}.bias"][:, None], x, self.parameters[f"{name}.weight"])

    def _radial(self, d2_R1P: Tensor) -> Tensor:
        """As `Denoiser._radial`."""
        far = (d2_R1P + NEAR).sqrt_() - self._like.centres_R1
        return far.mul_((self._like.radial - 1) / REACH).square_().neg_().clamp_(min=NOTHING).exp_()


def _factor(name: str, p: Tensor) -> Tensor:
    """A parameter as the right factor of a product, and the inverse of that: both turn linear maps alone."""
    return p.t().contiguous() if p.ndim == 2 and name != "atom.weight" else p.clone()

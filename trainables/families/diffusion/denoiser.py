"""The denoiser: an E(n)-equivariant graph network on padded dense molecules, every pair of atoms an edge.

Equivariance follows Satorras et al. 2021 (arXiv 2102.09844, equations 3 to 6) with the coordinate update of
Hoogeboom et al. 2022 (arXiv 2203.17003, equation 12): states see coordinates through distances alone, and
coordinates move along differences. Names end in their shape: B molecules, N atoms, W state, M message, F pair features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from trainables.families.diffusion.config import ATOM_TYPES, EDGE_TYPES, TIME_FEATURES, DiffusionConfig
from trainables.families.diffusion.cpu import pull_and_sum

NEIGHBOURS = 8.0
"""Messages are summed and divided by this, so that states neither vanish nor grow with the molecule."""

NEAR = 1e-6
"""Added to a squared distance, so that its root has a slope at 0."""

REACH = 4.0
"""Centre of the last Gaussian, in units of the noise."""


NOTHING = -60.0
"""Least exponent of a Gaussian: smaller ones would give numbers below the normal range, which processors take a hundred
times as long to work with."""


@dataclass(frozen=True)
class Dense:
    """Molecules padded to one size.

    Attributes:
        types_BN: int64, atom types.
        edges_BNN: uint8, edge types; 0 on the diagonal and the padding.
        mask_BN: float, 1 where there is an atom.
    """

    types_BN: torch.Tensor
    edges_BNN: torch.Tensor
    mask_BN: torch.Tensor

    def to(self, device: torch.device) -> Dense:
        """The same on another device."""
        return Dense(*(t.to(device, non_blocking=True) for t in (self.types_BN, self.edges_BNN, self.mask_BN)))


@dataclass(frozen=True)
class Prepared:
    """What the denoiser knows of some molecules before it sees coordinates: computed once, used at every step.

    Attributes:
        states_BNW: of the atoms.
        edges_EP: edge types of all B·N·N pairs, one-hot.
        pairs_BNN: 1 where two different atoms are.
        mask_BN: 1 where an atom is.
    """

    states_BNW: torch.Tensor
    edges_EP: torch.Tensor
    pairs_BNN: torch.Tensor
    mask_BN: torch.Tensor


def centred(x_BN3: torch.Tensor, mask_BN: torch.Tensor) -> torch.Tensor:
    """Coordinates with the centroid of each molecule at 0, and padding at 0."""
    x_BN3 = x_BN3 * mask_BN[..., None]
    return x_BN3 - (x_BN3.sum(1) / mask_BN.sum(1, keepdim=True))[:, None] * mask_BN[..., None]


class Layer(nn.Module):
    """One round of messages between all pairs of atoms.

    The first linear map of a message acts on (state i, state j, edge, noisy distance, distance now); it is kept as
    one map a part, so that what depends on one atom is computed once an atom rather than once a pair. After the
    last round only coordinates are read, so it has no update of states.
    """

    def __init__(self, width: int, messages: int, radial: int, last: bool) -> None:
        super().__init__()
        self.last = last
        self.target = nn.Linear(width, messages)
        self.source = nn.Linear(width, messages, bias=False)
        self.pair = nn.Linear(EDGE_TYPES + radial, messages, bias=False)
        self.distance_M = nn.Parameter(torch.randn(messages) / messages**0.5)
        self.message = nn.Linear(messages, messages)
        self.move = nn.Linear(messages, 1, bias=False)
        if not last:
            self.mix = nn.Linear(width + messages, width)
            self.update = nn.Linear(width, width)
        nn.init.normal_(self.move.weight, std=0.01)

    def forward(
        self,
        h_BNW: torch.Tensor,
        x_BN3: torch.Tensor,
        d2_BNN: torch.Tensor,
        features_FP: torch.Tensor,
        pairs_BNN: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """New states and coordinates."""
        ends = self.target(h_BNW), self.source(h_BNW)
        maps = self.pair.weight, self.distance_M, self.message.weight, self.message.bias, self.move.weight[0]
        pull_BNN, heard_BNM = pull_and_sum(*ends, features_FP, d2_BNN, *maps, pairs_BNN, summed=not self.last)
        x_BN3 = moved(x_BN3, pull_BNN, d2_BNN, pairs_BNN)
        if heard_BNM is None:
            return h_BNW, x_BN3
        mixed = self.mix(torch.cat([h_BNW, heard_BNM / NEIGHBOURS], -1))
        return h_BNW + self.update(functional.silu(mixed)), x_BN3


class Denoiser(nn.Module):
    """ε̂(x_t, t, graph): the noise in noisy coordinates, of centroid 0, rotating and reflecting with them."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.timesteps = config.timesteps
        self.atom = nn.Embedding(ATOM_TYPES, config.width)
        self.time = nn.Sequential(
            nn.Linear(TIME_FEATURES, config.width), nn.SiLU(), nn.Linear(config.width, config.width)
        )
        shape = config.width, config.messages, config.radial
        rounds = [Layer(*shape, last=number + 1 == config.layers) for number in range(config.layers)]
        self.layers: list[Layer] = nn.ModuleList(rounds)  # type: ignore[assignment]
        self.radial = config.radial
        self.centres_R1: torch.Tensor
        self.register_buffer("centres_R1", torch.linspace(0.0, REACH, config.radial)[:, None], persistent=False)

    def prepare(self, graphs: Dense) -> Prepared:
        """What does not depend on coordinates or time."""
        pairs_BNN = graphs.mask_BN[:, :, None] * graphs.mask_BN[:, None] * (graphs.edges_BNN > 0)
        kinds_E = torch.arange(EDGE_TYPES, dtype=torch.uint8, device=graphs.edges_BNN.device)
        edges_EP = (graphs.edges_BNN.flatten() == kinds_E[:, None]).to(pairs_BNN.dtype)
        return Prepared(self.atom(graphs.types_BN), edges_EP, pairs_BNN, graphs.mask_BN)

    def forward(self, given: Prepared, x_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        """Noise predicted in x_BN3 (in units of the noise, centroid 0) at integer timesteps t_B."""
        h_BNW = given.states_BNW + self.time(time_features(t_B / self.timesteps))[:, None]
        d2_BNN = squared_distances(x_BN3)
        features_FP = torch.cat([given.edges_EP, self._radial(d2_BNN)])
        y_BN3 = x_BN3
        for number, layer in enumerate(self.layers):
            d2_BNN = squared_distances(y_BN3) if number else d2_BNN
            h_BNW, y_BN3 = layer(h_BNW, y_BN3, d2_BNN, features_FP, given.pairs_BNN)
        return centred(y_BN3 - x_BN3, given.mask_BN)

    def _radial(self, d2_BNN: torch.Tensor) -> torch.Tensor:
        """Gaussians of the noisy distances, [R, B·N·N]."""
        d_P = (d2_BNN + NEAR).sqrt_().flatten()
        return (d_P - self.centres_R1).mul_((self.radial - 1) / REACH).square_().neg_().clamp_(min=NOTHING).exp_()


def moved(x_BN3: torch.Tensor, pull_BNN: torch.Tensor, d2_BNN: torch.Tensor, pairs_BNN: torch.Tensor) -> torch.Tensor:
    """x_i + Σ_j pull_ij (x_i − x_j) / (1 + d_ij) over real pairs (Hoogeboom et al. 2022, equation 12)."""
    pull_BNN = pull_BNN * pairs_BNN / (1 + (d2_BNN + NEAR).sqrt())
    return x_BN3 * (1 + pull_BNN.sum(2, keepdim=True)) - pull_BNN @ x_BN3


def squared_distances(x_BN3: torch.Tensor) -> torch.Tensor:
    """|x_i − x_j|² by differences, exact for near atoms, unlike the expanded square; coordinate by coordinate, so
    that loops run along atoms rather than along three numbers."""
    x_B3N = x_BN3.transpose(1, 2).contiguous()
    return (x_B3N[:, :, :, None] - x_B3N[:, :, None]).square().sum(1)


def time_features(share_B: torch.Tensor) -> torch.Tensor:
    """A time in [0, 1) and waves of it, [B, TIME_FEATURES]."""
    waves = 2.0 ** torch.arange(-1, 7, device=share_B.device) * math.pi
    angle = share_B[:, None] * waves
    return torch.cat([share_B[:, None], angle.sin(), angle.cos()], -1)

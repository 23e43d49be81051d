"""The denoiser without gradients on a CPU: called as the network is, computed by the compiled `lane_loops`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from trainables.families.diffusion.config import EDGE_TYPES
from trainables.families.diffusion.denoiser import NEAR, NEIGHBOURS, NOTHING, REACH, Denoiser, Dense, time_features

if TYPE_CHECKING:
    from trainables.families.diffusion.cpu.loops import Molecules, Room, Weights

BLOCK = 4
"""Rows and columns of a weight that are applied at once."""

WIDEST = 64
"""Bytes of the widest vectors."""


class Predictor(Protocol):
    """What predicts noise: a `Denoiser`, or what computes the same."""

    def prepare(self, graphs: Dense) -> Any:
        """What does not depend on coordinates or time."""

    def __call__(self, given: Any, x_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        """The noise in coordinates at timesteps, [B] or [1]."""


def predictor(model: Predictor) -> Predictor:
    """The quickest that computes what the model does, without gradients: later changes of its weights don't count."""
    return Lanes(model) if isinstance(model, Denoiser) and _suits(model) else model


def _suits(model: Denoiser) -> bool:
    return all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())


@dataclass(frozen=True)
class Beside:
    """Molecules side by side, and where the network's numbers of them go.

    Attributes:
        mask_BN: 1 where an atom is.
    """

    mask_BN: torch.Tensor
    molecules: Molecules
    room: Room


class Lanes:
    """A fitted denoiser with its weights laid out for loops over molecules."""

    def __init__(self, model: Denoiser) -> None:
        self._model = model
        self._weights = weights_of(model)

    @torch.no_grad()
    def prepare(self, graphs: Dense) -> Beside:
        """Molecules laid out, and room for their numbers: the next call writes over what this one returned."""
        rows, size = graphs.mask_BN.shape
        return Beside(graphs.mask_BN, self._molecules(graphs), self._room(rows * size))

    @torch.no_grad()
    def __call__(self, given: Beside, x_BN3: torch.Tensor, t_B: torch.Tensor) -> torch.Tensor:
        """As `Denoiser.forward`."""
        from trainables.families.diffusion.cpu.loops import predict

        rows, size = given.mask_BN.shape
        time_WB = self._model.time(time_features(t_B / self._model.timesteps)).numpy().T
        states, kept = (table.reshape(len(table), size, rows) for table in (given.room.states, given.molecules.states))
        np.add(kept[: len(time_WB)], time_WB[:, None], out=states[: len(time_WB)])
        states[len(time_WB) :] = 0
        x = np.ascontiguousarray(x_BN3.numpy().transpose(2, 1, 0)).reshape(3, size * rows)
        predict(self._weights, given.molecules, given.room, x)
        return torch.from_numpy(np.ascontiguousarray(given.room.noise.reshape(3, size, rows).transpose(2, 1, 0)))

    def _molecules(self, graphs: Dense) -> Molecules:
        from trainables.families.diffusion.cpu.loops import Molecules

        rows, size = graphs.mask_BN.shape
        _, _, width = self._weights.target.shape
        states = aligned(width, size, rows)
        states[: self._model.atom.weight.shape[1]] = self._model.atom(graphs.types_BN).numpy().transpose(2, 1, 0)
        real = np.ascontiguousarray(graphs.mask_BN.numpy().T)
        atoms = np.arange(size)
        heard = (atoms + np.arange(1, size)[:, None]) % size
        kinds = graphs.edges_BNN.numpy().transpose(1, 2, 0)[atoms, heard]
        seen = aligned(size - 1, self._weights.pair.shape[2], size, rows)
        for kind in range(1, EDGE_TYPES):
            seen[:, kind - 1] = kinds == kind
        pairs = real * real[heard] * (kinds > 0)
        points = size * rows
        flat = states.reshape(width, points), real.ravel(), pairs.reshape(size - 1, points)
        return Molecules(rows, *flat, seen.reshape(*seen.shape[:2], points), EDGE_TYPES - 1)

    def _room(self, points: int) -> Room:
        from trainables.families.diffusion.cpu.loops import Room

        _, messages, width = self._weights.target.shape
        rows = {"states": width, "mixed": width, "noise": 3}
        rows |= dict.fromkeys(("target", "source", "heard", "first", "message"), messages)
        tables = {name: aligned(count, points) for name, count in rows.items()}
        twice = {name: aligned(count, 2 * points) for name, count in (("source2", messages), ("here2", 3))}
        return Room(**tables, **twice, pull=aligned(points))


def aligned(*shape: int) -> np.ndarray:
    """Zeros, float32, from an address on where the widest vectors are read in one piece."""
    count = 4 * math.prod(shape)
    held = np.zeros(count + WIDEST, dtype=np.uint8)
    start = -held.ctypes.data % WIDEST
    return held[start : start + count].view(np.float32).reshape(shape)


def weights_of(model: Denoiser) -> Weights:
    """A copy of its weights."""
    from trainables.families.diffusion.cpu.loops import Weights

    rounds = list(model.layers)
    width, updated = model.atom.weight.shape[1], rounds[:-1]
    tables: dict[str, list[torch.Tensor]] = {
        "target": [r.target.weight for r in rounds],
        "source": [r.source.weight for r in rounds],
        "pair": [_pair(r.pair.weight, r.distance_M) for r in rounds],
        "message": [r.message.weight for r in rounds],
        "mix_state": [r.mix.weight[:, :width] for r in updated],
        "mix_heard": [r.mix.weight[:, width:] / NEIGHBOURS for r in updated],
        "update": [r.update.weight for r in updated],
    }
    vectors: dict[str, list[torch.Tensor]] = {
        "target_bias": [r.target.bias for r in rounds],
        "message_bias": [r.message.bias for r in rounds],
        "move": [r.move.weight[0] for r in rounds],
        "mix_bias": [r.mix.bias for r in updated],
        "update_bias": [r.update.bias for r in updated],
    }
    stacked = {name: _stacked(found, 2) for name, found in tables.items()}
    stacked |= {name: _stacked(found, 1) for name, found in vectors.items()}
    centres = model.centres_R1[:, 0].numpy()
    sharpness, nothing, near = map(np.float32, ((model.radial - 1) / REACH, NOTHING, NEAR))
    return Weights(**stacked, centres=centres, sharpness=sharpness, nothing=nothing, near=near)


def _pair(weight: torch.Tensor, distance_M: torch.Tensor) -> torch.Tensor:
    """[M, K], K padded before the distance. The first kind of edge is an atom's with itself, of which there are no
    pairs."""
    missing = -weight.shape[1] % BLOCK
    return torch.cat([weight[:, 1:], weight.new_zeros(len(weight), missing), distance_M[:, None]], 1)


def _stacked(found: list[torch.Tensor], axes: int) -> np.ndarray:
    """Tables or vectors of every round, padded by zeros to whole blocks."""
    if not found:
        return np.zeros((0,) * (axes + 1), dtype=np.float32)
    table = torch.stack(found).detach().numpy()
    return np.ascontiguousarray(np.pad(table, [(0, 0)] + [(0, -length % BLOCK) for length in table.shape[1:]]))

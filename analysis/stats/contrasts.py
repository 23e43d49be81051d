"""What tests of laws of growth multiply a curve with: contrasts of each law with its rivals, and bases of whole shapes.

For a law g and a rival h, the contrast is the part of h that a + b·g can't follow, in whitened values: its mean over
recursions is 0 under g and above 0 under h, whatever a and b are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analysis.stats import law_set, noise
from analysis.stats.law_set import BOUNDED, DIVERGING, Law

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Contrasts on plain values, [rivals · laws, G], and shapes whitened to unit length.

    Attributes:
        bounded, diverging: contrasts against the laws of a class.
        shapes: diverging laws, [laws, G − 1].
        pairs: orthonormal bases of every two of a few bounded laws, [2, pairs, G − 1].
        approaches: bounded laws on finer grids.
        growing: orthonormal bases of each of the few with each rival that diverges, whose own part is second.
        jumps: diverging laws after a jump.
        quickening: orthonormal bases of each jump with each growth that does not slow down, whose own part is second.
        leaning: how much of the jump a unit of each second part takes with it, [pairs].
        against_jumps: contrasts of these against bounded laws.
    """

    bounded: Array
    diverging: Array
    shapes: Array
    pairs: Array
    approaches: Array
    growing: Array
    jumps: Array
    quickening: Array
    leaning: Array
    against_jumps: Array


@lru_cache(maxsize=256)
def design_of(model: int, generations: int) -> Design:
    """Those of a noise model and so many generations."""
    white = noise.whitener(model, generations)
    bounded = _unit(law_set.bounded(generations), white)
    diverging = _unit(law_set.diverging(generations), white)
    against_bounded = _contrasts(bounded, _unit(law_set.rivals(DIVERGING, generations), white))
    against_diverging = _contrasts(diverging, _unit(law_set.rivals(BOUNDED, generations), white))
    few = bounded[[0, 4, 7, 10, 13, 14, 17, 20, 22, 25, 28]]
    growing, _ = _beside(few, _unit(law_set.rivals(DIVERGING, generations), white))
    quickening, leaning = _beside(*(_unit(part, white) for part in law_set.quickening(generations)))
    jumps = _unit(law_set.jumps(generations), white)
    against_jumps = _contrasts(bounded, jumps) @ white
    pairs = _pairs(few)
    finer = _unit(law_set.approaches(generations), white)
    against = against_bounded @ white, against_diverging @ white
    return Design(*against, diverging, pairs, finer, growing, jumps, quickening, leaning, against_jumps)


def _unit(laws: tuple[Law, ...], white: Array) -> Array:
    shapes = np.stack([law.shape for law in laws]) @ white.T
    return np.asarray(shapes / np.linalg.norm(shapes, axis=1, keepdims=True))


def _contrasts(laws: Array, rivals: Array) -> Array:
    """The part of each rival that each law can't follow, to unit length, [rivals · laws, G − 1]; 0 where none is."""
    parts = rivals[:, None] - (rivals @ laws.T)[..., None] * laws[None]
    length = np.linalg.norm(parts, axis=2, keepdims=True)
    kept = np.where(length > 1e-6, parts / np.maximum(length, 1e-12), 0.0)
    return np.asarray(kept.reshape(-1, laws.shape[1]))


def _pairs(laws: Array) -> Array:
    """Orthonormal bases of every two laws, [2, pairs, G − 1]."""
    one, two = np.triu_indices(len(laws), 1)
    rest = laws[two] - (laws[one] * laws[two]).sum(axis=1, keepdims=True) * laws[one]
    return np.stack([laws[one], rest / np.linalg.norm(rest, axis=1, keepdims=True)])


def _beside(laws: Array, others: Array) -> tuple[Array, Array]:
    """Orthonormal bases of every law with every one of some others, whose own part is second, [2, pairs, G − 1]; how
    much of the law a unit of that part takes with it, [pairs]."""
    one, two = (part.ravel() for part in np.indices((len(laws), len(others))))
    along = (laws[one] * others[two]).sum(axis=1)
    rest = others[two] - along[:, None] * laws[one]
    length = np.maximum(np.linalg.norm(rest, axis=1), 1e-12)
    return np.stack([laws[one], rest / length[:, None]]), along / length

"""Inputs of a linear regression, z ~ N(0, I), known by a factor of their Gram matrix until rows are asked for."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property

import numpy as np

from trainables.families.closed_form.random_matrices import blocks, frame, wishart_root
from trainables.lineage import Stream

KEPT = 1 << 23
"""Numbers that a design keeps of its rows, once they were asked for."""


class Design:
    """Independent inputs: Z = Q·rootᵀ with a Bartlett factor `root` and a uniformly random frame Q.

    Attributes:
        rows: of Z.
        name: equal for designs whose Gram matrices are multiples of one another; None for one of its own.
        multiple: the Gram matrix is this times unit·unitᵀ.
        rank: of Z, almost surely.
    """

    def __init__(self, stream: Stream, replicates: int, rows: int, dim: int, name: Hashable = None) -> None:
        self.stream = stream
        self.replicates = replicates
        self.rows = rows
        self.dim = dim
        self.name = name
        self.multiple = 1.0
        self.rank = min(rows, dim)
        self._kept: dict[int, np.ndarray] = {}

    @cached_property
    def unit(self) -> np.ndarray:
        """A factor of the Gram matrix, [replicates, dim, rank]."""
        return wishart_root(self.stream.numpy("gram"), self.replicates, self.dim, self.rows)

    @property
    def root(self) -> np.ndarray:
        """A factor of the Gram matrix itself."""
        return self.unit

    def block(self, part: slice) -> np.ndarray:
        """Z of some replicates, [replicates, rows, dim]; `part` is one of `blocks`."""
        if part.start in self._kept:
            return self._kept[part.start]
        rng = self.stream.numpy("frame", str(part.start))
        z: np.ndarray = frame(rng, part.stop - part.start, self.rows, self.rank) @ self.unit[part].swapaxes(1, 2)
        if self.replicates * self.rows * self.dim <= KEPT:
            self._kept[part.start] = z
        return z


class Tiled(Design):
    """The first `rows` rows of a design that is repeated as often as it takes."""

    def __init__(self, base: Design, rows: int) -> None:
        super().__init__(base.stream, base.replicates, rows, base.dim)
        self.base = base
        self.times, self.rest = divmod(rows, base.rows)
        self.rank = min(base.dim, rows, base.rows)
        self.name = (base.name, self.rest and rows)
        self.multiple = 1.0 if self.rest else float(self.times)

    @cached_property
    def unit(self) -> np.ndarray:
        if not self.rest:
            return self.base.unit
        found = [_gram_root(self.block(part)) for part in blocks(self.replicates, self.base.rows * self.dim)]
        return np.concatenate(found)[:, :, : self.rank]

    @cached_property
    def root(self) -> np.ndarray:
        scaled: np.ndarray = self.unit * np.sqrt(self.multiple)
        return scaled

    def block(self, part: slice) -> np.ndarray:
        z = self.base.block(part)
        return np.concatenate([z] * self.times + [z[:, : self.rest]], axis=1)


def _gram_root(z: np.ndarray) -> np.ndarray:
    upper = np.asarray(np.linalg.qr(z, mode="r"))
    return upper.swapaxes(1, 2)


def columns(z: np.ndarray, root: np.ndarray) -> np.ndarray:
    """The orthonormal columns Q of Z = Q·rootᵀ, [replicates, rows, rank]."""
    if root.shape[1] == root.shape[2]:
        solved = np.linalg.inv(root).swapaxes(1, 2)
    else:
        solved = root @ np.linalg.inv(root.swapaxes(1, 2) @ root)
    q: np.ndarray = z @ solved
    return q

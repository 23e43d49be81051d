"""Ragged rows to padded tensors; where their order is free, grouped by size so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from trainables.families.diffusion.denoiser import Dense
from trainables.sources.molecules import ELEMENTS, Chain, Conformers, Graph

TWO_APART, THREE_APART, FAR = 5, 6, 7


class Featured:
    """Rows with the features of their graphs, each computed once for each labelled graph, when one of its rows is
    asked for: a fit of so many steps looks at few of a pool that has grown.

    Args:
        rows: what to make tensors of.
        scale: ångström of a unit of the noise.
    """

    def __init__(self, rows: Conformers | Chain, scale: float) -> None:
        self.rows = rows
        self.sizes = rows.sizes
        self._scale = scale
        self._features: list[tuple[np.ndarray, np.ndarray]] = []
        self._known: dict[bytes, int] = {}
        self._of = np.full(len(rows), -1, dtype=np.int64)

    def graphs(self, index: np.ndarray) -> Dense:
        """The graphs of the rows at `index`, padded to the largest of them."""
        sizes = self.sizes[index]
        rows, size = len(index), int(sizes.max())
        types_BN = np.zeros((rows, size), dtype=np.int64)
        edges_BNN = np.zeros((rows, size, size), dtype=np.uint8)
        mask_BN = (np.arange(size) < sizes[:, None]).astype(np.float32)
        for slot, (row, n) in enumerate(zip(index.tolist(), sizes.tolist(), strict=True)):
            types_BN[slot, :n], edges_BNN[slot, :n, :n] = self._features[self._number(row)]
        return Dense(*map(torch.from_numpy, (types_BN, edges_BNN, mask_BN)))

    def _number(self, row: int) -> int:
        """Of the features of a row's graph."""
        if self._of[row] < 0:
            graph = self.rows.graph(row)
            if graph.key not in self._known:
                self._known[graph.key] = len(self._features)
                self._features.append((atom_types(graph), edge_types(graph)))
            self._of[row] = self._known[graph.key]
        return int(self._of[row])

    def places(self, index: np.ndarray) -> torch.Tensor:
        """Their coordinates in units of the noise, padded with 0."""
        x_BN3 = np.zeros((len(index), int(self.sizes[index].max()), 3), dtype=np.float32)
        for slot, row in enumerate(index.tolist()):
            place = self.rows.place(row)
            np.divide(place, self._scale, out=x_BN3[slot, : len(place)], dtype=np.float32)
        return torch.from_numpy(x_BN3)

    def by_size(self, rows: int) -> Iterator[np.ndarray]:
        """All row numbers in blocks of `rows`, of similar size, in an order that depends on sizes alone."""
        order = np.argsort(self.sizes, kind="stable")
        for start in range(0, len(order), rows):
            yield order[start : start + rows]


def atom_types(graph: Graph) -> np.ndarray:
    """Element and sign of the charge, int64 [n]."""
    types: np.ndarray = 3 * np.searchsorted(ELEMENTS, graph.z) + np.sign(graph.charge).astype(np.int64) + 1
    return types


def edge_types(graph: Graph) -> np.ndarray:
    """Bond order, or bonds apart, of each pair, uint8 [n, n]."""
    near = np.zeros((graph.size, graph.size), dtype=np.float32)
    i, j, order = graph.bonds.T
    near[i, j] = near[j, i] = 1
    two = near @ near
    types = np.where(two @ near > 0, THREE_APART, FAR).astype(np.uint8)
    types[two > 0] = TWO_APART
    types[i, j] = types[j, i] = order
    np.fill_diagonal(types, 0)
    return types


def ragged(blocks: Sequence[tuple[np.ndarray, np.ndarray]], rows: Conformers) -> np.ndarray:
    """Flat coordinates [atoms, 3] of all rows, from (row numbers [b], padded coordinates [b, n, 3])."""
    flat = np.empty((len(rows.z), 3), dtype=np.float32)
    sizes = rows.sizes
    for index, places in blocks:
        inside = np.arange(places.shape[1]) < sizes[index][:, None]
        at = rows.atoms[:-1][index][:, None] + np.arange(places.shape[1])
        flat[at[inside]] = places[inside]
    return flat

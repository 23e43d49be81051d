"""Conformers of labelled graphs, ragged: what every molecule source gives and every molecule batch holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from trainables.runtime import touched
from trainables.store import Payload

ELEMENTS = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53)
"""Atomic numbers that molecules may hold: H B C N O F Si P S Cl As Se Br I."""

AROMATIC = 4
"""Bond orders are 1, 2, 3, and this for aromatic bonds."""


@dataclass(frozen=True)
class Graph:
    """A molecule without its coordinates, hydrogens included.

    Attributes:
        z: atomic numbers, uint8 [n].
        charge: formal charges, int8 [n].
        bonds: int16 [m, 3], each (i, j, order) with i < j.
    """

    z: np.ndarray
    charge: np.ndarray
    bonds: np.ndarray

    @property
    def size(self) -> int:
        """Atoms."""
        return len(self.z)

    @cached_property
    def key(self) -> bytes:
        """Equal for equal labelled graphs: the same atoms and bonds in the same order."""
        return b"|".join(part.tobytes() for part in (self.z, self.charge, self.bonds))


@dataclass(frozen=True)
class Conformers:
    """Rows, each one geometry of one graph, one behind another in flat arrays.

    Attributes:
        molecule: int64 [rows], equal for equal graphs, made from the graph's canonical SMILES.
        atoms: int64 [rows + 1], where each row's atoms start.
        z, charge: uint8, int8 [atoms].
        positions: float32 [atoms, 3], in ångström, the centroid of a real row at 0.
        edges: int64 [rows + 1], where each row's bonds start.
        bonds: int16 [bonds, 3], (i, j, order), atoms numbered within the row.
    """

    molecule: np.ndarray
    atoms: np.ndarray
    z: np.ndarray
    charge: np.ndarray
    positions: np.ndarray
    edges: np.ndarray
    bonds: np.ndarray

    def __len__(self) -> int:
        return len(self.molecule)

    @property
    def sizes(self) -> np.ndarray:
        """Atoms of each row."""
        return np.diff(self.atoms)

    def graph(self, row: int) -> Graph:
        """The row's labelled graph."""
        atoms, edges = (slice(o[row], o[row + 1]) for o in (self.atoms, self.edges))
        return Graph(self.z[atoms], self.charge[atoms], self.bonds[edges])

    def place(self, row: int) -> np.ndarray:
        """The row's coordinates, [n, 3]."""
        return self.positions[self.atoms[row] : self.atoms[row + 1]]

    def take(self, index: np.ndarray) -> Conformers:
        """The rows at `index`, which may repeat."""
        atoms, at = _gather(self.atoms, index)
        edges, of = _gather(self.edges, index)
        return Conformers(
            self.molecule[index], atoms, self.z[at], self.charge[at], self.positions[at], edges, self.bonds[of]
        )

    def moved(self, positions: np.ndarray) -> Conformers:
        """The same graphs at other coordinates, [atoms, 3]."""
        fields = self.molecule, self.atoms, self.z, self.charge, positions.astype(np.float32), self.edges, self.bonds
        return Conformers(*fields)

    def payload(self, **meta: Any) -> Payload:
        """A batch: a table of lists, `positions` and `bonds` flattened."""
        import pyarrow as pa
        from datasets import Dataset

        lists = {
            "atomic_numbers": (self.atoms, self.z),
            "charges": (self.atoms, self.charge),
            "bonds": (3 * self.edges, self.bonds.reshape(-1)),
            "positions": (3 * self.atoms, self.positions.reshape(-1)),
        }
        columns = {"molecule": pa.array(self.molecule)} | {
            name: pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))
            for name, (offsets, values) in lists.items()
        }
        return Payload(meta={"rows": len(self), **meta}, table=Dataset(pa.table(columns)))


@dataclass(frozen=True)
class Chain:
    """Rows of several pieces, one after another; no coordinate is copied before it is used.

    Attributes:
        pieces: as they lie in memory or in mapped files.
        index: which rows of the whole these are, [rows]; None means all.
    """

    pieces: tuple[Conformers, ...]
    index: np.ndarray | None = None

    @classmethod
    def join(cls, parts: Sequence[Chain]) -> Chain:
        """All rows of `parts`, one after another."""
        pieces = tuple(piece for part in parts for piece in part.pieces)
        if all(part.index is None for part in parts):
            return cls(pieces)
        before = np.cumsum([0, *(part._ends[-1] for part in parts)])
        rows = [np.arange(part._ends[-1]) if part.index is None else part.index for part in parts]
        return cls(pieces, np.concatenate([row + start for row, start in zip(rows, before, strict=False)]))

    def __len__(self) -> int:
        return int(self._ends[-1]) if self.index is None else len(self.index)

    @cached_property
    def sizes(self) -> np.ndarray:
        """Atoms of each row."""
        sizes = np.concatenate([piece.sizes for piece in self.pieces])
        return sizes if self.index is None else sizes[self.index]

    def graph(self, row: int) -> Graph:
        """The row's labelled graph."""
        piece, inside = self._find(row)
        return piece.graph(inside)

    def place(self, row: int) -> np.ndarray:
        """The row's coordinates, [n, 3]."""
        piece, inside = self._find(row)
        found = piece.place(inside)
        touched(1, found.nbytes)
        return found

    def _find(self, row: int) -> tuple[Conformers, int]:
        at = int(row if self.index is None else self.index[row])
        number = int(np.searchsorted(self._ends, at, side="right"))
        return self.pieces[number], at - int(self._ends[number]) + len(self.pieces[number])

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each piece ends, in rows."""
        return np.cumsum([len(piece) for piece in self.pieces])


def read(batch: Payload) -> Conformers:
    """The rows of a batch; arrays stay mapped into memory where the table is one chunk."""
    assert batch.table is not None
    table = batch.table.data
    columns = {name: _one_array(table.column(name)) for name in table.column_names}
    lists = {name: _values(column) for name, column in columns.items() if name != "molecule"}
    atoms, z = lists["atomic_numbers"]
    edges, bonds = lists["bonds"]
    return Conformers(
        molecule=columns["molecule"].to_numpy(),
        atoms=atoms,
        z=z,
        charge=lists["charges"][1],
        positions=lists["positions"][1].reshape(-1, 3),
        edges=edges // 3,
        bonds=bonds.reshape(-1, 3),
    )


def stack(molecules: Sequence[int], graphs: Sequence[Graph], places: Sequence[np.ndarray]) -> Conformers:
    """Rows of molecule numbers, graphs and coordinates [n, 3]."""
    return Conformers(
        molecule=np.array(molecules, dtype=np.int64),
        atoms=offsets(np.array([graph.size for graph in graphs], dtype=np.int64)),
        z=_flat([graph.z for graph in graphs], (0,), np.uint8),
        charge=_flat([graph.charge for graph in graphs], (0,), np.int8),
        positions=_flat(places, (0, 3), np.float32),
        edges=offsets(np.array([len(graph.bonds) for graph in graphs], dtype=np.int64)),
        bonds=_flat([graph.bonds for graph in graphs], (0, 3), np.int16),
    )


def join(parts: Sequence[Conformers]) -> Conformers:
    """The rows of several, one after another."""
    if len(parts) == 1:
        return parts[0]
    sizes, bonds = (np.concatenate([np.diff(getattr(p, name)) for p in parts]) for name in ("atoms", "edges"))
    flat = {
        n: np.concatenate([getattr(p, n) for p in parts]) for n in ("molecule", "z", "charge", "positions", "bonds")
    }
    return Conformers(atoms=offsets(sizes), edges=offsets(bonds), **flat)


def offsets(sizes: np.ndarray) -> np.ndarray:
    """Where ragged rows of these sizes start, [rows + 1]."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _flat(parts: Sequence[np.ndarray], empty: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if len(parts) else np.empty(empty, dtype)


def _gather(starts: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """New offsets of the ragged rows at `index`, and the flat positions they are copied from."""
    sizes = np.diff(starts)[index]
    fresh = offsets(sizes)
    return fresh, np.repeat(starts[:-1][index] - fresh[:-1], sizes) + np.arange(fresh[-1])


def _one_array(column: Any) -> Any:
    """A table's column without chunks."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _values(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Offsets from 0 and flat values of a list column."""
    starts = column.offsets.to_numpy().astype(np.int64)
    return starts - starts[0], column.flatten().to_numpy()

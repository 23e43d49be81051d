"""How sampled conformers compare with real ones of the same graphs: COV, MAT, bonds, angles, validity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainables.sources.molecules import Conformers, Graph, to_mol

STRAINED, CLASHING = 0.25, 0.30
"""Tolerances of PoseBusters (Buttenschoen et al. 2024, arXiv 2308.05777, table 1) on distance-geometry bounds."""


def rmsd(graph: Graph, places: Sequence[np.ndarray]) -> np.ndarray:
    """Best RMSD of heavy atoms between all conformers of a molecule, in ångström, symmetric [k, k].

    Best over rigid motions without reflections and over the molecule's automorphisms (RDKit's best RMS).
    """
    from rdkit import Chem
    from rdkit.Chem import rdMolAlign

    heavy = Chem.RemoveAllHs(to_mol(graph, places))
    found = np.zeros((len(places), len(places)))
    if heavy.GetNumAtoms() > 1:
        found[np.tril_indices(len(places), -1)] = rdMolAlign.GetAllConformerBestRMS(heavy, numThreads=1)
    return found + found.T


def coverage(distance: np.ndarray, threshold: float) -> tuple[float, float]:
    """COV and MAT of references (rows) by samples (columns) (Xu et al. 2021, arXiv 2102.10240, equations 14, 15).

    COV is the share of references with a sample nearer than `threshold`, MAT the mean distance to the nearest.
    With `distance` transposed these are the precision versions.
    """
    nearest = distance.min(axis=1)
    return float((nearest <= threshold).mean()), float(nearest.mean())


def lengths(rows: Conformers) -> dict[tuple[int, ...], np.ndarray]:
    """Bond lengths in ångström by (element, element, order)."""
    owner = np.repeat(np.arange(len(rows)), np.diff(rows.edges))
    i, j = (rows.bonds[:, k] + rows.atoms[owner] for k in (0, 1))
    gap = np.linalg.norm(rows.positions[i] - rows.positions[j], axis=1)
    ends = np.sort(np.stack([rows.z[i], rows.z[j]], axis=1), axis=1)
    return _grouped(np.column_stack([ends, rows.bonds[:, 2]]), gap)


def angles(rows: Conformers) -> dict[tuple[int, ...], np.ndarray]:
    """Bond angles in degrees by (centre, element, element)."""
    classes, values = [np.empty((0, 3), dtype=np.int64)], [np.empty(0)]
    for row in range(len(rows)):
        graph, place = rows.graph(row), rows.place(row)
        a, centre, b = _corners(graph)
        one, other = place[a] - place[centre], place[b] - place[centre]
        size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        cosine = (one * other).sum(axis=1) / np.maximum(size, 1e-12)
        ends = np.sort(np.stack([graph.z[a], graph.z[b]], axis=1), axis=1)
        classes.append(np.column_stack([graph.z[centre], ends]).astype(np.int64))
        values.append(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return _grouped(np.concatenate(classes), np.concatenate(values))


def wasserstein(real: dict[tuple[int, ...], np.ndarray], made: dict[tuple[int, ...], np.ndarray]) -> float | None:
    """W₁ between two sets of values within each class, a mean over classes by their real counts; None if empty."""
    from scipy.stats import wasserstein_distance

    shared = sorted(real.keys() & made.keys())
    if not shared:
        return None
    counts = np.array([len(real[name]) for name in shared])
    return float(np.average([wasserstein_distance(real[n], made[n]) for n in shared], weights=counts))


@dataclass(frozen=True)
class Bounds:
    """RDKit's distance-geometry bounds on a graph: for each pair (i < j) of atoms, in ångström.

    Attributes:
        i, j: the atoms, [pairs].
        lower, upper: the bounds.
        hops: bonds between them.
    """

    i: np.ndarray
    j: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    hops: np.ndarray

    @classmethod
    def of(cls, graph: Graph) -> Bounds:
        """The bounds of a graph."""
        from rdkit.Chem import GetDistanceMatrix
        from rdkit.Chem.rdDistGeom import GetMoleculeBoundsMatrix

        mol = to_mol(graph, [])
        table, (i, j) = GetMoleculeBoundsMatrix(mol), np.triu_indices(graph.size, 1)
        return cls(i, j, table[j, i], table[i, j], GetDistanceMatrix(mol)[i, j])

    def gaps(self, place: np.ndarray) -> np.ndarray:
        """Distances of the pairs in a conformer [n, 3]."""
        found: np.ndarray = np.linalg.norm(place[self.i] - place[self.j], axis=1)
        return found


def validity(graph: Graph, places: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Whether each conformer has sound bonds and angles and no clash, [k]; and its share of sound bonds, [k].

    Sound: within 25% of the bounds between atoms one or two bonds apart. A clash: atoms further apart in the
    graph, nearer than 70% of their lower bound. The graph itself is given, hence always sanitisable.
    """
    bounds = Bounds.of(graph)
    near = bounds.hops <= 2
    low = np.where(near, 1 - STRAINED, 1 - CLASHING) * bounds.lower
    high = np.where(near, (1 + STRAINED) * bounds.upper, np.inf)
    gaps = np.array([bounds.gaps(place) for place in places])
    sound = (gaps >= low) & (gaps <= high)
    return sound.all(axis=1), sound[:, bounds.hops == 1].mean(axis=1)


def gyration(rows: Conformers) -> np.ndarray:
    """Root mean squared distance of a row's atoms from their centroid, in ångström, [rows]."""
    return np.array(
        [np.sqrt(np.square(p - p.mean(axis=0)).sum(axis=1).mean()) for p in map(rows.place, range(len(rows)))]
    )


def _corners(graph: Graph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Atoms (a, centre, b) of each angle, a before b."""
    partners: dict[int, list[int]] = defaultdict(list)
    for i, j, _ in graph.bonds.tolist():
        partners[i].append(j)
        partners[j].append(i)
    found = [
        (a, c, b) for c, ends in partners.items() for n, a in enumerate(sorted(ends)) for b in sorted(ends)[n + 1 :]
    ]
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _grouped(classes: np.ndarray, values: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    names, owner = np.unique(classes, axis=0, return_inverse=True)
    return {tuple(map(int, name)): values[owner.ravel() == k] for k, name in enumerate(names)}

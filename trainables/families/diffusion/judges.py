"""Judges of single conformers: MMFF94 energy (`reference`), model 1's error (`first`), a classifier (`detector`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainables.families.diffusion.geometry import Bounds
from trainables.sources.molecules import Conformers, Graph, to_mol
from trainables.store import Payload

HOPELESS = 1e12
"""Energy per atom, in kcal/mol, of coordinates that the force field can't evaluate."""

EVERYWHERE = 1e9
"""Ångström up to which a force field has pairs of atoms: RDKit chooses them by the conformer that the field is made
with, and one field is for all conformers of a graph."""

CONFIDENCE = 1e-6
"""A detector's probabilities stay this far from 0 and 1."""


def energies(rows: Conformers) -> np.ndarray:
    """Force-field energy per atom of each row, in kcal/mol: MMFF94, or UFF where it lacks a parameter."""
    fields: dict[bytes, Any] = {}
    found = np.empty(len(rows))
    for row in range(len(rows)):
        graph = rows.graph(row)
        if graph.key not in fields:
            fields[graph.key] = _force_field(graph, rows.place(row))
        found[row] = fields[graph.key].CalcEnergy(rows.place(row).astype(float).ravel().tolist()) / graph.size
    finite: np.ndarray = np.nan_to_num(found, nan=HOPELESS, posinf=HOPELESS)
    return finite


def _force_field(graph: Graph, place: np.ndarray) -> Any:
    from rdkit.Chem import rdForceFieldHelpers as helpers

    mol = to_mol(graph, [place])
    properties = helpers.MMFFGetMoleculeProperties(mol)
    if properties is not None:
        return helpers.MMFFGetMoleculeForceField(mol, properties, nonBondedThresh=EVERYWHERE)
    return helpers.UFFGetMoleculeForceField(mol, vdwThresh=EVERYWHERE)


def fit_reference(real: Conformers) -> Payload:
    """The lowest energy per atom that real rows of each molecule have: what an energy is measured against."""
    molecules, owner = np.unique(real.molecule, return_inverse=True)
    lowest = np.full(len(molecules), np.inf)
    np.minimum.at(lowest, owner, energies(real))
    return Payload(tensors={"molecule": molecules, "lowest": lowest})


def score_reference(judge: Payload, rows: Conformers) -> np.ndarray:
    """−asinh of the energy per atom above the real conformer's, in kcal/mol: linear near it, a logarithm far off."""
    molecules, lowest = judge.tensors["molecule"], judge.tensors["lowest"]
    at = np.minimum(np.searchsorted(molecules, rows.molecule), len(molecules) - 1)
    known = molecules[at] == rows.molecule
    base = np.where(known, lowest[at], np.median(lowest))
    excess: np.ndarray = np.arcsinh(energies(rows) - base)
    return -excess


def features(rows: Conformers) -> np.ndarray:
    """What the detector sees of each row, [rows, 14]: distances relative to their distance-geometry bounds."""
    known: dict[bytes, Bounds] = {}
    found = []
    for row in range(len(rows)):
        graph = rows.graph(row)
        if graph.key not in known:
            known[graph.key] = Bounds.of(graph)
        found.append(_features(known[graph.key], rows.place(row)))
    return np.array(found)


def _features(bounds: Bounds, place: np.ndarray) -> list[float]:
    gaps = bounds.gaps(place)
    ratio = 2 * gaps / (bounds.lower + bounds.upper)
    found: list[float] = []
    for hops in (1, 2):
        some = ratio[bounds.hops == hops] if (bounds.hops == hops).any() else np.ones(1)
        found += [some.mean(), some.std(), some.min(), some.max(), np.abs(some - 1).mean()]
    far = bounds.hops > 2
    room = (gaps / bounds.lower)[far] if far.any() else np.ones(1)
    spread = np.sqrt(np.square(place - place.mean(axis=0)).sum(axis=1).mean())
    return [*found, room.min(), (room < 1).mean(), room.mean(), spread / np.sqrt(len(place))]


def fit_detector(real: Conformers, synthetic: Conformers) -> Payload:
    """Logistic regression of real against synthetic rows on standardised features."""
    from sklearn.linear_model import LogisticRegression

    x = np.concatenate([features(real), features(synthetic)])
    centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    y = np.repeat([1, 0], [len(real), len(synthetic)])
    fitted = LogisticRegression(max_iter=2000).fit((x - centre) / spread, y)
    slope = fitted.coef_[0] / spread
    return Payload(tensors={"slope": slope, "offset": fitted.intercept_ - slope @ centre})


def score_detector(judge: Payload, rows: Conformers) -> np.ndarray:
    """Probability that a row is real, in (0, 1)."""
    from scipy.special import expit

    found: np.ndarray = expit(features(rows) @ judge.tensors["slope"] + judge.tensors["offset"])
    return found.clip(CONFIDENCE, 1 - CONFIDENCE)

"""RDKit molecules in and out of ragged rows, and bonds for coordinates that come without them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trainables.errors import CollapseSweepError
from trainables.sources.molecules.base import Loaded
from trainables.sources.molecules.rows import AROMATIC, ELEMENTS, Graph, stack

if TYPE_CHECKING:
    from rdkit import Chem

BONDED, APART = 1.25, 1.12
"""Bonded atoms are at most, others at least this multiple of the sum of their covalent radii apart. The ranges
overlap: over QM9 bonds reach 1.18, and atoms across a small ring come down to 1.16."""


class Unusable(CollapseSweepError):
    """An entry that no row can be made of; the message is the reason it is counted under."""


class Collector:
    """Rows in the making, and what was skipped on the way."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self._rows: list[tuple[int, Graph, np.ndarray]] = []

    @property
    def rows(self) -> int:
        """Conformers so far."""
        return len(self._rows)

    def add(self, mol: Chem.Mol, places: Sequence[np.ndarray]) -> None:
        """Conformers of a sanitised molecule with explicit hydrogens, [n, 3] each.

        Raises:
            Unusable: its atoms or bonds are of kinds that rows can't hold, or a coordinate is not finite.
        """
        graph, number = labelled(mol), identify(mol)
        if not all(np.isfinite(place).all() for place in places):
            raise Unusable("coordinates are not finite")
        self._rows += [(number, graph, place - place.mean(axis=0)) for place in places]

    def loaded(self) -> Loaded:
        """What was collected, by molecule number."""
        rows = sorted(self._rows, key=lambda row: row[0])
        conformers = stack(*zip(*rows, strict=True)) if rows else stack([], [], [])
        return Loaded(conformers, dict(sorted(self.skipped.items())))


def labelled(mol: Chem.Mol) -> Graph:
    """The graph of a sanitised molecule with explicit hydrogens.

    Raises:
        Unusable: an element or a bond that models do not know, implicit hydrogens, or several fragments.
    """
    from rdkit import Chem

    z = np.array([a.GetAtomicNum() for a in mol.GetAtoms()], dtype=np.uint8)
    if not set(z.tolist()) <= set(ELEMENTS):
        raise Unusable("element outside the supported ones")
    if any(a.GetNumImplicitHs() or a.GetNumExplicitHs() for a in mol.GetAtoms()):
        raise Unusable("hydrogens without coordinates")
    if len(Chem.GetMolFrags(mol)) > 1:
        raise Unusable("several fragments")
    if len(z) < 2:
        raise Unusable("fewer than two atoms")
    charge = np.array([a.GetFormalCharge() for a in mol.GetAtoms()], dtype=np.int8)
    bonds = sorted((*sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx())), _order(b.GetBondType())) for b in mol.GetBonds())
    return Graph(z, charge, np.array(bonds, dtype=np.int16).reshape(-1, 3))


def identify(mol: Chem.Mol) -> int:
    """The molecule's number, 63 bits of the hash of its canonical SMILES.

    Stereochemistry is left out: a graph does not hold it, so stereoisomers are one molecule and never on
    both sides of the split.
    """
    from rdkit import Chem

    smiles = Chem.MolToSmiles(Chem.RemoveAllHs(mol, sanitize=False), isomericSmiles=False)
    return int.from_bytes(hashlib.sha256(smiles.encode()).digest()[:8], "big") >> 1


def to_mol(graph: Graph, places: Sequence[np.ndarray]) -> Chem.Mol:
    """A sanitised RDKit molecule with one conformer per set of coordinates, [n, 3] in ångström."""
    from rdkit import Chem
    from rdkit.Geometry import Point3D

    kinds = {
        1: Chem.BondType.SINGLE,
        2: Chem.BondType.DOUBLE,
        3: Chem.BondType.TRIPLE,
        AROMATIC: Chem.BondType.AROMATIC,
    }
    mol = Chem.RWMol()
    for z, charge in zip(graph.z.tolist(), graph.charge.tolist(), strict=True):
        atom = Chem.Atom(z)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j, order in graph.bonds.tolist():
        mol.AddBond(i, j, kinds[order])
        if order == AROMATIC:
            for k in (i, j):
                mol.GetAtomWithIdx(k).SetIsAromatic(True)
    for place in places:
        conformer = Chem.Conformer(graph.size)
        for i, (x, y, w) in enumerate(place.astype(float).tolist()):
            conformer.SetAtomPosition(i, Point3D(x, y, w))
        mol.AddConformer(conformer, assignId=True)
    whole = mol.GetMol()
    Chem.SanitizeMol(whole)
    return whole


def bonded(z: np.ndarray, place: np.ndarray, smiles: str | None) -> Chem.Mol:
    """The molecule of bare coordinates.

    Files in the manner of QM9 list heavy atoms in the order of the SMILES, then hydrogens. Where the
    geometry agrees with that (heavy pairs close if bonded and apart if not, each hydrogen next to an atom
    that misses it), the SMILES's bonds hold. Else bonds are perceived from the distances, of a neutral
    molecule (Kim & Kim 2015), and must give the SMILES where there is one.

    Raises:
        Unusable: no bonds fit.
    """
    from rdkit import Chem

    template = Chem.MolFromSmiles(smiles) if smiles else None
    if smiles and template is None:
        raise Unusable("SMILES does not parse")
    if template is not None:
        placed = _placed(template, z, place)
        if placed is not None:
            return placed
    perceived = _perceived(z, place)
    if template is not None and identify(perceived) != identify(Chem.AddHs(template)):
        raise Unusable("bonds seen in the coordinates differ from the SMILES")
    return perceived


def _placed(template: Chem.Mol, z: np.ndarray, place: np.ndarray) -> Chem.Mol | None:
    """The template's bonds on these atoms, heavy ones in its order, or None where the geometry disagrees."""
    from rdkit import Chem

    heavy, light = np.flatnonzero(z != 1), np.flatnonzero(z == 1)
    order = np.array([a.GetAtomicNum() for a in template.GetAtoms()])
    if not np.array_equal(order, z[heavy]) or len(heavy) == 0:
        return None
    table = Chem.GetPeriodicTable()
    radius = np.array([table.GetRcovalent(int(k)) for k in z])
    gap = np.linalg.norm(place[heavy][:, None] - place[None], axis=-1) / (radius[heavy][:, None] + radius[None])
    among = gap[:, heavy] + np.diag(np.full(len(heavy), np.inf))
    pairs = Chem.GetAdjacencyMatrix(template) > 0
    owner = gap[:, light].argmin(axis=0) if len(light) else np.empty(0, dtype=int)
    missing = np.array([a.GetTotalNumHs() for a in template.GetAtoms()])
    agrees = (
        (among[pairs] <= BONDED).all()
        and (among[~pairs] >= APART).all()
        and (gap[owner, light] <= BONDED).all()
        and np.array_equal(np.bincount(owner, minlength=len(heavy)), missing)
    )
    if not agrees:
        return None
    whole = Chem.AddHs(template)  # appends hydrogens atom by atom
    wanted = np.concatenate([heavy, light[np.argsort(owner, kind="stable")]])
    return Chem.RenumberAtoms(whole, np.argsort(wanted).tolist())


def _perceived(z: np.ndarray, place: np.ndarray) -> Chem.Mol:
    from rdkit import Chem
    from rdkit.Chem import rdDetermineBonds

    bare = Chem.RWMol()
    for number in z.tolist():
        bare.AddAtom(Chem.Atom(number))
    conformer = Chem.Conformer(len(z))
    conformer.SetPositions(place.astype(float))
    bare.AddConformer(conformer)
    try:
        rdDetermineBonds.DetermineBonds(bare, charge=0)
        mol = bare.GetMol()
        Chem.SanitizeMol(mol)
    except (ValueError, RuntimeError) as problem:
        raise Unusable("no bonds fit the coordinates") from problem
    return mol


def _order(kind: Chem.BondType) -> int:
    """A bond order's code.

    Raises:
        Unusable: dative, zero-order or another kind that models do not know.
    """
    codes = {"SINGLE": 1, "DOUBLE": 2, "TRIPLE": 3, "AROMATIC": AROMATIC}
    if kind.name not in codes:
        raise Unusable("bond of an unsupported order")
    return codes[kind.name]

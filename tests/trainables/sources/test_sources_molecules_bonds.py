"""Bonds of bare coordinates: where those of a SMILES hold, where distances tell them, and what is no geometry."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from trainables.sources.molecules.files import _check_place, from_coordinates
from trainables.sources.molecules.graph import Unusable, bonded, labelled

RNG = np.random.default_rng(0)


def embedded(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return mol


def numbers(mol: Chem.Mol) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a.GetAtomicNum() for a in mol.GetAtoms()]), mol.GetConformer().GetPositions()


@pytest.mark.parametrize("smiles", ["CC(=O)NCC", "C1CC1C#N", "OCC1CO1"])
def test_bonds_by_the_smiles_survive_any_order_of_hydrogens(smiles: str) -> None:
    """Heavy atoms in the order of the SMILES; each hydrogen goes to the nearest of them, wherever it stands."""
    mol = embedded(smiles)
    z, place = numbers(mol)
    order = np.concatenate([np.flatnonzero(z != 1), RNG.permutation(np.flatnonzero(z == 1))])
    found = labelled(bonded(z[order], place[order], smiles))
    back = {int(old): new for new, old in enumerate(order)}
    expected = sorted([*sorted((back[i], back[j])), o] for i, j, o in labelled(mol).bonds.tolist())
    assert found.bonds.tolist() == expected


def test_coordinates_that_no_bonds_fit_and_smiles_that_do_not_parse_are_counted() -> None:
    z, place = numbers(embedded("CCO"))
    for items, reason in (
        ([(z, place, "C1CC")], "SMILES does not parse"),
        ([(z, place * 3, None)], "no bonds fit the coordinates"),
        ([(z[:-1], place[:-1], None)], "no bonds fit the coordinates"),
        ([(z, place, "COC")], "bonds seen in the coordinates differ from the SMILES"),
        ([(z, place[:-1], None)], "coordinates are not three numbers for each atom"),
        ([(z, place * np.inf, None)], "coordinates are not finite"),
    ):
        with np.errstate(invalid="ignore"):
            assert from_coordinates(items, None).skipped == {reason: 1}


def test_a_limit_counts_usable_entries_alone() -> None:
    z, place = numbers(embedded("CCO"))
    broken = (z, place * np.nan, None)
    items = [broken, *[(z, place + shift, None) for shift in range(6)], broken]
    loaded = from_coordinates(items, 4)
    assert len(loaded.rows) == 4
    assert len(from_coordinates(items, None).rows) == 6


def shifted(mol: Chem.Mol, atom: int, towards: int, length: float) -> np.ndarray:
    """Coordinates in which an atom, its hydrogens with it, lies at a length from another."""
    place = mol.GetConformer().GetPositions()
    away = place[atom] - place[towards]
    light = [n.GetIdx() for n in mol.GetAtomWithIdx(atom).GetNeighbors() if n.GetAtomicNum() == 1]
    place[[atom, *light]] += away / np.linalg.norm(away) * (length - np.linalg.norm(away))
    return place


@pytest.mark.parametrize("smiles", ["CC(=O)[O-]", "C[NH3+]", "[C-]#N", "C[N+](C)(C)C"])
def test_bonds_of_ions_are_those_of_the_smiles_which_nothing_else_tells(smiles: str) -> None:
    """Seen in coordinates molecules are neutral, so that without the SMILES no bonds fit, or others do."""
    mol = embedded(smiles)
    z, place = numbers(mol)
    found = labelled(bonded(z, place, smiles))
    assert found.bonds.tolist() == labelled(mol).bonds.tolist()
    assert found.charge.tolist() == labelled(mol).charge.tolist()
    assert int(found.charge.sum()) != 0
    assert from_coordinates([(z, place, smiles)], None).skipped == {}
    assert from_coordinates([(z[::-1], place[::-1], smiles)], None).skipped


@pytest.mark.parametrize(
    ("smiles", "atom", "towards", "multiple", "agrees"),
    [
        ("C[NH3+]", 1, 0, 1.24, True),
        ("C[NH3+]", 1, 0, 1.26, False),
        ("C[NH2+]C", 2, 0, 1.13, True),
        ("C[NH2+]C", 2, 0, 1.11, False),
    ],
)
def test_the_smiles_hold_where_bonded_atoms_are_near_and_others_apart(
    smiles: str, atom: int, towards: int, multiple: float, agrees: bool
) -> None:
    """Bonded ones at most 1.25, others at least 1.12 of the sum of their covalent radii."""
    mol, table = embedded(smiles), Chem.GetPeriodicTable()
    z, _ = numbers(mol)
    reach = sum(table.GetRcovalent(int(z[end])) for end in (atom, towards))
    place = shifted(mol, atom, towards, multiple * reach)
    assert (from_coordinates([(z, place, smiles)], None).skipped == {}) == agrees


def test_a_hydrogen_that_has_left_its_atom_belongs_to_no_smiles() -> None:
    """One of ammonium's goes to carbon, which then has one too many; one goes far from both."""
    mol = embedded("C[NH3+]")
    z, place = numbers(mol)
    last = len(z) - 1
    carbon, nitrogen = place[0], place[1]
    for moved in (carbon + (carbon - nitrogen) * 0.7, nitrogen + (nitrogen - carbon) * 3):
        other = place.copy()
        other[last] = moved
        assert from_coordinates([(z, other, "C[NH3+]")], None).skipped
    assert not from_coordinates([(z, place, "C[NH3+]")], None).skipped


@pytest.mark.parametrize(("length", "sound"), [(0.49, False), (0.51, True), (3.99, True), (4.01, False)])
def test_a_bond_of_a_record_is_half_an_angstrom_long_at_least_and_four_at_most(length: float, sound: bool) -> None:
    mol, place = embedded("Cl"), np.array([[0.0, 0, 0], [0, length, 0]])
    if sound:
        _check_place(mol, place)
        return
    with pytest.raises(Unusable, match=r"^bond lengths are not those of coordinates in ångström$"):
        _check_place(mol, place)


def test_an_atom_of_four_neighbours_lies_in_no_plane_and_others_may() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    with pytest.raises(Unusable, match=r"^coordinates lie in a plane$"):
        _check_place(embedded("C"), flat)
    _check_place(embedded("C"), np.column_stack([flat[:, :2], [0.3, 0, 0, 0, 0]]))
    _check_place(embedded("FB(F)F"), flat[:4] * 1.3)

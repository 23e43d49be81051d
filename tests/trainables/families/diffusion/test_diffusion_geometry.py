"""Geometry metrics against cases small enough for pencil and paper."""

import math

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from trainables.families.diffusion import geometry
from trainables.sources.molecules import Conformers, Graph, stack
from trainables.sources.molecules.graph import identify, labelled

WATER = Graph(np.array([8, 1, 1], np.uint8), np.zeros(3, np.int8), np.array([(0, 1, 1), (0, 2, 1)], np.int16))


def water(length: float, angle: float) -> np.ndarray:
    half = math.radians(angle) / 2
    return np.array([[0, 0, 0], [math.sin(half), math.cos(half), 0], [-math.sin(half), math.cos(half), 0]]) * length


def waters(*shapes: tuple[float, float]) -> Conformers:
    return stack([1] * len(shapes), [WATER] * len(shapes), [water(*shape) for shape in shapes])


def embedded(smiles: str, count: int) -> tuple[Graph, list[np.ndarray]]:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMultipleConfs(mol, count, randomSeed=3)
    return labelled(mol), [c.GetPositions() for c in mol.GetConformers()]


def test_coverage_by_hand():
    """Three references, two samples: nearest are 0.1, 0.4 and 0.9."""
    distance = np.array([[0.1, 0.7], [0.6, 0.4], [0.9, 1.2]])
    assert geometry.coverage(distance, 0.5) == (pytest.approx(2 / 3), pytest.approx((0.1 + 0.4 + 0.9) / 3))
    assert geometry.coverage(distance.T, 0.5) == (pytest.approx(1.0), pytest.approx(0.25))
    assert geometry.coverage(distance, 0.05)[0] == 0.0


def test_rmsd_ignores_motion_and_renaming_but_not_shape():
    graph, places = embedded("CC(C)C", 1)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    heavy = np.flatnonzero(graph.z == 6)
    swapped = places[0].copy()
    ends = [atom for atom in heavy if (graph.bonds[:, :2] == atom).sum() == 4 and atom != 1]
    swapped[[ends[0], ends[1]]] = swapped[[ends[1], ends[0]]]
    table = geometry.rmsd(graph, [places[0], places[0] @ turn + 5.0, swapped, 1.1 * places[0]])
    assert table[0, 1] == pytest.approx(0, abs=1e-4)
    assert table[0, 2] == pytest.approx(0, abs=0.05)  # two methyl carbons are the same but for a reflection
    centred = places[0][heavy] - places[0][heavy].mean(axis=0)
    assert table[0, 3] == pytest.approx(0.1 * math.sqrt(np.square(centred).sum(axis=1).mean()), rel=1e-3)
    np.testing.assert_array_equal(table, table.T)


def test_rmsd_of_one_heavy_atom_is_zero():
    assert (geometry.rmsd(WATER, [water(1, 104), water(2, 90)]) == 0).all()


def test_lengths_and_angles_of_water():
    rows = waters((0.96, 104.5), (1.2, 90.0))
    assert geometry.lengths(rows)[1, 8, 1] == pytest.approx([0.96, 0.96, 1.2, 1.2])
    assert geometry.angles(rows)[8, 1, 1] == pytest.approx([104.5, 90.0], abs=1e-4)


def test_wasserstein_is_the_shift_within_each_class():
    real, made = waters((1.0, 100.0), (1.1, 110.0)), waters((1.3, 100.0), (1.4, 110.0))
    assert geometry.wasserstein(geometry.lengths(real), geometry.lengths(made)) == pytest.approx(0.3, abs=1e-6)
    assert geometry.wasserstein(geometry.angles(real), geometry.angles(made)) == pytest.approx(0, abs=1e-4)
    assert geometry.wasserstein({}, geometry.lengths(made)) is None


def test_gyration_scales_with_the_molecule():
    one, other = geometry.gyration(waters((1.0, 100.0), (2.0, 100.0)))
    assert other == pytest.approx(2 * one)


@pytest.mark.parametrize("smiles", ["CCO", "c1ccccc1O", "CC(=O)N", "C1CC1C#N"])
def test_embedded_conformers_are_valid_and_ruined_ones_are_not(smiles):
    graph, places = embedded(smiles, 3)
    valid, bonds = geometry.validity(graph, [*places, places[0] * 1.4, places[0] * 0.6])
    assert valid.tolist() == [True, True, True, False, False]
    assert bonds[:3].tolist() == [1.0, 1.0, 1.0]
    assert bonds[3] == 0.0


def test_a_clash_of_far_atoms_is_invalid():
    graph, places = embedded("CCCCCC", 1)
    folded = places[0].copy()
    folded[5] = folded[0] + 0.3
    valid, _ = geometry.validity(graph, [places[0], folded])
    assert valid.tolist() == [True, False]


def test_identify_agrees_with_the_rows_it_names():
    graph, _ = embedded("CCO", 1)
    mol = Chem.AddHs(Chem.MolFromSmiles("OCC"))
    assert identify(mol) == identify(geometry.to_mol(graph, []))

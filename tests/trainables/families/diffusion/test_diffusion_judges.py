"""Judges of single conformers: energies by RDKit's fields, what they are measured from, and what a detector sees."""

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem, rdDistGeom
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trainables.families.diffusion import judges
from trainables.sources.molecules import Conformers, join, stack
from trainables.sources.molecules.graph import labelled
from trainables.store import Payload

BORON = "CCB(O)CCCC"
"""MMFF94 has no parameters for boron: UFF takes over."""


def molecule(smiles: str, count: int = 2) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMultipleConfs(mol, count, randomSeed=3)
    return mol


def rows(smiles: str, count: int = 2, number: int = 1, scale: float = 1.0) -> Conformers:
    mol = molecule(smiles, count)
    places = [scale * conformer.GetPositions() for conformer in mol.GetConformers()]
    return stack([number] * count, [labelled(mol)] * count, places)


@pytest.mark.parametrize(("smiles", "field"), [("CC(=O)NCC", "MMFF94"), (BORON, "UFF")])
def test_an_energy_is_rdkits_own_over_the_number_of_atoms(smiles: str, field: str) -> None:
    mol = molecule(smiles)
    known = AllChem.MMFFHasAllMoleculeParams(mol)
    assert known == (field == "MMFF94")
    for number, found in enumerate(judges.energies(rows(smiles))):
        whole = (
            AllChem.MMFFGetMoleculeForceField(mol, AllChem.MMFFGetMoleculeProperties(mol), confId=number)
            if known
            else AllChem.UFFGetMoleculeForceField(mol, confId=number)
        )
        assert found == pytest.approx(whole.CalcEnergy() / mol.GetNumAtoms(), rel=1e-3)


@pytest.mark.parametrize("smiles", ["CCCCCC", BORON])
@pytest.mark.parametrize("far", [8.0, 40.0])
def test_a_rows_energy_does_not_depend_on_the_rows_before_it(smiles: str, far: float) -> None:
    """RDKit chooses the pairs of a force field by the conformer that it is made with: one blown up has few."""
    real, blown = rows(smiles), rows(smiles, scale=far)
    assert judges.energies(join([blown, real]))[2:] == pytest.approx(judges.energies(real), rel=1e-9)


def test_rows_of_several_graphs_have_each_its_own_field() -> None:
    parts = [rows("CCO"), rows("CCN"), rows(BORON)]
    together = judges.energies(join(parts).take(np.array([4, 0, 2, 5, 1, 3])))
    alone = np.concatenate([judges.energies(part) for part in parts])
    assert together == pytest.approx(alone[[4, 0, 2, 5, 1, 3]])


def test_coordinates_without_an_energy_have_the_worst() -> None:
    water = rows("O")
    assert judges.energies(water.moved(np.full_like(water.positions, np.nan))).tolist() == [1e12] * 2


def test_a_reference_keeps_the_lowest_energy_of_each_molecule() -> None:
    real = join([rows("CCO", 3, number=9), rows("CCN", 2, number=4)])
    energy, judge = judges.energies(real), judges.fit_reference(real)
    assert judge.tensors["molecule"].tolist() == [4, 9]
    assert judge.tensors["lowest"].tolist() == [energy[3:].min(), energy[:3].min()]


def test_a_score_is_minus_asinh_of_the_energy_above_the_molecules_lowest() -> None:
    """Near the real conformer linear, far off a logarithm: asinh(x) ≈ x, and log 2x."""
    real = rows("CCO", 3, number=9)
    judge, energy = judges.fit_reference(real), judges.energies(real)
    assert judges.score_reference(judge, real) == pytest.approx(-np.arcsinh(energy - energy.min()))
    assert judges.score_reference(judge, real).max() == 0
    near = Payload(tensors={"molecule": np.array([9]), "lowest": energy[:1] - 1e-3})
    assert judges.score_reference(near, real)[0] == pytest.approx(-1e-3, rel=1e-5)
    blown = rows("CCO", 1, number=9, scale=0.3)
    above = judges.energies(blown)[0] - energy.min()
    assert above > 1e3
    assert judges.score_reference(judge, blown)[0] == pytest.approx(-np.log(2 * above), rel=1e-3)


@pytest.mark.parametrize("number", [0, 5, 99])
def test_a_molecule_that_no_real_row_has_is_measured_from_the_median_of_all(number: int) -> None:
    """Numbers below, between and above those that are known."""
    row = rows("CCO", 1, number=number)
    judge = Payload(tensors={"molecule": np.array([1, 4, 9]), "lowest": np.array([-3.0, 0.5, 8.0])})
    expected = -np.arcsinh(judges.energies(row) - 0.5)
    assert judges.score_reference(judge, row) == pytest.approx(expected)
    known = rows("CCO", 1, number=9)
    assert judges.score_reference(judge, known) == pytest.approx(-np.arcsinh(judges.energies(known) - 8))


def test_features_of_water_by_hand() -> None:
    """Two bonds and one pair two bonds apart: ratios to the middles of their bounds. No pair is further apart."""
    row = rows("O", 1)
    mol = molecule("O", 1)
    table, place = rdDistGeom.GetMoleculeBoundsMatrix(mol), row.place(0)
    gap = lambda i, j: float(np.linalg.norm(place[i] - place[j]))  # noqa: E731
    middle = lambda i, j: (table[i, j] + table[j, i]) / 2  # noqa: E731
    bonds = np.array([gap(0, 1) / middle(0, 1), gap(0, 2) / middle(0, 2)])
    across = gap(1, 2) / middle(1, 2)
    spread = np.sqrt(((place - place.mean(axis=0)) ** 2).sum() / 3) / np.sqrt(3)
    expected = [bonds.mean(), bonds.std(), bonds.min(), bonds.max(), np.abs(bonds - 1).mean()]
    expected += [across, 0, across, across, abs(across - 1)]
    expected += [1, 0, 1, spread]
    assert judges.features(row)[0] == pytest.approx(expected, rel=1e-5)


def test_features_of_far_pairs_are_their_room_above_the_lower_bound() -> None:
    """Least, share below, and mean, of pairs more than two bonds apart; a folded chain has some below."""
    mol = molecule("CCCC", 1)
    graph, place = labelled(mol), mol.GetConformer().GetPositions()
    table, hops = rdDistGeom.GetMoleculeBoundsMatrix(mol), Chem.GetDistanceMatrix(mol)
    for factor in (1.0, 0.5):
        room = [
            factor * np.linalg.norm(place[i] - place[j]) / table[j, i]
            for i in range(graph.size)
            for j in range(i + 1, graph.size)
            if hops[i, j] > 2
        ]
        found = judges.features(stack([1], [graph], [factor * place]))[0]
        assert found[10:13] == pytest.approx([min(room), np.mean([r < 1 for r in room]), np.mean(room)], rel=1e-5)
    assert found[11] > 0


def test_features_do_not_see_where_a_molecule_lies() -> None:
    real = rows("CC(C)O", 2)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    np.testing.assert_allclose(judges.features(real.moved(real.positions @ turn + 4)), judges.features(real), rtol=1e-4)
    assert judges.features(real).shape == (2, 14)


@pytest.fixture(scope="module")
def sides() -> tuple[Conformers, Conformers]:
    real = rows("CCCO", 12)
    return real, real.moved(real.positions + np.random.default_rng(0).normal(0, 0.1, real.positions.shape))


def test_the_detector_is_scikit_learns_on_standardised_features(sides: tuple[Conformers, Conformers]) -> None:
    judge = judges.fit_detector(*sides)
    x = np.concatenate([judges.features(side) for side in sides])
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(x, np.repeat([1, 0], 12))
    for side in sides:
        chance = peer.predict_proba(judges.features(side))[:, 1]
        assert judges.score_detector(judge, side) == pytest.approx(chance, abs=1e-5)
    assert judges.score_detector(judge, sides[0]).mean() > judges.score_detector(judge, sides[1]).mean()


def test_a_detector_is_never_certain(sides: tuple[Conformers, Conformers]) -> None:
    for offset, chance in ((100.0, 1 - 1e-6), (-100.0, 1e-6), (0.0, 0.5)):
        judge = Payload(tensors={"slope": np.zeros(14), "offset": np.array(offset)})
        assert judges.score_detector(judge, sides[0]).tolist() == [chance] * 12

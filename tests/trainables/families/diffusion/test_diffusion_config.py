"""What a config says before anything is built: parameters and costs by hand, rows there are, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from trainables.families import World
from trainables.families.diffusion import geometry
from trainables.families.diffusion.config import ATOM_TYPES, EDGE_TYPES, TIME_FEATURES, DiffusionConfig
from trainables.families.diffusion.geometry import Bounds
from trainables.sources.molecules import Graph, Nci, stack
from trainables.sources.molecules.graph import labelled
from trainables.sources.molecules.smiles import Smiles
from trainables.store import MemoryStore

SMALL = DiffusionConfig(width=5, messages=3, layers=2, radial=4)


def test_parameters_by_hand() -> None:
    """W = 5, M = 3: 42 kinds of atoms; a time of 17 numbers through two maps; in each of two rounds two ends of 5 × 3
    with one bias, 8 kinds of pairs and 4 Gaussians to 3, a distance, a map of 3 × 3 and a bias, and 3 to a move; one
    update of states, from 5 + 3 to 5 and from 5 to 5."""
    assert (ATOM_TYPES, EDGE_TYPES, TIME_FEATURES) == (42, 8, 17)
    message = 5 * 3 + 3 + 5 * 3 + 12 * 3 + 3 + 9 + 3 + 3
    assert SMALL.parameters == 42 * 5 + (17 * 5 + 5 + 25 + 5) + 2 * message + (8 * 5 + 5 + 25 + 5)
    assert DiffusionConfig().parameters == 46_016
    assert DiffusionConfig().size_label() == "0.046M"


def test_cost_by_hand() -> None:
    """A molecule of 18 atoms: 324 pairs through maps of (8 + 4 + 2) × 3 and 3 × 3, 18 atoms through two of 5 × 3, one
    of 8 × 5 and one of 5 × 5; two operations a multiplication, two rounds. A fit makes three passes an epoch, a sample
    50."""
    forward = 2 * (324 * 2 * (14 * 3 + 9) + 18 * 2 * (2 * 15 + 40 + 25))
    cost = SMALL.cost(100)
    assert cost.sample_flops == 50 * forward
    assert cost.fit_flops == 3 * 20 * forward
    assert cost.row_bytes == pytest.approx(18 * 14 + 1.05 * 18 * 6)
    assert (cost.parameters, cost.tokens_per_row) == (SMALL.parameters, 18)
    fixed = SMALL.model_copy(update={"steps": 25, "batch": 8}).cost(100)
    assert fixed.fit_flops == 3 * 2 * forward


@pytest.mark.parametrize(
    ("molecules", "held"), [(226, (150, 75)), (225, (45, 45)), (100, (20, 20)), (4, (0, 0)), (5, (1, 1))]
)
def test_as_many_molecules_are_held_out_as_stated_or_a_fifth_of_each(molecules: int, held: tuple[int, int]) -> None:
    config = DiffusionConfig(test_molecules=150, validation_molecules=75)
    assert config.held_out(molecules) == held


def test_a_fifth_is_never_more_than_was_stated() -> None:
    config = DiffusionConfig(test_molecules=3, validation_molecules=9)
    assert config.held_out(12) == (2, 2)
    assert config.held_out(11) == (2, 2)
    assert config.held_out(13) == (3, 9)
    assert DiffusionConfig(test_molecules=2, validation_molecules=20).held_out(20) == (2, 4)


def test_rows_to_train_on_are_those_of_the_molecules_left(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("smiles\n" + "".join(f"{'C' * (n + 2)}O\n" for n in range(9)))
    for conformers, tested, rows in ((1, 2, 7), (3, 2, 21), (3, 100, 24)):
        source = Smiles(path=str(path), conformers=conformers)
        assert DiffusionConfig(source=source, test_molecules=tested).available_rows() == rows


def test_tuning_needs_molecules_of_its_own() -> None:
    DiffusionConfig(validation_molecules=1).check_validation()
    with pytest.raises(ValueError, match=r"^family\.validation_molecules: ") as problem:
        DiffusionConfig().check_validation()
    assert str(problem.value) == (
        "family.validation_molecules: 0; tuning needs molecules that are neither trained nor tested on, as in "
        "validation_molecules: 75"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sampling_steps": 300}, "sampling_steps: 300 does not divide 1000 timesteps"),
        ({"noise_levels": 1001}, "noise_levels: 1001 levels of 1000 timesteps"),
        ({"beta_start": 0.03}, "beta_end: 0.02 is below beta_start, 0.03"),
    ],
)
def test_what_can_not_be_says_both_numbers(fields: dict, said: str) -> None:
    with pytest.raises(ValidationError) as problem:
        DiffusionConfig.model_validate(fields)
    assert said in str(problem.value)


def test_borders_of_what_can_be() -> None:
    DiffusionConfig(sampling_steps=1000, noise_levels=1000, beta_start=0.02, beta_end=0.02)
    least = {"width": 4, "messages": 2, "layers": 1, "radial": 2, "sampling_steps": 1, "judged_molecules": 1}
    DiffusionConfig.model_validate(least)
    for field, below in {name: value - 1 for name, value in least.items()}.items():
        with pytest.raises(ValidationError, match=field):
            DiffusionConfig.model_validate({field: below})


def test_a_schedule_that_does_not_end_in_noise_builds_no_family() -> None:
    config = DiffusionConfig.tiny()[0].model_copy(update={"beta_end": 0.02})
    message = r"^beta_end: after 20 timesteps of the linear schedule 0\.8\d? of the variance"
    with pytest.raises(ValueError, match=message):
        config.build(World(rows=2, replicates=1, seed=0, store=MemoryStore()))


def test_the_content_and_what_is_held_out_name_the_data() -> None:
    plain = DiffusionConfig()
    for fields in ({"test_molecules": 9}, {"validation_molecules": 9}, {"source": Nci(limit=9)}):
        assert plain.model_copy(update=fields).data_identity() != plain.data_identity()
    assert plain.model_copy(update={"width": 9}).data_identity() == plain.data_identity()


def bent(smiles: str, seed: int = 3) -> tuple[Chem.Mol, Graph, np.ndarray]:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=seed)
    return mol, labelled(mol), mol.GetConformer().GetPositions()


@pytest.mark.parametrize("smiles", ["CC(=O)N", "c1ccccc1", "OCC#N"])
def test_lengths_and_angles_by_loops_over_rdkits_bonds(smiles: str) -> None:
    mol, graph, place = bent(smiles)
    rows = stack([1], [graph], [place])
    lengths: dict[tuple[int, ...], list[float]] = {}
    for (i, j), order in zip(graph.bonds[:, :2].tolist(), graph.bonds[:, 2].tolist(), strict=True):
        name = (*sorted((int(graph.z[i]), int(graph.z[j]))), order)
        lengths.setdefault(name, []).append(float(np.linalg.norm(place[i] - place[j])))
    angles: dict[tuple[int, ...], list[float]] = {}
    for atom in mol.GetAtoms():
        ends = sorted(n.GetIdx() for n in atom.GetNeighbors())
        for a, b in ((a, b) for a in ends for b in ends if a < b):
            one, two = place[a] - place[atom.GetIdx()], place[b] - place[atom.GetIdx()]
            angle = np.degrees(np.arccos(one @ two / np.linalg.norm(one) / np.linalg.norm(two)))
            name = (atom.GetAtomicNum(), *sorted((int(graph.z[a]), int(graph.z[b]))))
            angles.setdefault(name, []).append(float(angle))
    for found, expected in ((geometry.lengths(rows), lengths), (geometry.angles(rows), angles)):
        assert {name: sorted(values.tolist()) for name, values in found.items()} == {
            name: pytest.approx(sorted(values), rel=1e-4) for name, values in expected.items()
        }


def test_distances_of_classes_are_weighted_by_their_real_counts_and_others_left_out() -> None:
    """Shifts of 1 among three real values and of 5 among one: (3 · 1 + 5)/4. Classes of one side alone do not count."""
    real = {(1,): np.array([0.0, 1, 2]), (2,): np.array([0.0]), (3,): np.array([9.0])}
    made = {(1,): np.array([1.0, 2, 3]), (2,): np.array([5.0, 5, 5, 5]), (4,): np.array([9.0])}
    assert geometry.wasserstein(real, made) == pytest.approx(2)
    assert geometry.wasserstein({(3,): real[3,]}, made) is None


def test_gyration_of_two_atoms_is_half_their_distance() -> None:
    pair = Graph(np.array([6, 6], np.uint8), np.zeros(2, np.int8), np.array([(0, 1, 1)], np.int16))
    rows = stack([1, 1], [pair] * 2, [np.array([[5.0, 0, 0], [5, 3, 4]]), np.zeros((2, 3))])
    assert geometry.gyration(rows).tolist() == pytest.approx([2.5, 0])


@pytest.mark.parametrize(("factor", "sound"), [(0.76, True), (0.74, False), (1.24, True), (1.26, False)])
def test_a_bond_is_sound_within_a_quarter_of_its_bounds(factor: float, sound: bool) -> None:
    """Hydrogen chloride has one pair: a quarter below the lower bound that RDKit gives, or above the upper."""
    mol = Chem.AddHs(Chem.MolFromSmiles("Cl"))
    table = rdDistGeom.GetMoleculeBoundsMatrix(mol)
    length = factor * (table[1, 0] if factor < 1 else table[0, 1])
    valid, bonds = geometry.validity(labelled(mol), [np.array([[0, 0, 0], [length, 0, 0]])])
    assert (valid.tolist(), bonds.tolist()) == ([sound], [float(sound)])


@pytest.mark.parametrize(
    ("middle", "end", "valid", "bonds"),
    [(1, 7.01, True, 1), (1, 6.99, False, 1), (1, 10.9, True, 1), (1, 11.1, False, 1), (0.74, 8, False, 0)],
)
def test_far_atoms_clash_below_seven_tenths_of_their_bound_and_are_never_too_far(
    middle: float, end: float, valid: bool, bonds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three atoms on a line: a bond of 1 to 2, its end and the last two bonds apart and 4 to 8, the outer ones further
    apart and 10 at least, or 8 at most, which does not count: 7 is the border, and 10 for the pair two bonds apart."""
    known = Bounds(*(np.array(v) for v in ([0, 0, 1], [1, 2, 2], [1, 10, 4], [2, 8, 8], [1, 3, 2])))
    monkeypatch.setattr(Bounds, "of", classmethod(lambda cls, graph: known))
    place = np.array([[0, 0, 0], [middle, 0, 0], [end, 0, 0]])
    found = geometry.validity(Graph(*(np.zeros(3, np.int8),) * 3), [place])
    assert [part.tolist() for part in found] == [[valid], [bonds]]


def test_conformers_are_laid_on_each_other_without_mirrors_and_over_equal_atoms() -> None:
    """A chiral molecule is away from its mirror image; one of three methyl groups may stand for another."""
    _, graph, place = bent("C[C@H](O)F")
    table = geometry.rmsd(graph, [place, place * [1, 1, -1], place + 3])
    assert table[0, 1] > 0.2
    assert table[0, 2] == pytest.approx(0, abs=1e-3)
    np.testing.assert_array_equal(np.diag(table), 0)

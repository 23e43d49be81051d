"""Ragged rows of conformers: hand-made offsets, chains of pieces, numbers of molecules, and what no row can hold."""

import hashlib

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.Geometry import Point3D

from trainables.sources.molecules import ELEMENTS, Chain, Conformers, Graph, join, read, stack, to_mol
from trainables.sources.molecules.base import shuffled
from trainables.sources.molecules.graph import Collector, Unusable, identify, labelled
from trainables.sources.molecules.rows import AROMATIC, offsets

RNG = np.random.default_rng(0)


def graph(size: int, charge: int = 0) -> Graph:
    bonds = np.array([(i, i + 1, 1 + i % 3) for i in range(size - 1)], np.int16).reshape(-1, 3)
    return Graph(np.arange(6, 6 + size, dtype=np.uint8) % 4 + 6, np.full(size, charge, np.int8), bonds)


def conformers(*sizes: int) -> Conformers:
    return stack(range(len(sizes)), [graph(n) for n in sizes], [RNG.normal(size=(n, 3)) for n in sizes])


def same(one: Conformers, other: Conformers) -> None:
    for name in ("molecule", "atoms", "z", "charge", "positions", "edges", "bonds"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def embedded(smiles: str) -> Chem.Mol:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    rdDistGeom.EmbedMolecule(mol, randomSeed=1)
    return mol


def test_offsets_are_where_rows_start_and_the_end_of_the_last() -> None:
    assert offsets(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert offsets(np.array([], int)).tolist() == [0]
    rows = conformers(3, 1, 4)
    assert rows.atoms.tolist() == [0, 3, 4, 8]
    assert rows.edges.tolist() == [0, 2, 2, 5]
    assert rows.sizes.tolist() == [3, 1, 4]
    assert rows.place(2).shape == (4, 3)
    assert rows.graph(1).bonds.shape == (0, 3)


def test_taking_rows_is_stacking_them_again() -> None:
    graphs, places = [graph(n) for n in (3, 1, 4)], [RNG.normal(size=(n, 3)) for n in (3, 1, 4)]
    rows = stack([7, 8, 9], graphs, places)
    index = [2, 0, 2, 1]
    same(
        rows.take(np.array(index)),
        stack([7 + i for i in index], [graphs[i] for i in index], [places[i] for i in index]),
    )
    assert len(rows.take(np.array([], int))) == 0


def test_joining_is_stacking_all_and_splitting_gives_the_parts_back() -> None:
    rows = conformers(3, 1, 4, 2)
    parts = [rows.take(np.array(index)) for index in ([0], [1, 2], [3])]
    same(join(parts), rows)
    same(join(parts[:1]), parts[0])


def test_rows_survive_a_table_whole_or_cut_or_in_pieces() -> None:
    from datasets import concatenate_datasets

    from trainables.store import Payload

    rows = conformers(3, 1, 4, 2)
    batch = rows.payload(moved=0.5)
    assert batch.meta == {"rows": 4, "moved": 0.5}
    same(read(batch), rows)
    cut = Payload(meta={"rows": 2}, table=batch.table.select(range(1, 3)))
    same(read(cut), rows.take(np.array([1, 2])))
    pieces = concatenate_datasets([batch.table, batch.table.select([0])])
    same(read(Payload(meta={"rows": 5}, table=pieces)), rows.take(np.array([0, 1, 2, 3, 0])))


def test_moved_rows_keep_their_graphs_and_take_places_in_single_precision() -> None:
    rows = conformers(2, 3)
    found = rows.moved(rows.positions.astype(float) * 2)
    assert found.positions.dtype == np.float32
    np.testing.assert_array_equal(found.positions, 2 * rows.positions)
    assert found.graph(1).key == rows.graph(1).key


def test_a_key_tells_atoms_charges_and_bonds_apart() -> None:
    plain = graph(3)
    other_bond = Graph(plain.z, plain.charge, plain.bonds + np.array([0, 0, 1], np.int16))
    other_atom = Graph(plain.z + np.uint8(1), plain.charge, plain.bonds)
    keys = {one.key for one in (plain, other_bond, other_atom, graph(3, charge=1), graph(4))}
    assert len(keys) == 5
    assert graph(3).key == plain.key


def test_a_chain_is_its_rows_one_behind_another_through_any_index() -> None:
    one, two = conformers(3, 1), conformers(4, 2, 5)
    whole = join([one, two])
    cases = [
        (Chain((one, two)), [0, 1, 2, 3, 4]),
        (Chain((one, two), np.array([4, 0, 4])), [4, 0, 4]),
        (Chain.join([Chain((one,)), Chain((two,))]), [0, 1, 2, 3, 4]),
        (Chain.join([Chain((one,), np.array([1])), Chain((two,))]), [1, 2, 3, 4]),
        (Chain.join([Chain((one, two), np.array([3, 0])), Chain((two,), np.array([2, 2]))]), [3, 0, 4, 4]),
    ]
    for chain, index in cases:
        assert len(chain) == len(index)
        assert chain.sizes.tolist() == whole.sizes[index].tolist()
        for row, number in enumerate(index):
            np.testing.assert_array_equal(chain.place(row), whole.place(number))
            assert chain.graph(row).key == whole.graph(number).key


def test_entries_are_visited_in_the_order_of_their_hashes_whatever_theirs() -> None:
    words = [b"CCO", b"CCN", b"C", b"CCO", b"CC=O"]
    order = [words[i] for i in shuffled(words)]
    assert order == sorted(words, key=lambda word: hashlib.sha256(word).digest())
    assert order == [words[::-1][i] for i in shuffled(words[::-1])]
    assert shuffled(words).tolist().index(0) < shuffled(words).tolist().index(3), "equal ones in their own order"


def test_a_molecules_number_is_63_bits_of_the_hash_of_its_canonical_smiles() -> None:
    """Without stereochemistry and hydrogens, whatever the order of atoms."""
    for words in (("OCC", "CCO"), ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "OC(=O)C(C)N")):
        plain = Chem.MolToSmiles(Chem.MolFromSmiles(words[0]), isomericSmiles=False)
        expected = int.from_bytes(hashlib.sha256(plain.encode()).digest()[:8], "big") // 2
        assert {identify(Chem.AddHs(Chem.MolFromSmiles(word))) for word in words} == {expected}
        assert expected < 2**63


@pytest.mark.parametrize(
    ("smiles", "orders"),
    [("CC", {1: 7}), ("C=C", {1: 4, 2: 1}), ("C#N", {1: 1, 3: 1}), ("c1ccccc1", {1: 6, AROMATIC: 6})],
)
def test_bonds_are_sorted_pairs_with_their_orders(smiles: str, orders: dict[int, int]) -> None:
    bonds = labelled(Chem.AddHs(Chem.MolFromSmiles(smiles))).bonds
    assert (bonds[:, 0] < bonds[:, 1]).all()
    assert bonds.tolist() == sorted(bonds.tolist())
    assert {int(order): int(n) for order, n in zip(*np.unique(bonds[:, 2], return_counts=True), strict=True)} == orders


def test_rows_hold_fourteen_elements() -> None:
    symbols = [Chem.GetPeriodicTable().GetElementSymbol(number) for number in ELEMENTS]
    assert " ".join(symbols) == "H B C N O F Si P S Cl As Se Br I"


@pytest.mark.parametrize(
    ("mol", "reason"),
    [
        (Chem.AddHs(Chem.MolFromSmiles("[Na]C")), "element outside the supported ones"),
        (Chem.MolFromSmiles("CC"), "hydrogens without coordinates"),
        (Chem.AddHs(Chem.MolFromSmiles("C.C")), "several fragments"),
        (Chem.MolFromSmiles("[Cl-]"), "fewer than two atoms"),
        (Chem.AddHs(Chem.MolFromSmiles("N->B")), "bond of an unsupported order"),
    ],
)
def test_what_no_row_can_hold_says_why(mol: Chem.Mol, reason: str) -> None:
    with pytest.raises(Unusable, match=f"^{reason}$"):
        labelled(mol)


def test_collected_conformers_are_centred_and_sorted_by_molecule() -> None:
    found, mols = Collector(), [embedded(word) for word in ("CCO", "CCN", "CC=O")]
    for mol in mols:
        found.add(mol, [mol.GetConformer().GetPositions() + 9, mol.GetConformer().GetPositions() * 2])
    assert found.rows == 6
    rows = found.loaded().rows
    assert rows.molecule.tolist() == sorted(identify(mol) for mol in mols for _ in range(2))
    for row in range(6):
        np.testing.assert_allclose(rows.place(row).mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.place(1), 2 * rows.place(0), atol=1e-5)


def test_one_conformer_that_is_no_number_loses_all_of_its_entry() -> None:
    found, mol = Collector(), embedded("CC")
    place = mol.GetConformer().GetPositions()
    with pytest.raises(Unusable, match=r"^coordinates are not finite$"):
        found.add(mol, [place, place * np.nan])
    assert found.rows == 0


def test_a_graph_becomes_a_molecule_with_its_charges_orders_and_places() -> None:
    mol = embedded("C[N+](C)(C)CC(=O)[O-]")
    place = mol.GetConformer().GetPositions()
    again = to_mol(labelled(mol), [place, place + 1])
    assert Chem.MolToSmiles(Chem.RemoveHs(again)) == Chem.MolToSmiles(Chem.RemoveHs(mol))
    assert again.GetNumConformers() == 2
    moved = again.GetConformer(1).GetAtomPosition(3)
    assert (moved - again.GetConformer(0).GetAtomPosition(3)).Length() == pytest.approx(3**0.5)
    assert isinstance(moved, Point3D)

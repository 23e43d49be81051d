"""Graphs as tensors: kinds of atoms and pairs by brute force, padding, scale, and the way back to ragged rows."""

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from tests.trainables.families.diffusion.test_diffusion_denoiser import chain, chains
from trainables.families.diffusion.batching import Featured, atom_types, edge_types, ragged
from trainables.families.diffusion.config import ATOM_TYPES, EDGE_TYPES
from trainables.families.diffusion.denoiser import time_features
from trainables.sources.molecules import ELEMENTS, Chain, Conformers, Graph, stack
from trainables.sources.molecules.graph import labelled

CODES = {1.0: 1, 2.0: 2, 3.0: 3, 1.5: 4}


def real(smiles: str) -> tuple[Chem.Mol, Graph]:
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    return mol, labelled(mol)


def mixed() -> Conformers:
    rows = []
    for smiles in ("CC#N", "O", "c1ccccc1C=O"):
        mol, graph = real(smiles)
        rdDistGeom.EmbedMolecule(mol, randomSeed=1)
        rows.append((graph, mol.GetConformer().GetPositions()))
    return stack(range(3), *zip(*rows, strict=True))


@pytest.mark.parametrize("smiles", ["CC(=O)NCC#N", "c1ccccc1C1CC1", "CCCCCC", "C1CC2CC1C2", "O=C=C=C=O"])
def test_a_pair_is_its_bond_or_how_many_bonds_lie_between(smiles: str) -> None:
    """By RDKit's bonds and shortest paths: itself 0, orders 1 to 4, then two, three and more bonds apart."""
    mol, graph = real(smiles)
    hops = Chem.GetDistanceMatrix(mol)
    expected = np.select([hops == 0, hops == 2, hops == 3], [0, 5, 6], 7)
    for bond in mol.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        expected[ends] = expected[ends[::-1]] = CODES[bond.GetBondTypeAsDouble()]
    assert edge_types(graph).tolist() == expected.tolist()
    assert edge_types(graph).max() < EDGE_TYPES


def test_every_element_and_charge_is_a_kind_of_its_own() -> None:
    """Three kinds an element, negative, none, positive, whatever the size of the charge."""
    z, charge = np.repeat(np.array(ELEMENTS, np.uint8), 3), np.tile(np.array([-1, 0, 1], np.int8), len(ELEMENTS))
    none = np.empty((0, 3), np.int16)
    assert atom_types(Graph(z, charge, none)).tolist() == list(range(ATOM_TYPES))
    assert atom_types(Graph(z, 2 * charge, none)).tolist() == list(range(ATOM_TYPES))
    assert atom_types(Graph(z, charge, none)).dtype == np.int64


def test_graphs_are_padded_to_the_largest_with_nothing() -> None:
    rows = mixed()
    found = Featured(rows, 1.0).graphs(np.array([2, 1]))
    sizes = [rows.sizes[2], rows.sizes[1]]
    assert found.mask_BN.sum(1).tolist() == sizes
    for slot, (row, n) in enumerate(zip((2, 1), sizes, strict=True)):
        assert found.types_BN[slot, :n].tolist() == atom_types(rows.graph(row)).tolist()
        assert found.edges_BNN[slot, :n, :n].tolist() == edge_types(rows.graph(row)).tolist()
        assert (found.mask_BN[slot, :n] == 1).all()
    assert not found.edges_BNN[1, sizes[1] :].any()
    assert not found.edges_BNN[1, :, sizes[1] :].any()
    assert not found.mask_BN[1, sizes[1] :].any()


@pytest.mark.parametrize("scale", [1.0, 1.5, 0.2])
def test_places_are_in_units_of_the_noise_and_come_back(scale: float) -> None:
    rows = mixed()
    featured = Featured(rows, scale)
    found = featured.places(np.arange(3))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[1, : rows.sizes[1]] * scale, rows.place(1), rtol=1e-5, atol=1e-6)
    assert not found[1, rows.sizes[1] :].any()
    blocks = [(index, featured.places(index).numpy() * scale) for index in (np.array([1]), np.array([2, 0]))]
    np.testing.assert_allclose(ragged(blocks, rows), rows.positions, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [1, 3, 4, 100])
def test_blocks_by_size_hold_every_row_once_from_the_smallest_on(length: int) -> None:
    rows = chains([5, 2, 9, 2, 5, 5, 1])
    blocks = list(Featured(rows, 1.0).by_size(length))
    order = np.concatenate(blocks)
    assert order.tolist() == [6, 1, 3, 0, 4, 5, 2], "equal sizes in their own order"
    assert [len(block) for block in blocks[:-1]] == [length] * (len(blocks) - 1)


def test_a_chain_of_pieces_gives_what_one_piece_gives() -> None:
    rows = mixed()
    pieces = Chain((rows.take(np.array([0])), rows.take(np.array([1, 2]))), np.array([2, 0, 1, 2]))
    index = np.array([3, 1])
    whole, parted = Featured(rows.take(np.array([2, 0, 1, 2])), 1.5), Featured(pieces, 1.5)
    assert torch.equal(whole.places(index), parted.places(index))
    assert torch.equal(whole.graphs(index).edges_BNN, parted.graphs(index).edges_BNN)
    assert torch.equal(whole.graphs(index).types_BN, parted.graphs(index).types_BN)


def test_graphs_that_differ_in_one_charge_are_two() -> None:
    plain = chain(3)
    charged = Graph(plain.z, np.array([0, 0, -1], np.int8), plain.bonds)
    types = Featured(stack([1, 1], [plain, charged], [np.zeros((3, 3))] * 2), 1.0).graphs(np.arange(2)).types_BN
    assert (types[0] - types[1]).tolist() == [0, 0, 1]


def test_a_time_is_itself_and_waves_of_a_half_to_sixty_four_turns() -> None:
    """sin and cos of 2ᵏπt for k from −1 to 6: of ¼, π/8 first and 16π last."""
    found = time_features(torch.tensor([0.25, 0.0])).double()
    angles = [2.0**k * np.pi * 0.25 for k in range(-1, 7)]
    np.testing.assert_allclose(found[0], [0.25, *np.sin(angles), *np.cos(angles)], atol=1e-5)
    assert found[1].tolist() == [0.0] * 9 + [1.0] * 8

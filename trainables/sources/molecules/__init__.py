"""Molecular conformers: embedded, from files, or from the hub."""

from trainables.sources.molecules.base import MOLECULE_SOURCES, Loaded, MoleculeSource
from trainables.sources.molecules.graph import to_mol
from trainables.sources.molecules.rows import ELEMENTS, Chain, Conformers, Graph, join, read, stack
from trainables.sources.molecules.smiles import Nci

__all__ = [
    "ELEMENTS",
    "MOLECULE_SOURCES",
    "Chain",
    "Conformers",
    "Graph",
    "Loaded",
    "MoleculeSource",
    "Nci",
    "join",
    "read",
    "stack",
    "to_mol",
]

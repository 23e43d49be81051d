"""Molecules from SMILES: their conformers are embedded (ETKDG) and relaxed (MMFF94) here."""

from __future__ import annotations

import io
import os
import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.runtime import THREADS, require, required_version
from trainables.sources.molecules.base import Loaded, MoleculeSource, content, digest, package_file, shuffled
from trainables.sources.molecules.graph import Collector, Unusable, identify, labelled

if TYPE_CHECKING:
    from rdkit import Chem

MAX_STEPS = 500
"""Steps of the relaxation; a molecule that needs more keeps where it got to."""


class SmilesSource(MoleculeSource):
    """Base of sources that hold SMILES alone."""

    conformers: int = Field(default=2, ge=1, description="conformers embedded of each molecule")
    max_heavy_atoms: int = Field(default=12, ge=2, description="larger molecules are left out")

    @property
    def rows_each(self) -> int:
        return self.conformers

    def identity(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "digest": self.digest(),
            "rdkit": required_version("rdkit", f"source: {self.kind}"),
            "method": "etkdg3+mmff94",
            "conformers": self.conformers,
            "max_heavy_atoms": self.max_heavy_atoms,
            "limit": self.limit,
        }

    def entries(self) -> int:
        return len(_chosen(self, self.digest())[0])

    def load(self) -> Loaded:
        molecules, skipped = _chosen(self, self.digest())
        found = Collector()
        found.skipped.update(skipped)
        for mol, places in zip(molecules, _embedded(molecules, self.conformers), strict=True):
            if places:
                found.add(mol, places)
            if len(places) < self.conformers:
                found.skipped["conformers that could not be embedded"] += self.conformers - len(places)
        return found.loaded()

    @abstractmethod
    def digest(self) -> str:
        """Names the SMILES."""

    @abstractmethod
    def words(self) -> list[str]:
        """The SMILES, in the order of the file.

        Raises:
            ValueError: they can't be read.
        """


class Nci(SmilesSource):
    """5,000 small molecules of the National Cancer Institute's open database, as RDKit ships them."""

    kind: Literal["nci"] = "nci"
    limit: int | None = Field(default=1500, ge=1, description="molecules at most")
    typical_atoms: ClassVar[float] = 18.0

    def digest(self) -> str:
        return digest("\n".join(self.words()).encode())

    def words(self) -> list[str]:
        require("rdkit", f"source: {self.kind}")
        text = package_file("rdkit", "Data", "NCI", "first_5K.smi").read_text()
        return [line.split()[0] for line in text.splitlines() if line.strip()]


class Smiles(SmilesSource):
    """A column of SMILES in a CSV file, local or at any fsspec URL, compressed or not."""

    kind: Literal["smiles"] = "smiles"
    path: str
    column: str = "smiles"

    def digest(self) -> str:
        return digest(self.column.encode() + b"\n" + content(self.path))

    def peek(self) -> list[str]:
        from rdkit import Chem, rdBase

        words = self._column(self.PEEK)
        with rdBase.BlockLogs():
            lost = sum(not word.strip() or Chem.MolFromSmiles(word) is None for word in words)
        if not words:
            return [f"source.path: {self.path!r} holds no row"]
        return [f"source.path: {lost} of the first {len(words)} SMILES do not parse"] if lost else []

    def words(self) -> list[str]:
        return self._column()

    def _column(self, rows: int | None = None) -> list[str]:
        """The column, or its first rows."""
        import pandas as pd

        try:
            data = io.BytesIO(content(self.path))
            frame = pd.read_csv(data, dtype=str, keep_default_na=False, nrows=rows)
        except (ValueError, UnicodeDecodeError) as problem:
            if str(problem).startswith("source."):
                raise
            raise ValueError(f"source.path: {self.path!r} is no CSV file ({str(problem).splitlines()[0]})") from problem
        if self.column not in frame:
            raise ValueError(
                f"source.column: no column {self.column!r} in {self.path!r} (columns: {', '.join(frame.columns)})"
            )
        return list(frame[self.column])


@lru_cache(maxsize=4)
def _chosen(source: SmilesSource, content_digest: str) -> tuple[list[Chem.Mol], dict[str, int]]:
    """Molecules to embed, hydrogens added, one for each graph; and the entries skipped, by reason.

    The digest is there for the cache: a file that changed is read again.
    """
    from rdkit import rdBase

    words = source.words()
    found: dict[int, Chem.Mol] = {}
    collector = Collector()
    with rdBase.BlockLogs():
        for index in shuffled([word.encode() for word in words]):
            if source.limit is not None and len(found) >= source.limit:
                break
            try:
                mol = _usable(words[index], source.max_heavy_atoms)
                number = identify(mol)
                if number in found:
                    raise Unusable("repeated molecule")
                found[number] = mol
            except Unusable as problem:
                collector.skipped[str(problem)] += 1
    if not found:
        raise ValueError(f"source: {source.kind} holds no usable SMILES ({dict(collector.skipped)})")
    return list(found.values()), dict(collector.skipped)


def _usable(word: str, max_heavy_atoms: int) -> Chem.Mol:
    """The molecule with hydrogens, fit to be embedded.

    Raises:
        Unusable: with the reason; one is that it is larger than the source asks for.
    """
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    mol = Chem.MolFromSmiles(word) if word.strip() else None
    if mol is None:
        raise Unusable("SMILES does not parse")
    if mol.GetNumHeavyAtoms() > max_heavy_atoms:
        raise Unusable("larger than max_heavy_atoms")
    if mol.GetNumHeavyAtoms() < 2:
        raise Unusable("fewer than two heavy atoms")
    whole = Chem.AddHs(mol)
    labelled(whole)
    if not rdForceFieldHelpers.MMFFHasAllMoleculeParams(whole):
        raise Unusable("no MMFF94 parameters")
    return whole


def _embedded(molecules: list[Chem.Mol], conformers: int) -> Iterator[list[np.ndarray]]:
    """Coordinates of each molecule's conformers, [n, 3] each, in as many threads as this process may use.

    RDKit releases the interpreter's lock in both steps; seeds come from the molecule, so threads do not matter.
    """
    threads = os.environ.get(THREADS, "1")
    with ThreadPoolExecutor(int(threads) if threads.isdecimal() and int(threads) else 1) as pool:
        yield from _tracked(pool.map(lambda mol: _conformers(mol, conformers), molecules), len(molecules))


def _conformers(mol: Chem.Mol, count: int) -> list[np.ndarray]:
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    mol = type(mol)(mol)
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = identify(mol) % 2**31
    with rdBase.BlockLogs():
        ids = list(rdDistGeom.EmbedMultipleConfs(mol, count, parameters))
        if not ids:
            parameters.useRandomCoords = True
            ids = list(rdDistGeom.EmbedMultipleConfs(mol, count, parameters))
        rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=MAX_STEPS)
    return [mol.GetConformer(i).GetPositions() for i in ids]


def _tracked(steps: Iterable[list[np.ndarray]], total: int) -> Iterator[list[np.ndarray]]:
    """The steps, with a bar on an interactive terminal."""
    from rich.console import Console
    from rich.progress import track

    quiet = not sys.stderr.isatty() or total < 100
    yield from track(steps, "embedding conformers", total, console=Console(stderr=True), disable=quiet, transient=True)

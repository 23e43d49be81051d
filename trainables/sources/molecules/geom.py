"""GEOM-Drugs (Axelrod & Gómez-Bombarelli 2022) in its published layout: an index, and a pickle for each molecule."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.runtime import required_version
from trainables.sources.molecules.base import Loaded, MoleculeSource, shuffled
from trainables.sources.molecules.graph import Collector, Unusable

if TYPE_CHECKING:
    from rdkit import Chem

INDEX = "summary_drugs.json"

SAFE = {
    ("rdkit.Chem.rdchem", "Mol"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
}
"""What a molecule's pickle may name; anything else is refused, even where pickles are allowed."""


class GeomDrugs(MoleculeSource):
    """The folder `rdkit_folder` of GEOM: `summary_drugs.json`, and `drugs/*.pickle` that it points to.

    A pickle is a program. It is opened only with `allow_pickle: true`, and then by a reader that knows RDKit
    molecules and plain numbers alone; RDKit's own binary format is still parsed by RDKit.

    Attributes:
        conformers: of each molecule, the ones with the largest Boltzmann weight first.
    """

    kind: Literal["geom_drugs"] = "geom_drugs"
    path: str
    allow_pickle: bool = False
    conformers: int = Field(default=5, ge=1)
    limit: int | None = Field(default=8200, ge=1, description="molecules used at most; null takes all")
    typical_atoms: ClassVar[float] = 46.0

    @property
    def rows_each(self) -> int:
        return self.conformers

    def identity(self) -> dict[str, Any]:
        rdkit = required_version("rdkit", "source: geom_drugs")
        digest = _digest(self, tuple(self._stamp(name) for name in self._names()))
        return {"kind": self.kind, "digest": digest, "rdkit": rdkit, "conformers": self.conformers, "limit": self.limit}

    def content_digest(self) -> str:
        """Names the bytes of all pickles read; a gigabyte or two at the default limit."""
        total = hashlib.sha256()
        for name in self._names():
            total.update(self._bytes(name))
        return total.hexdigest()[:32]

    def entries(self) -> int:
        return len(self._names())

    def load(self) -> Loaded:
        from rdkit import rdBase

        found = Collector()
        with rdBase.BlockLogs():
            for name in self._names():
                try:
                    self._add(found, self._bytes(name))
                except Unusable as problem:
                    found.skipped[str(problem)] += 1
        return found.loaded()

    def _add(self, found: Collector, data: bytes) -> None:
        for mol, place in _heaviest(_opened(data), self.conformers):
            found.add(mol, [place])

    def _names(self) -> list[str]:
        """The pickles to read, by the index."""
        if not self.allow_pickle:
            raise ValueError(
                "source.allow_pickle: GEOM-Drugs is published as Python pickles, which can run any code when opened; "
                "say allow_pickle: true if you trust this copy"
            )
        try:
            index = json.loads(Path(self.path, INDEX).read_text(encoding="utf8"))
        except (OSError, ValueError) as problem:
            raise ValueError(f"source.path: no readable {INDEX} in {self.path!r} ({problem})") from problem
        names = [str(entry["pickle_path"]) for entry in index.values() if "pickle_path" in entry]
        return [names[i] for i in shuffled([name.encode() for name in names])[: self.limit]]

    def _stamp(self, name: str) -> tuple[int, int]:
        """What changes with a file."""
        try:
            found = self._place(name).stat()
        except OSError as problem:
            raise ValueError(f"source.path: {INDEX} names {name!r}, which can't be read ({problem})") from problem
        return found.st_size, found.st_mtime_ns

    def _bytes(self, name: str) -> bytes:
        try:
            return self._place(name).read_bytes()
        except OSError as problem:
            raise ValueError(f"source.path: {INDEX} names {name!r}, which can't be read ({problem})") from problem

    def _place(self, name: str) -> Path:
        """A pickle of the index, which must lie inside the folder."""
        root = Path(self.path).resolve()
        place = (root / name).resolve()
        if not place.is_relative_to(root):
            raise ValueError(f"source.path: {INDEX} points outside its folder ({name!r})")
        return place


@lru_cache(maxsize=4)
def _digest(source: GeomDrugs, stamps: tuple[tuple[int, int], ...]) -> str:
    """The content's digest, taken again in this process only where a file has changed."""
    return source.content_digest()


class _Reader(pickle.Unpickler):
    """A pickle reader that builds nothing but RDKit molecules and numpy numbers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in SAFE:
            raise Unusable(f"pickle names {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _opened(data: bytes) -> dict[str, Any]:
    """A molecule's record.

    Raises:
        Unusable: it is damaged, or names something that no molecule needs.
    """
    try:
        record = _Reader(io.BytesIO(data)).load()
    except Unusable:
        raise
    except Exception as problem:  # whatever the bytes that changed make of a program
        raise Unusable("damaged pickle") from problem
    if not isinstance(record, dict) or "conformers" not in record:
        raise Unusable("pickle without conformers")
    return record


def _heaviest(record: Mapping[str, Any], count: int) -> list[tuple[Chem.Mol, np.ndarray]]:
    """Molecule and coordinates of the conformers of largest weight.

    Raises:
        Unusable: a conformer is none.
    """
    try:
        held = sorted(record["conformers"], key=lambda conformer: -float(conformer.get("boltzmannweight", 0.0)))
        mols = [conformer["rd_mol"] for conformer in held[:count]]
        return [(mol, mol.GetConformer().GetPositions()) for mol in mols]
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise Unusable("pickle without conformers") from problem

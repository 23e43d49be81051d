"""Molecule sources: conformers by name, counted, and told apart by content."""

from __future__ import annotations

import hashlib
import importlib.util
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from trainables.config import Registry
from trainables.runtime import check_place
from trainables.sources.base import Source
from trainables.sources.damage import damage, first_line
from trainables.sources.molecules.rows import Conformers

MOLECULE_SOURCES = Registry(
    "molecule source",
    {
        "nci": "trainables.sources.molecules.smiles:Nci",
        "smiles": "trainables.sources.molecules.smiles:Smiles",
        "qm9": "trainables.sources.molecules.files:Qm9",
        "npz": "trainables.sources.molecules.files:Npz",
        "sdf": "trainables.sources.molecules.files:Sdf",
        "hub": "trainables.sources.molecules.hub:Hub",
        "geom_drugs": "trainables.sources.molecules.geom:GeomDrugs",
    },
)


@dataclass(frozen=True)
class Loaded:
    """What a source held.

    Attributes:
        rows: conformers, molecules in the order of their numbers.
        skipped: entries that could not be used, by reason.
    """

    rows: Conformers
    skipped: dict[str, int]


class MoleculeSource(Source, ABC):
    """Base of every molecule source. Subclasses add `kind: Literal[...]`.

    Which entries enter does not depend on the order of a file: they are visited in the order of their
    content's hash until `limit` are found usable. An entry is a molecule, or a conformer in files of these.
    """

    kind: str
    limit: int | None = Field(default=5000, ge=1, description="entries used at most; null takes all")
    typical_atoms: ClassVar[float] = 24.0

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the conformers are: digests of content and the versions that shape it, never a place.

        Raises:
            ValueError: the data can't be read; one line says which and why.
        """

    @abstractmethod
    def entries(self) -> int:
        """Entries there are at most, `limit` included; exact unless some turn out unusable."""

    @abstractmethod
    def load(self) -> Loaded:
        """All rows. May take minutes; callers cache it by `identity`."""

    @property
    def rows_each(self) -> int:
        """Conformers of an entry, at most."""
        return 1


def package_file(package: str, *parts: str) -> Path:
    """A data file inside an installed package, without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], *parts)


def content(path: str) -> bytes:
    """A file's bytes, local or any fsspec URL, decompressed by its suffix; a zip holds one file.

    Raises:
        ValueError: it can't be read; one line says why.
    """
    import fsspec

    check_place("source.path", path)
    try:
        if path.lower().endswith(".zip"):
            return _only_member(path)
        with fsspec.open(path, "rb", compression="infer") as file:
            data: bytes = file.read()
    except damage(ValueError, ImportError) as problem:
        raise ValueError(f"source.path: can't read {path!r} ({first_line(problem)})") from problem
    return data


def _only_member(path: str) -> bytes:
    """The one file of a zip.

    Raises:
        ValueError: there is none, or more; what desktops leave behind does not count.
        OSError: it is no zip, or can't be read.
    """
    import fsspec

    try:
        with fsspec.open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            names = [m.filename for m in archive.infolist() if not m.is_dir()]
            held = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))]
            if len(held) != 1:
                listed = ", ".join(held[:3]) + (", …" if len(held) > 3 else "")
                raise ValueError(
                    f"the zip holds {len(held)} files, not one: {listed or 'none'}; unpack it and name one"
                )
            return archive.read(held[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as problem:
        raise OSError(str(problem)) from problem


def digest(data: bytes) -> str:
    """32 hex digits that name some content."""
    return hashlib.sha256(data).hexdigest()[:32]


def shuffled(entries: Sequence[bytes]) -> np.ndarray:
    """Numbers of the entries in the order of their hashes: random, and the same for any order in the file."""
    names = np.array([hashlib.sha256(entry).digest()[:16] for entry in entries], dtype="S16")
    return np.argsort(names, kind="stable")

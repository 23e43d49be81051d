"""Molecules with coordinates in files: `sdf`, `npz`, and QM9 as the package `qm9pack` ships it."""

from __future__ import annotations

import ast
import hashlib
import io
import re
from collections.abc import Mapping
from functools import lru_cache
from tokenize import TokenError
from typing import Any, ClassVar, Literal

import numpy as np

from trainables.runtime import require, required_version
from trainables.sources.damage import BROKEN_ARCHIVE, first_line
from trainables.sources.molecules.base import Loaded, MoleculeSource, content, digest, package_file, shuffled
from trainables.sources.molecules.graph import Collector, Unusable, bonded

READER = 2
"""Version of how records become rows; part of the identity, so that a mended reader never goes by old results."""

SEPARATOR = re.compile(rb"^\$\$\$\$[ \t]*$\n?", re.MULTILINE)
SHORTEST, LONGEST = 0.5, 4.0
"""Ångström of a bond: hydrogen's is 0.74, and none between atoms that rows hold is longer than about 3."""

NO_ARRAY = (ValueError, TypeError, TokenError, MemoryError)
"""What numpy raises for a damaged array, and for one that lies in no archive."""

HEAVIEST = 118
"""Largest atomic number that there is."""

SYMBOLS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


class FileSource(MoleculeSource):
    """Base of sources that read one file."""

    path: str

    def identity(self) -> dict[str, Any]:
        rdkit = required_version("rdkit", f"source: {self.kind}")
        return {"kind": self.kind, "digest": digest(content(self.path)), "rdkit": rdkit, "limit": self.limit}


class Sdf(FileSource):
    """Records of an SD file with 3D coordinates, hydrogens included."""

    kind: Literal["sdf"] = "sdf"

    def identity(self) -> dict[str, Any]:
        """As of every file, with the version of what reads records."""
        return super().identity() | {"reader": READER}

    def entries(self) -> int:
        return min(len(self._records()), self.limit or 10**9)

    def peek(self) -> list[str]:
        from rdkit import Chem, rdBase

        first = self._records()[: self.PEEK]
        with rdBase.BlockLogs():
            lost = sum(Chem.MolFromMolBlock(record.decode(errors="replace")) is None for record in first)
        if not first:
            return [f"source.path: {self.path!r} holds no record"]
        return [f"source.path: {lost} of the first {len(first)} records do not parse"] if lost else []

    def load(self) -> Loaded:
        from rdkit import Chem, rdBase

        records = self._records()
        found, seen = Collector(), set[tuple[str, bytes]]()
        with rdBase.BlockLogs():
            for index in shuffled(records):
                if self.limit is not None and found.rows >= self.limit:
                    break
                mol = Chem.MolFromMolBlock(records[index].decode(errors="replace"), removeHs=False)
                try:
                    if mol is None:
                        raise Unusable("record does not parse")
                    if not mol.GetNumConformers() or not mol.GetConformer().Is3D():
                        raise Unusable("no 3D coordinates")
                    place = mol.GetConformer().GetPositions()
                    _check_place(mol, place)
                    if (name := (Chem.MolToSmiles(mol), place.tobytes())) in seen:
                        raise Unusable("repeated conformer")
                    seen.add(name)
                    found.add(mol, [place])
                except Unusable as problem:
                    found.skipped[str(problem)] += 1
        return found.loaded()

    def _records(self) -> list[bytes]:
        text = content(self.path).replace(b"\r\n", b"\n")
        return [record for record in SEPARATOR.split(text) if record.strip()]


def _check_place(mol: Any, place: np.ndarray) -> None:
    """Refuse coordinates that can't be a conformer's in ångström.

    Raises:
        Unusable: bonded atoms lie at one point or far apart, or carbon's tetrahedron lies in a plane.
    """
    ends = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds()], int).reshape(-1, 2)
    lengths = np.linalg.norm(place[ends[:, 0]] - place[ends[:, 1]], axis=1)
    if len(lengths) and (lengths.min() < SHORTEST or lengths.max() > LONGEST):
        raise Unusable("bond lengths are not those of coordinates in ångström")
    if any(atom.GetDegree() == 4 for atom in mol.GetAtoms()) and np.linalg.matrix_rank(place - place.mean(0), 1e-3) < 3:
        raise Unusable("coordinates lie in a plane")


class Npz(FileSource):
    """Arrays `z` and `pos` of all atoms, `n_atoms` of each molecule, and `smiles` where known.

    Bonds come from the SMILES where heavy atoms stand in its order and the geometry agrees, else from the
    geometry, which must then give the SMILES. Entries where neither holds are skipped and counted.
    """

    kind: Literal["npz"] = "npz"
    typical_atoms: ClassVar[float] = 18.0

    def entries(self) -> int:
        return min(len(self._arrays()["n_atoms"]), self.limit or 10**9)

    def peek(self) -> list[str]:
        return [] if len(self._arrays()["n_atoms"]) else [f"source.path: {self.path!r} holds no molecule"]

    def load(self) -> Loaded:
        arrays = self._arrays()
        ends = np.cumsum(arrays["n_atoms"], dtype=np.int64)
        starts = ends - arrays["n_atoms"]
        smiles = arrays.get("smiles")
        items = [
            (arrays["z"][a:b], arrays["pos"][a:b], None if smiles is None else str(smiles[n]))
            for n, (a, b) in enumerate(zip(starts, ends, strict=True))
        ]
        return from_coordinates(items, self.limit)

    def _arrays(self) -> dict[str, np.ndarray]:
        data = content(self.path)
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("z", "pos", "n_atoms", "smiles") if name in file}
        except (*BROKEN_ARCHIVE, *NO_ARRAY) as problem:
            reason = first_line(problem)
            raise ValueError(f"source.path: {self.path!r} is no .npz file of plain arrays ({reason})") from problem
        missing = {"z", "pos", "n_atoms"} - arrays.keys()
        if missing:
            raise ValueError(f"source.path: {self.path!r} lacks the arrays {', '.join(sorted(missing))}")
        _check_arrays(self.path, arrays)
        atoms = int(arrays["n_atoms"].sum(dtype=np.int64))
        if arrays["z"].shape != (atoms,) or arrays["pos"].shape != (atoms, 3):
            shapes = f"z has shape {arrays['z'].shape} and pos {arrays['pos'].shape}"
            raise ValueError(f"source.path: n_atoms of {self.path!r} sums to {atoms}, but {shapes}")
        smiles, count = arrays.get("smiles"), len(arrays["n_atoms"])
        if smiles is not None and smiles.shape != (count,):
            raise ValueError(f"source.path: smiles of {self.path!r} has shape {smiles.shape} for {count} molecules")
        return arrays


def _check_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays of other kinds or lengths than molecules have.

    Raises:
        ValueError: one line says which.
    """
    counts = arrays["n_atoms"]
    for name, kinds, what in (
        ("n_atoms", "iu", "whole numbers"),
        ("z", "iu", "whole numbers"),
        ("pos", "fiu", "numbers"),
    ):
        if arrays[name].dtype.kind not in kinds:
            raise ValueError(f"source.path: {name} of {path!r} must be {what}, not {arrays[name].dtype}")
    if counts.ndim != 1 or (counts < 0).any():
        raise ValueError(f"source.path: n_atoms of {path!r} must be one count for each molecule, none below 0")


class Qm9(MoleculeSource):
    """QM9: 130,831 molecules of up to nine heavy atoms, B3LYP geometries (Ramakrishnan et al. 2014), by `qm9pack`."""

    kind: Literal["qm9"] = "qm9"
    typical_atoms: ClassVar[float] = 18.0
    files: ClassVar[tuple[str, ...]] = ("qm9_part1.csv", "qm9_part2.csv", "qm9_part3.csv")

    def identity(self) -> dict[str, Any]:
        require("qm9pack", "source: qm9")
        rdkit = required_version("rdkit", "source: qm9")
        return {"kind": self.kind, "digest": _qm9_digest(), "rdkit": rdkit, "limit": self.limit}

    def entries(self) -> int:
        require("qm9pack", "source: qm9")
        return min(130_831, self.limit or 10**9)

    def load(self) -> Loaded:
        import pandas as pd

        require("qm9pack", "source: qm9")
        columns = ["SMILES", "Elements", "XYZ_Ang"]
        frame = pd.concat([pd.read_csv(package_file("qm9pack", "data", f), usecols=columns) for f in self.files])
        names = [xyz.encode() for xyz in frame["XYZ_Ang"]]
        order = shuffled(names)[: None if self.limit is None else 2 * self.limit]
        chosen = frame.iloc[order]
        items = [
            (_numbers(elements), np.array(ast.literal_eval(xyz), dtype=np.float32), smiles)
            for smiles, elements, xyz in chosen[columns].itertuples(index=False)
        ]
        return from_coordinates(items, self.limit)


def from_coordinates(items: list[tuple[np.ndarray, np.ndarray, str | None]], limit: int | None) -> Loaded:
    """Rows of bare coordinates: atomic numbers [n], positions [n, 3] in ångström, SMILES or None."""
    from rdkit import rdBase

    found = Collector()
    with rdBase.BlockLogs():
        for index in shuffled([z.tobytes() + place.tobytes() for z, place, _ in items]):
            if limit is not None and found.rows >= limit:
                break
            z, place, smiles = items[index]
            try:
                _check_row(z, place)
                found.add(bonded(z, place, smiles), [place])
            except Unusable as problem:
                found.skipped[str(problem)] += 1
    return found.loaded()


def _check_row(z: np.ndarray, place: np.ndarray) -> None:
    """Refuse what is no geometry.

    Raises:
        Unusable: with the reason.
    """
    if place.shape == (0, 3):
        raise Unusable("no coordinates")
    if place.shape != (len(z), 3):
        raise Unusable("coordinates are not three numbers for each atom")
    if not np.isfinite(place).all():
        raise Unusable("coordinates are not finite")
    if not 1 <= z.min() <= z.max() <= HEAVIEST:
        raise Unusable("no such atomic number")


def _numbers(elements: str) -> np.ndarray:
    """Atomic numbers of a printed list of symbols."""
    return np.array([SYMBOLS[symbol] for symbol in ast.literal_eval(elements)], dtype=np.uint8)


@lru_cache(maxsize=1)
def _qm9_digest() -> str:
    total = hashlib.sha256()
    for name in Qm9.files:
        with package_file("qm9pack", "data", name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:32]

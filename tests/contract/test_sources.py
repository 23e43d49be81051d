"""The source contract, on each kind that can be read without a network; and it has teeth.

Of each bench, `others` differ from the source in one thing each: bytes, format, column, separator, size, colour, crop,
conformers, or what is left out.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from trainables.sources.images import Digits
from trainables.sources.images.files import Folder
from trainables.sources.molecules import Nci
from trainables.sources.molecules.smiles import Smiles
from trainables.sources.text import Pydoc
from trainables.sources.text.blend import Blend
from trainables.sources.text.files import TextFile
from trainables.testing import SOURCE_CHECKS, SourceBench

Maker = Callable[[Path], SourceBench]
STORIES = ["Once there was a fox.", "A cat sat.", "The end."]


def moved(path: Path) -> str:
    """The same file elsewhere."""
    (path.parent / "elsewhere").mkdir(exist_ok=True)
    return str(shutil.copy(path, path.parent / "elsewhere" / path.name))


def pydoc(folder: Path) -> SourceBench:
    return SourceBench(Pydoc())


def plain_text(folder: Path) -> SourceBench:
    lines = "".join(json.dumps({"text": story, "title": story[:5]}) + "\n\n" for story in STORIES)
    names = ("s.txt", "s.jsonl", "s.txt.gz", "s.JSONL")
    one, as_json, packed, loud = (folder / name for name in names)
    one.write_text(lines)
    as_json.write_text(lines)
    loud.write_text(lines)
    packed.write_bytes(gzip.compress(lines.replace("cat", "dog").encode()))
    other = folder / "other.txt"
    other.write_text(lines.replace("fox", "hen"))
    others = [
        TextFile(path=str(as_json)),
        TextFile(path=str(loud), column="title"),
        TextFile(path=str(packed)),
        TextFile(path=str(other)),
        TextFile(path=str(one), separator="\n"),
        TextFile(path=str(one), test_path=str(other)),
    ]
    return SourceBench(TextFile(path=str(one)), TextFile(path=moved(one)), tuple(others))


def blend(folder: Path) -> SourceBench:
    one, other, copy = (folder / name for name in ("one.txt", "other.txt", "third.txt"))
    texts = ["\n\n".join(f"{word} number {number}." for number in range(60)) for word in ("real", "made", "else")]
    for path, text in zip((one, other, copy), texts, strict=True):
        path.write_text(text)
    base: dict[str, Any] = {"real": TextFile(path=str(one)), "foreign": TextFile(path=str(other)), "share": 0.5}
    changes: list[dict[str, Any]] = [
        {"share": 0.25},
        {"test": 0.2},
        {"validation": 0.3},
        {"foreign": TextFile(path=str(copy))},
        {"real": TextFile(path=str(copy))},
    ]
    same = Blend(**base | {"real": TextFile(path=moved(one))})
    return SourceBench(Blend(**base), same, tuple(Blend(**base | change) for change in changes))


def parquet_text(folder: Path) -> SourceBench:
    path = folder / "s.parquet"
    datasets.Dataset.from_dict({"text": STORIES, "title": [story[:5] for story in STORIES]}).to_parquet(path)
    return SourceBench(
        TextFile(path=str(path)), TextFile(path=moved(path)), (TextFile(path=str(path), column="title"),)
    )


def digits(folder: Path) -> SourceBench:
    return SourceBench(Digits(), others=(Digits(size=16), Digits(channels=3), Digits(channels=3, size=16)))


def pictures(folder: Path) -> SourceBench:
    rng = np.random.default_rng(0)
    for place in ("a", "b"):
        for label in ("cat", "dog"):
            (folder / place / label).mkdir(parents=True)
            for number in range(2):
                pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / place / label / f"{number}.png")
    shutil.copytree(folder / "a", folder / "c")
    base: dict[str, Any] = {"path": str(folder / "a"), "size": 8}
    others = [
        Folder(**base | {"path": str(folder / "b")}),
        Folder(**base | {"crop": 6}),
        Folder(**base | {"size": 12}),
        Folder(**base | {"channels": 1}),
    ]
    return SourceBench(Folder(**base), Folder(**base | {"path": str(folder / "c")}), tuple(others))


def table_of_pictures(folder: Path) -> SourceBench:
    rng = np.random.default_rng(0)
    one, two = ([Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in range(3)] for _ in range(2))
    columns = {"image": one, "twin": two, "label": [0, 1, 0], "other": [1, 1, 0]}
    features = datasets.Features(
        {"image": datasets.Image(), "twin": datasets.Image(), "label": datasets.Value("int64")}
        | {"other": datasets.Value("int64")}
    )
    path = folder / "p.parquet"
    datasets.Dataset.from_dict(columns, features=features).to_parquet(path)
    base: dict[str, Any] = {"path": str(path), "size": 8}
    others = (Folder(**base | {"column": "twin"}), Folder(**base | {"label_column": "other"}))
    return SourceBench(Folder(**base), Folder(**base | {"path": moved(path)}), others)


def smiles(folder: Path) -> SourceBench:
    path, other = folder / "m.csv", folder / "n.csv"
    path.write_text("smiles,twin\nCCO,CCN\nCCCO,CCCN\nc1ccccc1O,CC(C)O\n")
    other.write_text("smiles\nCCO\nCCCO\nCCCCO\n")
    base: dict[str, Any] = {"path": str(path), "conformers": 1}
    others = [
        Smiles(**base | {"path": str(other)}),
        Smiles(**base | {"column": "twin"}),
        Smiles(**base | {"conformers": 2}),
        Smiles(**base | {"max_heavy_atoms": 4}),
        Smiles(**base | {"limit": 1}),
    ]
    return SourceBench(Smiles(**base), Smiles(**base | {"path": moved(path)}), tuple(others))


def embedded_molecules(folder: Path) -> SourceBench:
    return SourceBench(Nci(limit=4, conformers=1), others=(Nci(limit=3, conformers=1), Nci(limit=4, conformers=2)))


BENCHES: tuple[Maker, ...] = (
    pydoc, plain_text, blend, parquet_text, digits, pictures, table_of_pictures, smiles, embedded_molecules,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _private_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("make", BENCHES, ids=lambda make: make.__name__)
def test_source(make: Maker, tmp_path: Path) -> None:
    if make in (smiles, embedded_molecules):
        pytest.importorskip("rdkit", reason="the extra `molecules` is not installed")
    (tmp_path / "data").mkdir()
    bench = make(tmp_path / "data")
    for check in SOURCE_CHECKS:
        check(bench)


class Placed(TextFile):
    """Tells content by its place."""

    def identity(self) -> dict[str, Any]:
        return super().identity() | {"path": self.path}


class Careless(TextFile):
    """Leaves how bytes are read out of its identity."""

    def identity(self) -> dict[str, Any]:
        return {"digest": self.digest()}


@pytest.mark.parametrize(
    ("kind", "check"),
    [(Placed, "source_is_told_by_content"), (Careless, "source_tells_apart_what_differs")],
)
def test_a_broken_source_is_caught(kind: type[TextFile], check: str, tmp_path: Path) -> None:
    sound = plain_text(tmp_path)
    one, *others = (kind(**each.canonical()) for each in (sound.source, sound.moved, *sound.others) if each)
    with pytest.raises(AssertionError):
        {c.__name__: c for c in SOURCE_CHECKS}[check](SourceBench(one, others[0], tuple(others[1:])))

"""What a look at the first rows tells of data that a study could not use."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from trainables.sources import Source
from trainables.sources.images import IMAGE_SOURCES
from trainables.sources.molecules import MOLECULE_SOURCES
from trainables.sources.tables import TABLES
from trainables.sources.text import TEXTS


def png(value: int = 0) -> bytes:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(data, "PNG")
    return data.getvalue()


def pictures(folder: Path) -> dict[str, Any]:
    for number in range(4):
        (folder / f"{number}.png").write_bytes(png(number) if number else b"\x89PNG\r\n\x1a\n and no more")
    return {"kind": "folder", "path": str(folder)}


def tarred(folder: Path) -> dict[str, Any]:
    with tarfile.open(folder / "a.tar", "w") as archive:
        for number in range(3):
            member = tarfile.TarInfo(f"{number}.jpg")
            member.size = 5
            archive.addfile(member, io.BytesIO(b"never"))
    return {"kind": "folder", "path": str(folder / "a.tar")}


def image_table(folder: Path) -> dict[str, Any]:
    cells = [{"bytes": png(), "path": None}] * 3
    parquet.write_table(pa.table({"picture": cells}), folder / "a.parquet")
    return {"kind": "folder", "path": str(folder), "column": "image"}


def written(name: str, text: str, **more: Any) -> Callable[[Path], dict[str, Any]]:
    def write(folder: Path) -> dict[str, Any]:
        (folder / name).write_text(text)
        return {"path": str(folder / name), **more}

    return write


def blend(folder: Path) -> dict[str, Any]:
    foreign = written("b.jsonl", json.dumps({"body": "x"}), kind="text")(folder)
    return {"kind": "blend", "real": {"kind": "pydoc"}, "foreign": foreign, "share": 0.5}


SDF = "broken\n\n\nnothing\n$$$$\n"
CASES: dict[str, tuple[Any, Callable[[Path], dict[str, Any]], str]] = {
    "text: column": (TEXTS, written("a.jsonl", '{"body": "x"}\n', kind="text"), "no column 'text' among body (text)"),
    "text: numbers": (TEXTS, written("a.jsonl", '{"text": 3}\n', kind="text"), "'text' of row 1 holds numbers, not te"),
    "text: empty": (TEXTS, written("a.txt", "", kind="text"), "holds no document"),
    "text: blank": (TEXTS, written("a.jsonl", '{"text": " "}\n' * 3, kind="text"), "the first 3 documents are empty"),
    "text: one": (TEXTS, written("a.txt", "one", kind="text"), "source.separator: "),
    "text: blend": (TEXTS, blend, "source.foreign.column: no column 'text' among body"),
    "images: corrupt": (IMAGE_SOURCES, pictures, "1 of 4 pictures looked at can't be read: 1 × "),
    "images: tar": (IMAGE_SOURCES, tarred, "3 of 3 pictures looked at can't be read: 3 × unknown format"),
    "images: column": (IMAGE_SOURCES, image_table, "no column 'image' among picture"),
    "images: none": (IMAGE_SOURCES, lambda folder: {"kind": "folder", "path": str(folder)}, "no pictures in"),
    "images: text": (
        IMAGE_SOURCES,
        written("a.txt", "x", kind="folder"),
        "is neither a folder of pictures, a zip or tar",
    ),
    "images: gif": (
        IMAGE_SOURCES,
        written("a.gif", "x", kind="folder"),
        "is neither a folder of pictures, a zip or tar",
    ),
    "table: target": (TABLES, written("a.csv", "x,y\n1,2\n", kind="table"), "source.target: no column 'target' among"),
    "table: empty": (TABLES, written("a.csv", "x,target\n", kind="table"), "holds no row"),
    "smiles: column": (
        MOLECULE_SOURCES,
        written("a.csv", "s\nCC\n", kind="smiles"),
        "source.column: no column 'smiles'",
    ),
    "smiles: words": (
        MOLECULE_SOURCES,
        written("a.csv", "smiles\nCCO\nno\n", kind="smiles"),
        "1 of the first 2 SMILES do not parse",
    ),
    "sdf": (MOLECULE_SOURCES, written("a.sdf", SDF, kind="sdf"), "1 of the first 1 records do not parse"),
    "sdf: empty": (MOLECULE_SOURCES, written("a.sdf", "", kind="sdf"), "holds no record"),
}


def made(registry: Any, config: dict[str, Any]) -> Source:
    source: Source = registry.get(config["kind"]).model_validate(config)
    return source


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_told_in_a_line(name: str, tmp_path: Path) -> None:
    registry, write, said = CASES[name]
    (line,) = made(registry, write(tmp_path)).notes()
    assert said in line
    assert line.startswith("source")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("registry", "write"),
    [
        (TEXTS, written("a.jsonl", '{"text": ""}\n{"text": "a"}\n', kind="text")),
        (TEXTS, lambda folder: {"kind": "pydoc"}),
        (TABLES, written("a.csv", "x,target\n1,2\n", kind="table")),
        (MOLECULE_SOURCES, written("a.csv", "smiles\nCCO\n", kind="smiles")),
        (IMAGE_SOURCES, lambda folder: pictures(folder) | {"path": written_one(folder)}),
    ],
)
def test_sound_data_gives_no_word(registry: Any, write: Callable[[Path], dict[str, Any]], tmp_path: Path) -> None:
    assert made(registry, write(tmp_path)).notes() == []


def written_one(folder: Path) -> str:
    (folder / "0.png").unlink()
    return str(folder)


def test_only_the_first_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.sources.images import files

    source = made(IMAGE_SOURCES, pictures(tmp_path))
    for number in range(4, 60):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    seen: list[Any] = []
    monkeypatch.setattr(files, "decode", lambda cell, *more: seen.append(cell))
    assert source.peek() == []
    assert len(seen) == source.PEEK
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "sound"}\n' * 20 + "no JSON")
    assert made(TEXTS, {"kind": "text", "path": str(rows)}).notes() == []

"""Names and links from strangers lead nowhere outside the workspace."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.report import build_report
from analysis.report.context import Picture
from search_spaces import StudyError, load_study
from search_spaces.expansion import expand
from search_spaces.loading.study import study_from
from sweep.cli import app
from sweep.errors import UsageError
from sweep.workspace import open_workspace
from trainables import run
from trainables.config import canonical_json
from trainables.sources.images.archives import LARGEST
from trainables.sources.images.files import Folder, read_idx
from trainables.sources.images.opening import open_tables
from trainables.store import Payload, manifest, open_store

TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}}
"""
OUTSIDE = ("../x", "..", "/etc/x", "a/../../x", "a//b", "a/./b", "~/x", "a\\..\\b", "x\0y", "x\n", "-x", ".hidden", "")


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_study_can_not_be_named_out_of_its_folder(name: str) -> None:
    raw = {"name": name, "cell": {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}}
    with pytest.raises(StudyError, match="name"):
        study_from(raw, "study")


@pytest.mark.parametrize("folder", ["reports", "reports/toy", "logs", "optuna"])
def test_a_link_inside_a_workspace_is_not_written_through(tmp_path: Path, folder: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "runs"
    (root / folder).parent.mkdir(parents=True)
    (root / folder).symlink_to(outside)
    workspace = open_workspace(root)
    places = {"reports": lambda: workspace.report("toy"), "logs": lambda: workspace.log("ab"), "optuna": None}
    with pytest.raises(UsageError, match="leads out of it"):
        (places[folder.split("/")[0]] or (lambda: workspace.searches("toy")))()


def test_a_report_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(TOY)
    for point in expand(load_study(str(tmp_path / "toy.yaml"))):
        list(run(point.cell, str(tmp_path / "runs" / "store")))
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs" / "reports").symlink_to(tmp_path / "outside")
    words = ["report", str(tmp_path / "toy.yaml"), "--workspace", str(tmp_path / "runs"), "--tracking-uri", "none"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "leads out of it" in done.output
    assert not list((tmp_path / "outside").iterdir())


def test_a_workspace_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "big-disk")
    assert open_workspace(tmp_path / "runs").report("toy") == tmp_path / "runs" / "reports" / "toy"


@pytest.mark.parametrize("key", ["../../x", "/etc/passwd", "a/b", "a.b", "..", "", "a\0b", "a\n", "-a", "é" * 8])
def test_no_key_is_a_path(tmp_path: Path, key: str) -> None:
    store = open_store(str(tmp_path / "store"))
    store.put("model", "ab" * 8, Payload())
    for kind, name in (("model", key), (key, "ab" * 8)):
        for act in (store.get, store.has, store.delete, store.describe):
            with pytest.raises(ValueError, match="a kind and a key are letters"):
                act(kind, name)
        with pytest.raises(ValueError, match="a kind and a key are letters"):
            store.put(kind, name, Payload())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def forged(**changes: object) -> bytes:
    """A manifest with a valid checksum that `encode` would not write."""
    fields = {"kind": "model", "key": "ab" * 8, "attempt": "0" * 8, "meta": {}, "parents": {}, "made": {}}
    fields |= {"format": manifest.FORMAT, "parts": []} | changes
    body = canonical_json({name: value for name, value in fields.items() if value is not None}).encode()
    return manifest.HEAD + hashlib.sha256(body).hexdigest().encode() + manifest.MIDDLE + body + b"}\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": "../../etc"},
        {"attempt": "0" * 8 + "\n"},
        {"key": "../../passwd"},
        {"parents": {"model": "../../etc/passwd"}},
        {"parents": {"model": "model/../../x"}},
        {"parents": {"model": 3}},
        {"parents": []},
        {"parts": [{"role": "../../x", "size": 1}]},
        {"parts": [{"role": "file", "size": 1, "path": "/etc/passwd"}]},
        {"parts": 3},
        {"meta": None},
    ],
)
def test_a_forged_manifest_is_damage(tmp_path: Path, changes: dict[str, object]) -> None:
    store = open_store(str(tmp_path / "store"))
    store.put("model", "ab" * 8, Payload())
    path = tmp_path / "store" / manifest.path("model", "ab" * 8)
    path.write_bytes(forged())
    assert store.get("model", "ab" * 8) is not None, "the forger knows the format"
    path.write_bytes(forged(**changes))
    assert store.describe("model", "ab" * 8) is None
    assert store.get("model", "ab" * 8) is None


def test_a_zip_of_pictures_writes_nothing_where_its_names_point(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "p.png")
    data = (tmp_path / "p.png").read_bytes()
    names = ["../../up.png", "/tmp/absolute-collapse-sweep.png", "a/ok.png", "C:\\up.png"]
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for name in names:
            archive.writestr(name, data)
        link = zipfile.ZipInfo("a/link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    before = sorted(path for path in tmp_path.rglob("*"))
    source = Folder(path=str(tmp_path / "pictures.zip"), size=8)
    found = source.read()["all"]
    assert found.pixels.rows == len(names)
    assert found.left_out == {"unknown_format": 1}, "a link in a zip is a text, and no picture"
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert not Path("/tmp/absolute-collapse-sweep.png").exists()
    assert not (tmp_path.parent.parent / "up.png").exists()


def test_a_zip_that_claims_to_hold_more_than_a_picture_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("bomb.png", "w", force_zip64=True) as file:
            for _ in range(LARGEST // 2**20 + 1):
                file.write(bytes(2**20))
        archive.writestr("small.png", b"")
    tables = open_tables(str(tmp_path / "bomb.zip"), "bomb")
    assert [len(cell["image"]["bytes"]) for cell in tables.parts["all"]] == [0]
    assert tables.left_out == {"too_large": 1}


def test_a_packed_array_is_read_no_further_than_it_says(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "x-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + np.array([1, 2, 2], ">u4").tobytes() + bytes(50 * 2**20)))
    with pytest.raises(ValueError, match="more bytes of data, not 4"):
        read_idx(str(path), dimensions=3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x.png", "ftp://127.0.0.1/x.png", "simplecache::http://x/y.png"])
def test_a_table_can_not_make_us_call_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    import socket

    import datasets

    def connect(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    table = datasets.Dataset.from_dict({"image": [{"bytes": None, "path": url}]})
    table.to_parquet(str(tmp_path / "t.parquet"))
    found = Folder(path=str(tmp_path / "t.parquet"), size=8).read()["all"]
    assert (found.pixels.rows, found.left_out) == (0, {"not_fetched": 1})


def test_a_document_is_no_picture(tmp_path: Path) -> None:
    """Pillow would hand it to Ghostscript, which runs it."""
    (tmp_path / "a.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(tmp_path / "a.eps", "a.eps")
    found = Folder(path=str(tmp_path / "p.zip"), size=8).read()["all"]
    assert (found.pixels.rows, found.left_out) == (0, {"unknown_format": 1})


def test_names_in_a_strangers_table_are_no_paths(tmp_path: Path) -> None:
    rows = [
        {"study": "s", "cell": f"{policy}{seed}", "family": "../../../up/x", "policy": policy, "seed": seed,
         "generation": n, "test_loss": 1 + 0.1 * n + 0.01 * seed}
        for policy in ("../../replace", "accumulate") for seed in range(3) for n in range(1, 7)
    ]  # fmt: skip
    table = tmp_path / "in" / "runs.csv"
    table.parent.mkdir()
    pd.DataFrame(rows).to_csv(table, index=False)
    import analysis

    out = tmp_path / "a" / "b" / "c"
    paths = build_report(analysis.load(table), out, "a stranger's")
    assert all(path.parent == out and path.is_file() for path in paths.values())
    assert {path.name for path in tmp_path.iterdir()} == {"in", "a"}
    assert Picture("../x y/z", "", pd.DataFrame(), lambda figure: None).name == "..-x-y-z"


def test_json_of_a_workspace_may_say_anything(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text(json.dumps({"schema": ["../.."]}))
    with pytest.raises(UsageError, match="can't be read as a workspace's mark"):
        open_workspace(tmp_path)

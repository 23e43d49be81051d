"""Relative paths of data: what they mean, and that a worker who stands elsewhere finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.expansion import expand
from search_spaces.loading import load_cell, load_study
from search_spaces.loading.paths import absolute

STUDY = """
name: own
cell: {family: {kind: language, source: {kind: text, path: corpus.txt, test_path: held/out.txt}}, generations: 2}
space: {policy.kind: {grid: [replace]}, seed: {grid: [0]}}
"""


def paths(study) -> list[str]:
    return [point.cell.family.source.path for point in expand(study)]


def written(folder: Path, text: str = STUDY) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text(text)
    (folder / "held").mkdir(exist_ok=True)
    for name in ("corpus.txt", "held/out.txt"):
        (folder / name).write_text("\n\n".join(f"paragraph {n} of {name} holds words" for n in range(400)))
    return str(folder / "study.yaml")


def test_a_relative_path_means_the_folder_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a")
    (point,) = expand(load_study("a/study.yaml"))
    source = point.cell.family.source  # type: ignore[attr-defined]
    assert (source.path, source.test_path) == (f"{tmp_path}/a/corpus.txt", f"{tmp_path}/a/held/out.txt")


def test_every_value_of_a_space_is_found_and_urls_stay(tmp_path: Path) -> None:
    raw = {"space": {"family.source.path": {"grid": ["one.txt", "../two.txt", "/three.txt", "s3://b/four.txt"]}}}
    found = absolute(raw, tmp_path / "a")["space"]["family.source.path"]["grid"]
    assert found == [f"{tmp_path}/a/one.txt", f"{tmp_path}/two.txt", "/three.txt", "s3://b/four.txt"]
    whole = {"family.source": {"choice": [{"kind": "text", "path": "x"}]}, "family.overrides": {"path": "x"}}
    assert absolute(whole, tmp_path)["family.source"]["choice"][0]["path"] == f"{tmp_path}/x"
    assert absolute(whole, tmp_path)["family.overrides"]["path"] == "x", "no place of data"
    blend = {"source": {"real": {"path": "x"}, "foreign": {"kind": "text", "path": "y"}}, "real": {"path": "z"}}
    parts = absolute(blend, tmp_path)
    assert [parts["source"][part]["path"] for part in ("real", "foreign")] == [f"{tmp_path}/x", f"{tmp_path}/y"]
    assert parts["real"]["path"] == "z", "no place of data"


def test_a_path_of_the_command_line_means_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = written(tmp_path / "a")
    (tmp_path / "mine.txt").write_text("one\n\ntwo")
    monkeypatch.chdir(tmp_path)
    assert paths(load_study(study, ["family.source.path=mine.txt"])) == [f"{tmp_path}/mine.txt"]


def test_a_local_copy_of_a_hub_dataset_is_a_path_and_a_hub_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    named = absolute({"source": {"name": "copy"}}, tmp_path), absolute({"source": {"name": "org/copy"}}, tmp_path)
    assert named == ({"source": {"name": f"{tmp_path}/copy"}}, {"source": {"name": "org/copy"}})


def test_a_folder_moved_with_its_study_holds_the_same_data(tmp_path: Path) -> None:
    one, other = (expand(load_study(written(tmp_path / name)))[0].cell.key for name in ("a", "b"))
    assert one == other


def test_a_worker_that_stands_elsewhere_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune's workers stand in the folder of their trial."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "a")
    (point,) = expand(load_study("a/study.yaml"))
    monkeypatch.chdir("/")
    assert point.cell.family.data_identity()["source"]["digest"]
    (tmp_path / "cell.yaml").write_text(
        "{family: {kind: language, source: {kind: text, path: a/corpus.txt}}, policy: {kind: replace}}"
    )
    assert load_cell(tmp_path / "cell.yaml").family.source.path == f"{tmp_path}/a/corpus.txt"  # type: ignore[attr-defined]


def test_a_relative_checkpoint_means_the_folder_of_its_file(tmp_path: Path) -> None:
    raw = {
        "cell": {"family": {"checkpoint": {"path": "model"}}},
        "space": {"family.checkpoint.path": {"grid": ["a", "b"]}},
    }
    found = absolute(raw, tmp_path)
    assert found["cell"]["family"]["checkpoint"]["path"] == f"{tmp_path}/model"
    assert found["space"]["family.checkpoint.path"]["grid"] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    assert (
        absolute({"checkpoint": {"repository": "owner/model"}}, tmp_path)["checkpoint"]["repository"] == "owner/model"
    )

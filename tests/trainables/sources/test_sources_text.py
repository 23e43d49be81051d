"""Text sources: every format gives the same documents, content alone decides identity, bad input is one line."""

import json
import os
import shutil
from pathlib import Path

import datasets
import pytest

from trainables.sources.text import Pydoc
from trainables.sources.text.files import BLOCK, TextFile, separated
from trainables.sources.text.hub import TextHub, TinyStories

STORIES = ["Once there was a fox.\nIt ran.", "", "A cat sat.", "A cat sat.", "The end came é."]
SEPARATOR = "\n<|endoftext|>\n"
DATA = Path(os.environ.get("COLLAPSE_SWEEP_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture(autouse=True)
def _private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def written(folder: Path, form: str) -> Path:
    path = folder / f"stories.{form}"
    if form == "txt":
        path.write_text(SEPARATOR.join(STORIES), encoding="utf-8")
    elif form == "jsonl":
        path.write_text("".join(json.dumps({"text": story, "n": 1}) + "\n" for story in STORIES))
    else:
        datasets.Dataset.from_dict({"text": STORIES}).to_parquet(path)
    return path


@pytest.mark.parametrize("form", ["txt", "jsonl", "parquet"])
def test_every_format_gives_the_same_documents(tmp_path: Path, form: str) -> None:
    source = TextFile(path=str(written(tmp_path, form)), separator=SEPARATOR)
    assert list(source.read()["all"]) == STORIES


def test_a_url_is_read_like_a_path(tmp_path: Path) -> None:
    import fsspec

    path = written(tmp_path, "txt")
    with fsspec.open("memory://stories.txt", "wb") as file:
        file.write(path.read_bytes())
    local, remote = TextFile(path=str(path)), TextFile(path="memory://stories.txt")
    assert list(local.read()["all"]) == list(remote.read()["all"])
    assert local.identity() == remote.identity()


def test_identity_is_content_and_never_a_place(tmp_path: Path) -> None:
    path = written(tmp_path, "txt")
    copy = shutil.copy(path, tmp_path / "elsewhere.txt")
    one, same = TextFile(path=str(path)), TextFile(path=str(copy))
    assert one.identity() == same.identity()
    assert str(tmp_path) not in json.dumps(one.identity())
    Path(copy).write_text("other text")
    assert one.identity() != same.identity()
    assert one.identity() != TextFile(path=str(path), separator="\n").identity()


def test_documents_across_block_borders_stay_whole(tmp_path: Path) -> None:
    stories = ["x" * (BLOCK - 5), "y" * 20, "z"]
    path = tmp_path / "long.txt"
    path.write_text(SEPARATOR.join(stories))
    assert list(separated(str(path), SEPARATOR)) == stories


def test_a_second_file_is_held_out_whole(tmp_path: Path) -> None:
    path = written(tmp_path, "txt")
    test = tmp_path / "test.txt"
    test.write_text("held out")
    source = TextFile(path=str(path), test_path=str(test), separator=SEPARATOR)
    assert {part: list(documents) for part, documents in source.read().items()} == {
        "train": STORIES,
        "test": ["held out"],
    }


def test_bad_files_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^source.path: no such file: "):
        TextFile(path=str(tmp_path / "none.txt")).identity()
    with pytest.raises(ValueError, match=r"^source.path: no such file: "):
        TextFile(path=str(tmp_path / "none.txt")).read()
    latin = tmp_path / "latin.txt"
    latin.write_bytes("caf\xe9 au lait".encode("latin-1"))
    with pytest.raises(ValueError, match=r"^source.path: .* is not UTF-8 text"):
        list(TextFile(path=str(latin)).read()["all"])
    with pytest.raises(ValueError, match=r"^source.column: no column 'story' among text, n"):
        list(TextFile(path=str(written(tmp_path, "jsonl")), column="story").read()["all"])


def test_tinystories_reads_a_local_dataset_of_its_schema(tmp_path: Path) -> None:
    splits = {"train": ["one", "two", "one"], "validation": ["three"]}
    saved = datasets.DatasetDict({name: datasets.Dataset.from_dict({"text": rows}) for name, rows in splits.items()})
    saved.save_to_disk(tmp_path / "saved")
    source = TinyStories(name=str(tmp_path / "saved"))
    assert {part: list(documents) for part, documents in source.read().items()} == {
        "train": splits["train"],
        "test": splits["validation"],
    }
    assert str(tmp_path) not in json.dumps(source.identity())


def test_a_folder_of_parquet_loads_as_the_hub_would(tmp_path: Path) -> None:
    folder = tmp_path / "repo" / "data"
    folder.mkdir(parents=True)
    datasets.Dataset.from_dict({"story": ["a", "b"]}).to_parquet(folder / "train-00000-of-00001.parquet")
    source = TextHub(name=str(tmp_path / "repo"), column="story")
    assert list(source.read()["train"]) == ["a", "b"]
    with pytest.raises(ValueError, match=r"^source.column: no column 'text' among story"):
        TextHub(name=str(tmp_path / "repo")).read()
    with pytest.raises(ValueError, match=r"^source.name: split 'test' of "):
        TextHub(name=str(tmp_path / "repo"), column="story", split="test").read()


def test_a_remote_dataset_is_named_without_reading_it() -> None:
    assert TinyStories().identity() == TinyStories().identity()
    assert TinyStories(revision="abc").identity() != TinyStories().identity()
    assert TextHub(name="some/where").identity()["name"] == "some/where"


def test_pydoc_is_clean_english() -> None:
    documents = list(Pydoc().read()["all"])
    assert sum(map(len, documents)) > 300_000
    assert all("\n" not in document and "  " not in document for document in documents)
    assert not any("*****" in document or "=====" in document for document in documents)
    assert Pydoc().identity() == Pydoc().identity()


def test_real_stories_are_all_read() -> None:
    path = DATA / "text" / "tinystories-train.txt"
    if not path.exists():
        pytest.skip("no TinyStories under COLLAPSE_SWEEP_DATA")
    documents = list(TextFile(path=str(path), separator=SEPARATOR).read()["all"])
    assert len(documents) == 5429
    assert all(documents)

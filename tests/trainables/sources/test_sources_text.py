"""Text sources: every format gives the same documents, content alone decides identity, bad input is one line."""

import gzip
import json
import os
import shutil
from pathlib import Path

import datasets
import pytest

from trainables.sources.text import Pair, Pydoc
from trainables.sources.text.docstrings import Docstrings
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
    with pytest.raises(ValueError, match=r"^source.column: no column 'story' among text \(text\), n \(numbers\)"):
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


def plain(path: Path, **fields: str) -> list[str]:
    return [text for text in TextFile(path=str(path), **fields).read()["all"] if text.strip()]


def test_equal_bytes_of_two_formats_are_two_corpora(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"text": story}) for story in ("one", "two"))
    for ending in ("txt", "jsonl"):
        (tmp_path / f"same.{ending}").write_text(lines + "\n\n" + lines)
    text, rows = (TextFile(path=str(tmp_path / f"same.{ending}")) for ending in ("txt", "jsonl"))
    assert text.digest() == rows.digest()
    assert text.identity() != rows.identity()
    assert list(text.read()["all"]) != list(rows.read()["all"])


@pytest.mark.parametrize("field", sorted(set(TextFile.model_fields) - {"kind", "path", "test_path"}))
def test_whatever_decides_how_bytes_are_read_is_part_of_the_identity(field: str, tmp_path: Path) -> None:
    path = str(written(tmp_path, "txt"))
    assert TextFile(path=path).identity() != TextFile(path=path, **{field: "other"}).identity()


@pytest.mark.parametrize("ending", ["jsonl", "JSONL", "ndjson", "json"])
def test_json_lines_go_by_many_names(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text('{"text": "one"}\n\n{"text": null}\n{"text": "two", "late": [1]}\n')
    assert plain(path) == ["one", "two"]
    path.write_text('[{"text": "one"},\n {"text": "two"}]')
    assert plain(path) == ["one", "two"]


def test_packed_files_hold_what_they_hold_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\n\ntwo"))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n{"text": "two"}'))
    assert plain(tmp_path / "a.txt.gz") == plain(tmp_path / "a.jsonl.gz") == ["one", "two"]
    (tmp_path / "b.txt.gz").write_bytes(b"one\n\ntwo")
    with pytest.raises(ValueError, match=r"^source.path: .*b.txt.gz' can't be unpacked"):
        plain(tmp_path / "b.txt.gz")


@pytest.mark.parametrize(
    "held", [b"\xef\xbb\xbfone\n\ntwo", b"one\r\n\r\ntwo\r\n", b"one\n   \ntwo", b"one\n \t\n  \ntwo"]
)
def test_marks_line_ends_and_spaces_change_no_document(held: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(held)
    assert [text.strip() for text in plain(path)] == ["one", "two"]


def test_a_file_of_one_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one line\nand another")
    with pytest.raises(ValueError, match=r"^source.separator: '\\n\\n' never occurs in .*a.txt', which would be one"):
        plain(tmp_path / "a.txt")
    assert plain(tmp_path / "a.txt", separator="\n") == ["one line", "and another"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["a", "b"], "lists"),
        ({"a": 1}, "objects"),
        (3, "numbers"),
        (True, "truth values"),
        ([{"role": "user", "content": "a"}], "chat messages"),
    ],
)
def test_a_column_of_something_else_is_one_line(value: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": value, "story": "once"}))
    with pytest.raises(ValueError, match=f"^source.column: 'text' of row 1 holds {said}, not text; .* text: story$"):
        plain(path)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": \n')
    with pytest.raises(ValueError, match=r"^source.path: .* can't be read as JSON lines \(line 2: "):
        plain(tmp_path / "a.jsonl")


def test_text_of_any_arrow_type_is_read_and_nothing_else(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    texts = ["one", None, "two"]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        parquet.write_table(pa.table({"text": pa.array(texts, pa.string()).cast(kind)}), tmp_path / "a.parquet")
        assert plain(tmp_path / "a.parquet") == ["one", "two"]
    parquet.write_table(pa.table({"text": [["one"]], "story": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=r"^source.column: 'text' holds list.*; columns that hold text: story$"):
        plain(tmp_path / "b.parquet")


def test_docstrings_are_paragraphs_or_pairs_named_by_content() -> None:
    whole, pairs = Docstrings(), Docstrings(pairs=True)
    documents = list(whole.read()["all"])
    assert sum(map(len, documents)) > 300_000
    assert all(document == " ".join(document.split()) for document in documents)
    (found,) = [pair for pair in pairs.read()["all"] if pair.startswith("def b64encode(s, altchars): ")]
    assert isinstance(found, Pair)
    assert found == found.prompt + found.response
    assert found.response.startswith("Encode the bytes-like object s")
    assert whole.identity()["digest"] != pairs.identity()["digest"]
    assert "pairs" not in whole.canonical()


def test_a_local_dataset_gives_pairs(tmp_path: Path) -> None:
    rows = {"prompt": ["a: ", "b: "], "response": ["one", "two"]}
    datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)}).save_to_disk(str(tmp_path / "set"))
    source = TextHub(name=str(tmp_path / "set"), column="response", prompt_column="prompt")
    assert [(pair.prompt, pair.response) for pair in source.read()["train"]] == [("a: ", "one"), ("b: ", "two")]
    with pytest.raises(ValueError, match=r"source\.prompt_column: no column 'question'"):
        list(source.model_copy(update={"prompt_column": "question"}).read()["train"])


def test_parquet_gives_pairs(tmp_path: Path) -> None:
    path = str(tmp_path / "pairs.parquet")
    datasets.Dataset.from_dict({"q": ["a"], "r": ["b"]}).to_parquet(path)
    (pair,) = TextFile(path=path, column="r", prompt_column="q").read()["all"]
    assert (pair.prompt, pair.response) == ("a", "b")

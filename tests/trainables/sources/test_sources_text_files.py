"""Documents of files and of the library: separators by hand, blocks of any length, columns, pairs and shares."""

import ast
import bz2
import json
import lzma
import textwrap
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from pydantic import ValidationError

from trainables.sources import Source
from trainables.sources.digests import content_digest
from trainables.sources.hub import placeless
from trainables.sources.text import Pair, Pydoc
from trainables.sources.text import files as text_files
from trainables.sources.text.base import digest_of
from trainables.sources.text.blend import Blend, _some
from trainables.sources.text.files import TextFile, form_of, json_column, paired, separated


def written(path: Path, held: str | bytes) -> str:
    path.write_bytes(held if isinstance(held, bytes) else held.encode())
    return str(path)


@pytest.mark.parametrize(
    ("held", "separator", "documents"),
    [
        ("a\n\nb", "\n\n", ["a", "b"]),
        ("a\n\n\nb", "\n\n", ["a", "\nb"]),
        ("a\n\n\n\nb\n\n", "\n\n", ["a", "", "b"]),
        ("a\n \t\nb", "\n\n", ["a", "b"]),
        ("a|b||c", "|", ["a", "b", "", "c"]),
        ("aXYbXYX", "XY", ["a", "b", "X"]),
        ("a \n \nb|c", "|", ["a \n \nb", "c"]),
        ("a\r\n--\r\nb", "\r\n--\r\n", ["a", "b"]),
        ("one\ntwo\n", "\n", ["one", "two"]),
        ("é\n\nß", "\n\n", ["é", "ß"]),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 5, 1000])
def test_documents_lie_between_separators_however_the_file_is_read(
    held: str, separator: str, documents: list[str], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is blank after the last separator is none; spaces in a line count where separators are not lines."""
    monkeypatch.setattr(text_files, "BLOCK", block)
    assert list(separated(written(tmp_path / "a.txt", held), separator)) == documents


def test_a_file_of_one_document_is_one_where_it_is_not_all_there_is(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "only this")
    assert list(separated(path, "\n\n", alone=False)) == ["only this"]
    with pytest.raises(ValueError, match=r"^source\.separator: ") as problem:
        list(separated(path, "\n\n"))
    assert str(problem.value) == (
        f"source.separator: '\\n\\n' never occurs in {path!r}, which would be one document; say what lies between two"
    )
    assert list(separated(written(tmp_path / "b.txt", "  \n "), "|")) == []


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.txt", "text"),
        ("a.jsonl", "json"),
        ("A.NDJSON.GZ", "json"),
        ("a.json.bz2", "json"),
        ("a.parquet", "parquet"),
        ("a.parquet.xz", "parquet"),
        ("a.jsonl.txt", "text"),
        ("jsonl", "text"),
        ("s3://b/a.jsonl.zst", "json"),
        ("a", "text"),
    ],
)
def test_a_name_tells_how_a_file_is_read(name: str, form: str) -> None:
    assert form_of(name) == form


@pytest.mark.parametrize(("ending", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_what_is_packed_is_unpacked(ending: str, pack, tmp_path: Path) -> None:
    path = written(tmp_path / f"a.txt.{ending}", pack(b"one\n\ntwo"))
    assert list(TextFile(path=path).read()["all"]) == ["one", "two"]


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ('{"text": "a"}\n3\n', ", row 2: 3 is no JSON object"),
        ('{"text": "a"}\n"' + "x" * 60 + '"\n', ", row 2: '" + "x" * 39 + " is no JSON object"),
        ('{"text": "a"}\n\n{"text": "b"', " can't be read as JSON lines (line 3: Expecting ',' delimiter)"),
        ('[{"text": "a"},\n\n{"text": b}]', " can't be read as JSON lines (line 3: Expecting value)"),
        ("[1, 2]", ", row 1: 1 is no JSON object"),
    ],
)
def test_json_that_is_broken_is_named_by_its_line_or_row(held: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", held)
    with pytest.raises(ValueError, match=r"^source\.path: ") as problem:
        list(json_column(path, "text"))
    assert str(problem.value) == f"source.path: {path!r}{said}"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"text": 1.5}', "'text' of row 1 holds numbers, not text; no column holds text"),
        ('{"text": [], "a": "x", "b": "y"}', "'text' of row 1 holds lists, not text; columns that hold text: a, b"),
        ('{"a": null, "b": {}, "c": true}', "no column 'text' among a (nothing), b (objects), c (truth values)"),
    ],
)
def test_a_column_that_holds_no_text_is_told_with_those_that_do(row: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^source\.column: ") as problem:
        list(json_column(written(tmp_path / "a.jsonl", row), "text"))
    assert str(problem.value) == f"source.column: {said}"


def test_a_value_that_is_missing_later_is_an_empty_document(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", '{"text": "a"}\n{"other": 1}\n{"text": null}\n{"text": "b"}')
    assert list(json_column(path, "text")) == ["a", "", "", "b"]


def test_a_pair_is_a_document_of_its_two_parts() -> None:
    pair = Pair.of("ask: ", "tell")
    assert (pair, pair.prompt, pair.response) == ("ask: tell", "ask: ", "tell")
    assert [(p.prompt, p.response) for p in paired(["", "b"], ["x", "y"])] == [("", "x"), ("b", "y")]
    with pytest.raises(ValueError, match=r"^source\.column: the response of row 2 is empty; every prompt needs one$"):
        list(paired(["a", "b"], ["x", " \n"]))
    with pytest.raises(ValueError, match="zip"):
        list(paired(["a"], ["x", "y"]))


def test_plain_text_has_no_prompts(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "a\n\nb")
    with pytest.raises(ValueError, match=r"^source\.prompt_column: ") as problem:
        TextFile(path=path, prompt_column="q").read()
    assert str(problem.value) == (f"source.prompt_column: plain text has no columns: {path!r}; take .jsonl or .parquet")
    assert TextFile(path=path, prompt_column="q").paired
    assert not TextFile(path=path).paired


def test_a_digest_names_texts_in_their_order_and_where_each_ends() -> None:
    names = {digest_of(texts) for texts in (["ab"], ["a", "b"], ["b", "a"], ["a", "b", ""], [])}
    assert len(names) == 5
    assert digest_of(iter(["a", "b"])) == digest_of(["a", "b"])
    assert all(len(name) == 32 for name in names)
    digest_of(["\ud800"])  # half a character, as old files hold


def test_a_files_digest_is_its_bytes_and_is_taken_again_when_it_changes(tmp_path: Path) -> None:
    one, same = (written(tmp_path / name, "x" * 3_000_000) for name in "ab")
    before = content_digest(one)
    assert content_digest(same) == before
    written(Path(one), "y" * 2_999_999)
    assert content_digest(one) != before
    with pytest.raises(ValueError, match=r"^source\.path: no such file: ") as problem:
        content_digest(str(tmp_path))
    assert str(problem.value) == f"source.path: no such file: {str(tmp_path)!r}"


def test_pydoc_is_every_paragraph_but_those_with_rulers() -> None:
    """A paragraph of the topics, its words joined by single spaces, in the order of topics' names."""
    documents = list(Pydoc().read()["all"])
    first = sorted(topics)[0]
    whole = [" ".join(part.split()) for part in topics[first].split("\n\n")]
    kept = [part for part in whole if "***" not in part and "===" not in part and "---" not in part]
    assert documents[: len(kept)] == kept
    assert len(documents) > 2000


def test_a_docstring_is_read_as_the_library_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of modules, classes and functions, in the order of the tree; private modules and the idle editor are left out."""
    from trainables.sources.text import docstrings

    code = '''
        """Of a module."""
        def one(a, b=2, *c, d):
            """First
            paragraph.

            Second."""
        class Two:
            """Of a class."""
            def three(self): pass
    '''
    for name in ("a.py", "_b.py", "test_c.py", "idlelib.py"):
        (tmp_path / name).write_text(textwrap.dedent(code))
    ast.parse(textwrap.dedent(code))
    monkeypatch.setattr(docstrings.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    assert list(docstrings._paragraphs()) == ["Of a module.", "First paragraph.", "Second.", "Of a class."]
    assert list(docstrings._pairs()) == ["def one(a, b): First paragraph."]


@pytest.mark.parametrize(
    ("characters", "kept"), [(0, ""), (2, ""), (2.5, "a"), (9, "a"), (10, "ab"), (17, "ab"), (18, "abc"), (100, "abc")]
)
def test_documents_are_kept_while_half_of_the_next_still_fits(characters: float, kept: str) -> None:
    """Of 5, 10 and 6 characters by their marks: 5/2 for the first, 5 + 10/2 for the second, 15 + 6/2 for the third."""
    assert b"".join(sorted(_some({b"b": 10, b"a": 5, b"c": 6}, characters))).decode() == kept


def test_a_blend_keeps_a_split_of_the_real_texts_own(tmp_path: Path) -> None:
    real = written(tmp_path / "r.txt", "\n\n".join(f"real {n:03}" for n in range(100)))
    test = written(tmp_path / "t.txt", "held one\n\nheld two\n\nreal 007")
    foreign = written(tmp_path / "f.txt", "\n\n".join(f"made {n:03}" for n in range(100)))
    source = Blend(real=TextFile(path=real, test_path=test), foreign=TextFile(path=foreign), share=0, validation=0)
    parts = source.read()
    assert list(parts["test"]) == ["held one", "held two", "real 007"]
    assert list(parts["validation"]) == []
    other = source.model_copy(update={"foreign": source.real})
    assert source.digest() != other.digest()
    assert len(source.digest()) == 32
    assert sorted(parts["train"]) == [f"real {n:03}" for n in range(100) if n != 7]
    with pytest.raises(ValidationError, match="blend"):
        Blend(real=source, foreign=TextFile(path=foreign), share=0.5)


def test_a_name_of_the_hub_is_part_of_an_identity_and_a_folders_is_not(tmp_path: Path) -> None:
    identity = {"name": "n", "revision": "r", "digest": "d"}
    assert placeless("owner/set", identity) == identity
    assert placeless(str(tmp_path), identity) == {"digest": "d"}


def test_a_source_shows_no_password() -> None:
    with pytest.raises(ValidationError) as problem:
        TextFile(path="https://me:secret@host/a.txt")
    said = problem.value.errors()[0]["msg"]
    assert said == (
        "Value error, path: the URL holds a password or a token, which every report would show; give it through the "
        "environment (AWS_ACCESS_KEY_ID, HF_TOKEN, …) or fsspec's own configuration"
    )


def test_a_source_that_can_not_be_read_tells_so_in_its_notes() -> None:
    class Broken(Source):
        def peek(self) -> list[str]:
            raise ValueError("source.path: no such file: 'x'")

    assert Broken().notes() == ["source.path: no such file: 'x'"]
    assert Source().notes() == []


def test_reading_is_lazy(tmp_path: Path) -> None:
    """The first documents come before what is broken behind them is seen."""
    lines = [json.dumps({"text": f"{n}"}) for n in range(3)]
    found = TextFile(path=written(tmp_path / "a.jsonl", "\n".join([*lines, "broken"]))).read()["all"]
    assert isinstance(found, Iterator)
    assert [next(found) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(ValueError, match="line 4"):
        next(found)

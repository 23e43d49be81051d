"""YAML with places: which line each path stands on, and what is no document."""

from __future__ import annotations

import pytest

from search_spaces import StudyError
from search_spaces.loading.yaml_lines import DEEPEST, line_of, parse

TEXT = """\
# a comment
name: s

cell:
  family: {kind: gaussian,
           dim: 3}
  rows: 5
space:
  family.dim:
    grid:
      - 1
      - 2
"""
_, LINES = parse(TEXT, "s.yaml")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("cell",), 4),
        (("cell", "family", "kind"), 5),
        (("cell", "family", "dim"), 6),
        (("cell", "rows"), 7),
        (("space", "family.dim"), 9),
        (("space", "family.dim", "grid", "1"), 12),
    ],
)
def test_every_key_and_item_has_the_line_it_stands_on(path: tuple[str, ...], line: int) -> None:
    assert LINES[path] == line


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("cell.rows", 7),
        ("cell.family.dim.x", 6),
        ("cell.family", 5),
        ("cell.rowsx", 4),
        ("cell.unknown", 4),
        ("space.family.dim", 9),
        ("space.family.dim.grid.0", 11),
        ("namesake", None),
        ("", None),
    ],
)
def test_a_place_is_on_the_line_of_its_longest_known_beginning(place: str, line: int | None) -> None:
    assert line_of(place, LINES) == line


def test_the_document_is_plain_data() -> None:
    assert parse(TEXT, "s")[0]["cell"] == {"family": {"kind": "gaussian", "dim": 3}, "rows": 5}
    assert parse("", "s") == (None, {})
    assert parse("[1, {a: 2}]", "s") == ([1, {"a": 2}], {("0",): 1, ("1",): 1, ("1", "a"): 1})


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "YES", "n"])
def test_words_that_yaml_1_1_takes_for_truth_values_are_words(word: str) -> None:
    assert parse(f"{word}: {word}", "s")[0] == {word: word}


@pytest.mark.parametrize(("word", "value"), [("true", True), ("False", False), ("TRUE", True), ("null", None)])
def test_true_false_and_null_are_none_of_these(word: str, value: bool | None) -> None:
    assert parse(f"a: {word}", "s")[0] == {"a": value}


def test_an_anchor_is_written_out_and_merges_may_repeat() -> None:
    text = "base: &b {rows: 5}\none:\n  <<: *b\n  seed: 1\ntwo: {<<: *b, <<: *b}\n"
    assert parse(text, "s")[0]["one"] == {"rows": 5, "seed": 1}
    assert parse(text, "s")[0]["two"] == {"rows": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "s:3: the key 'a' stands twice in one mapping"),
        ("x:\n  a: 1\n  a: 1\n", "s:3: the key 'a' stands twice in one mapping"),
        ("a: [1, 2\nb: 3\n", "s:2: not valid YAML: "),
        ("a: b: c\n", "s:1: not valid YAML: mapping values are not allowed here"),
        ("a: !!python/object:os.system {}\n", "s:1: not valid YAML: could not determine a constructor for the tag"),
        ("a: *nowhere\n", "s:1: not valid YAML: found undefined alias 'nowhere'"),
        ("a: \x07\n", "s: not valid YAML: unacceptable character #x0007"),
        ("a: 2026-13-01\n", "s: not valid YAML: month must be in 1..12"),
        ("--- 1\n--- 2\n", "s:2: not valid YAML: but found another document"),
    ],
)
def test_what_is_no_document_is_one_line(text: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse(text, "s")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_key_may_stand_in_two_mappings() -> None:
    assert parse("a: {k: 1}\nb: {k: 2}\n", "s")[0] == {"a": {"k": 1}, "b": {"k": 2}}


def test_a_document_of_endless_depth_or_size_is_refused_by_its_line() -> None:
    flat = "a" + ": {a" * DEEPEST + ": 1" + "}" * DEEPEST
    with pytest.raises(StudyError) as caught:
        parse("n: 1\n" + flat, "s")
    assert str(caught.value) == "s:2: more than 50 levels or 100,000 entries, its aliases written out"
    inner = "a" + ": {a" * (DEEPEST - 1) + ": 1" + "}" * (DEEPEST - 1)
    assert parse(inner, "s")[0]
    itself = "a: &x [1, *x]\n"
    with pytest.raises(StudyError, match=r"^s:1: more than 50 levels"):
        parse(itself, "s")


def test_aliases_that_stand_for_billions_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine lists of nine aliases each: 9^9 items, written out."""
    monkeypatch.setattr("search_spaces.loading.yaml_lines.LARGEST", 1000)
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 10)]
    with pytest.raises(StudyError, match=r"^s:\d+: more than 50 levels or 1,000 entries"):
        parse("\n".join(lines), "s")

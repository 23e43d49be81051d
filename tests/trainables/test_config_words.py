"""What docstrings say of fields, in schemas too; how many things are wrong; which name is nearest."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from trainables import Cell
from trainables.config import Config, Registry, canonical_json, did_you_mean, explain, meanings


class Base(Config):
    """A base.

    Attributes:
        rows: of a batch; more than
            one line, with a colon: here.
        low, high: bounds.
    """

    rows: int = 1
    low: float = 0.0
    high: float = Field(default=1.0, description="said at the field")


class Child(Base):
    """A child.

    It has a second paragraph.

    Attributes:
        rows: of the child.
        word: of its own.

    Raises:
        Nothing: at all.
    """

    kind: Literal["child"] = "child"
    word: str = ""
    silent: int = 0


class Mute(Child):
    pass


def said(config: type[Config]) -> dict[str, str]:
    """What is said of its fields."""
    return {name: text for name, text in meanings(config).items() if name in config.model_fields}


def test_fields_mean_what_the_docstrings_of_a_config_and_its_bases_say() -> None:
    assert said(Base) == {
        "rows": "of a batch; more than one line, with a colon: here.",
        "low": "bounds.",
        "high": "bounds.",
    }
    assert said(Child) == {"rows": "of the child.", "low": "bounds.", "high": "bounds.", "word": "of its own."}
    assert said(Mute) == said(Child), "said of the base"


def test_a_schema_says_it_at_each_field_and_never_leaves_the_kind_out() -> None:
    schema = Child.model_json_schema()
    fields = schema["properties"]
    assert fields["rows"]["description"] == "of the child."
    assert fields["high"]["description"] == "said at the field", "a field's own word goes first"
    assert "description" not in fields["silent"]
    assert schema["description"] == "A child.\n\nIt has a second paragraph."
    assert schema["required"] == ["kind"]
    assert "required" not in Base.model_json_schema()


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"rows": 0}, ""),
        ({"rows": 0, "seed": -1}, " (and 1 more)"),
        ({"rows": 0, "seed": -1, "replicates": 0}, " (and 2 more)"),
    ],
)
def test_the_first_of_several_mistakes_is_told_and_how_many_more_there_are(change: dict[str, Any], more: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}} | change)
    assert explain(caught.value, Cell) == f"rows: input should be greater than or equal to 1, not 0{more}"


def test_a_misspelling_is_told_before_what_else_is_wrong() -> None:
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 0, "sed": 1})
    assert explain(caught.value, Cell).startswith("sed: unknown key; did you mean 'seed'?")


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("sedd", ["x", "seed", "rows"], "; did you mean 'seed'? (known: rows, seed, x)"),
        ("rows", {"b": 1, "a": 2}, " (known: a, b)"),
        ("x", [], " (known: )"),
    ],
)
def test_the_nearest_name_is_suggested_and_all_are_listed_in_order(word: str, known: Any, said: str) -> None:
    assert did_you_mean(word, known) == said


def test_a_registry_s_union_takes_its_kinds_but_some() -> None:
    kinds = {"child": f"{__name__}:Child"}
    registry = Registry("thing", kinds | {"gaussian": "trainables.families.closed_form.gaussian:GaussianConfig"})
    assert list(registry) == ["child", "gaussian"]

    class Holder(Config):
        thing: registry.union(but=("child",))  # type: ignore[valid-type]

    assert Holder.model_validate({"thing": {"kind": "gaussian", "dim": 3}}).thing.dim == 3
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"thing": {"kind": "child"}})
    assert explain(caught.value, Holder).startswith("thing: unknown kind 'child'")


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (True, 1), (None, 0), ("1", 1), ([1, 2], [2, 1]), ({"a": None}, {}), (0.1 + 0.2, 0.3), (-0.0, 0.0)],
)
def test_what_is_not_the_same_plain_data_has_another_text(one: Any, other: Any) -> None:
    assert canonical_json(one) != canonical_json(other)


def test_numbers_keep_all_their_digits_in_that_text() -> None:
    for number in (0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 2**53 + 1):
        assert (
            float(canonical_json(number)) == number
            if isinstance(number, float)
            else int(canonical_json(number)) == number
        )
    assert canonical_json((1, 2)) == canonical_json([1, 2]) == "[1,2]"

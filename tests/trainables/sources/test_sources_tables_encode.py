"""Columns as numbers and targets as labels: by hand, at each border, and every refusal as it is said."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from trainables.sources.tables.base import Table
from trainables.sources.tables.embedded import Diabetes
from trainables.sources.tables.encode import encode
from trainables.sources.tables.files import TableFile

LABELS = [0, 1] * 3


def table(target: Any = LABELS, **columns: Any) -> Table:
    frame = pd.DataFrame(columns)
    return Table(frame, pd.Series(target, index=frame.index), "y")


def encoded(what: Table, counts: bool = False, **fields: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    return encode(TableFile.model_validate({"path": "t.csv"} | fields), what, counts=counts)


def refused(what: Table, counts: bool = False, **fields: Any) -> str:
    with pytest.raises(ValueError, match=r"^source") as problem:
        encoded(what, counts, **fields)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_text_is_one_column_a_category_but_the_first_in_the_alphabet() -> None:
    x, labels, names = encoded(table(n=[1, 2, 3, 4, 5, 6], c=["b", "a", "c", "c", "a", "b"]))
    assert names == ["n", "c=b", "c=c"]
    assert x.tolist() == [[1, 1, 0], [2, 0, 0], [3, 0, 1], [4, 0, 1], [5, 0, 0], [6, 1, 0]]
    assert labels.tolist() == LABELS


def test_truth_values_are_numbers_and_words_beside_them_categories() -> None:
    x, _, names = encoded(table(b=[True, False] * 3, m=[True, "x", True, "x", "x", True]))
    assert names == ["b", "m=x"]
    assert x.T.tolist() == [[1, 0] * 3, [0, 1, 0, 1, 1, 0]]


def test_a_gap_in_text_is_a_category_and_in_numbers_a_gap_where_gaps_are_filled() -> None:
    """ "(missing)" comes before the letters."""
    x, _, names = encoded(table(n=[1, None, 3, 4, 5, 6], c=["b", "a", None, "b", "a", "b"]), missing="mean")
    assert names == ["n", "c=a", "c=b"]
    assert np.isnan(x[:, 0]).tolist() == [False, True, False, False, False, False]
    assert x[2, 1:].tolist() == [0, 0]


def test_rows_with_a_gap_are_dropped_with_their_labels() -> None:
    x, labels, _ = encoded(table(n=[1, None, 3, 4, 5, 6], c=[7, 8, 9, 8, None, 7]), missing="drop")
    assert x.tolist() == [[1, 7], [3, 9], [4, 8], [6, 7]]
    assert labels.tolist() == [0, 0, 1, 1]


def test_rows_without_a_target_go_and_are_no_gap() -> None:
    x, labels, _ = encoded(table([0, None, 1, 0, None, 1], n=[1, None, 3, 4, 5, 6]))
    assert x.ravel().tolist() == [1, 3, 4, 6]
    assert labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("counts", [False, True])
def test_a_table_whose_every_row_has_a_gap_has_none_left_to_drop_to(counts: bool) -> None:
    said = refused(table(n=[1, None] * 3, m=[None, 2] * 3), counts, missing="drop")
    assert said == "source.missing: every row has a gap, so that `drop` leaves none; say `mean` to fill them"


def test_gaps_are_counted_by_rows_and_the_fullest_column_of_them_is_named() -> None:
    assert refused(table(n=[1, None, 3, 4, None, 6], m=[1, None, 3, 4, 5, 6])) == (
        "source.missing: 2 of 6 rows have gaps, most in 'n' (2); say `drop` to leave these rows out, or `mean` to fill "
        "them"
    )


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"n": [1.5] * 6}, "source: column 'n' is 1.5 in every row; leave it out"),
        ({"c": ["a"] * 6}, "source: column 'c' is 'a' in every row; leave it out"),
        ({"n": [None] * 6}, "source: column 'n' has no value in any row; leave it out of the table"),
        ({"n": [1, 2, 3, np.inf, 5, 6]}, "source: column 'n' holds infinite values"),
        ({"n": [1, 2, 3, -np.inf, 5, 6]}, "source: column 'n' holds infinite values"),
        ({"n": ["1", "2", "3", "4", "n/k", "6"]}, "source: column 'n' holds 'n/k' among numbers"),
        ({"n": list("123456")}, "source: column 'n' holds numbers written as text among numbers"),
        ({"n": [(1,), (2,)] * 3}, "source: column 'n' holds values of type tuple, neither numbers nor text"),
        ({}, "source: no column beside the target 'y'"),
    ],
)
def test_a_column_that_is_no_input_is_named(columns: dict[str, Any], said: str) -> None:
    what = table(**columns) if columns else Table(pd.DataFrame(index=range(6)), pd.Series(LABELS), "y")
    assert refused(what) == said


def test_half_numbers_are_text_and_more_are_spoiled_numbers() -> None:
    _, _, names = encoded(table(n=["1", "2", "3", "x", "y", "z"]))
    assert names == ["n=2", "n=3", "n=x", "n=y", "n=z"]
    assert refused(table(n=["1", "2", "3", "4", "y", "z"])) == "source: column 'n' holds 'y' among numbers"


@pytest.mark.parametrize(("kinds", "allowed"), [(50, True), (51, False)])
def test_fifty_categories_are_the_most(kinds: int, allowed: bool) -> None:
    words = [f"w{number:02}" for number in range(kinds)]
    what = table([0, 1] * kinds, c=words * 2)
    if allowed:
        assert encoded(what)[0].shape == (100, 49)
    else:
        said = "holds 51 different texts where numbers or at most 50 categories are needed; leave it out"
        assert refused(what) == f"source: column 'c' {said}"


@pytest.mark.parametrize(
    ("target", "positive", "labels"),
    [
        (["no", "yes"] * 3, None, [0, 1] * 3),
        (["no", "yes"] * 3, "no", [1, 0] * 3),
        ([7, -2] * 3, None, [1, 0] * 3),
        ([1.0, 2.5] * 3, "1", [1, 0] * 3),
        ([False, True] * 3, "True", [0, 1] * 3),
        (["a", "b", "c"] * 2, "b", [0, 1, 0] * 2),
        ([3, "a"] * 3, None, [0, 1] * 3),
    ],
)
def test_the_larger_of_two_values_is_1_or_the_one_that_is_named(target: Any, positive: Any, labels: list[int]) -> None:
    """A number comes before a word; 1 and 1.0 are one."""
    found = encoded(table(pd.Series(target, dtype=object), n=range(6)), positive=positive)[1]
    assert found.tolist() == labels
    assert found.dtype == np.int8


@pytest.mark.parametrize(
    ("target", "positive", "said"),
    [
        (["a"] * 6, None, "source: the target 'y' is 'a' in every row; two classes are needed"),
        ([2.0] * 6, None, "source: the target 'y' is '2' in every row; two classes are needed"),
        (
            list("abcdef"),
            None,
            "source.positive: the target 'y' has 6 values (a, b, c, d, e, f); name the one that counts as 1",
        ),
        (["a", "b"] * 3, "c", "source.positive: the target 'y' is never 'c', but a, b"),
        ([None] * 6, None, "source: no row has a value of the target 'y'"),
        ([1.0, np.inf] * 3, None, "source.target: 'y' holds infinite values"),
        ([[1], [2]] * 3, None, "source.target: 'y' holds values of type list, which name no class"),
    ],
)
def test_a_target_that_is_no_class_is_named(target: Any, positive: Any, said: str) -> None:
    assert refused(table(pd.Series(target, dtype=object), n=range(6)), positive=positive) == said


def test_six_values_of_a_target_are_shown_and_that_there_are_more() -> None:
    said = refused(table(list("abcdefg"), n=range(7)))
    assert said == ("source.positive: the target 'y' has 7 values (a, b, c, d, e, f, …); name the one that counts as 1")


def test_what_lies_above_a_threshold_is_1_and_at_it_0() -> None:
    labels = encode(Diabetes(), table([140, 140.5, 141, 300, 0, 140.51], n=range(6)), counts=False)[1]
    assert labels.tolist() == [0, 0, 1, 1, 0, 1]


def test_counts_are_whole_numbers_from_nothing_to_two_to_the_53() -> None:
    found = encoded(table([0, 1, 2, 2**53, 5, 6], n=range(6)), counts=True)[1]
    assert found.tolist() == [0, 1, 2, 2**53, 5, 6]
    assert found.dtype == np.int64
    assert encoded(table(["3", 4.0, "5", 6, 7, 8], n=range(6)), counts=True)[1].tolist() == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("value", "shown"), [(-1, "-1.0"), (0.5, "0.5"), (2.0**53 + 2, "9007199254740994.0"), (np.inf, "inf")]
)
def test_a_number_that_is_no_count_is_shown(value: float, shown: str) -> None:
    said = refused(table([1.0, 2.0, value, 3.0, 4.0, 5.0], n=range(6)), counts=True)
    assert said == f"source.target: 'y' holds {shown}, which is no count"


@pytest.mark.parametrize(("value", "shown"), [(True, "True"), ("two", "'two'"), ((1,), "(1,)")])
def test_a_value_that_is_no_number_is_no_count(value: Any, shown: str) -> None:
    target = pd.Series([1, 2, value, 3, 4, 5], dtype=object)
    assert refused(table(target, n=range(6)), counts=True) == f"source.target: 'y' holds {shown}, which is no count"


def test_equal_counts_are_refused() -> None:
    assert refused(table([3.0] * 6, n=range(6)), counts=True) == "source.target: 'y' is 3 in every row"

"""Ranges: which numbers they hold, how likely each is, and what is no range."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from search_spaces.space import Choice, Range, parse_word

DRAWS = 5_000


def word(**said: list[Any]) -> Range:
    found = parse_word(said)
    assert isinstance(found, Range)
    return found


def drawn(found: Range | Choice, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([found.sample(rng) for _ in range(DRAWS)])


def shares(found: Range, values: list[float]) -> list[float]:
    numbers = drawn(found)
    assert set(numbers.tolist()) == set(values)
    return [float((numbers == value).mean()) for value in values]


def near(share: float) -> Any:
    """Within four standard errors of a binomial share."""
    return pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / DRAWS))


def test_whole_numbers_on_a_log_scale_have_the_weight_of_their_part_of_it() -> None:
    """P(k) = ln((k + 1)/k) / ln(high/low) for k = low … high − 1: of [2, 16) 2 has ln 1.5 / ln 8."""
    found = shares(word(lograndint=[2, 16]), list(range(2, 16)))
    assert found == [near(math.log((k + 1) / k) / math.log(8)) for k in range(2, 16)]


def test_multiples_on_a_log_scale_have_the_weight_of_what_is_nearest_to_them() -> None:
    """[1, 8] by 2: 2 is nearest from 1 to 3, 4 to 5, 6 to 7, 8 to 8: shares of ln 8."""
    edges = [1, 3, 5, 7, 8]
    expected = [math.log(high / low) / math.log(8) for low, high in itertools.pairwise(edges)]
    assert shares(word(qlograndint=[1, 8, 2]), [2, 4, 6, 8]) == [near(share) for share in expected]


def test_numbers_between_bounds_are_uniform() -> None:
    numbers = drawn(word(uniform=[-3, 1]))
    assert -3 <= numbers.min() < -2.98
    assert 0.98 < numbers.max() < 1
    assert numbers.mean() == pytest.approx(-1, abs=4 * (4 / math.sqrt(12)) / math.sqrt(DRAWS))
    assert numbers.var() == pytest.approx(16 / 12, rel=0.08)


def test_whole_numbers_are_equally_likely_below_zero_too() -> None:
    assert shares(word(randint=[-2, 3]), [-2, -1, 0, 1, 2]) == [near(0.2)] * 5


def test_choices_are_equally_likely_and_keep_their_types() -> None:
    found = Choice(values=("a", True, 3, 0.5))
    rng = np.random.default_rng(1)
    values = [found.sample(rng) for _ in range(DRAWS)]
    assert {type(value) for value in values} == {str, bool, int, float}
    for one in found.values:
        assert sum(value is one for value in values) / DRAWS == near(0.25)


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ({"uniform": [0.5, 2]}, 0.5, 2.0),
        ({"randint": [3, 7]}, 3, 6),
        ({"lograndint": [3, 7]}, 3, 6),
        ({"qrandint": [1, 9, 2]}, 2, 8),
        ({"qrandint": [-7, 7, 3]}, -6, 6),
        ({"quniform": [0.05, 0.35, 0.1]}, 0.1, 0.3),
        ({"quniform": [0, 0.3, 0.1]}, 0.0, 0.3),
        ({"qloguniform": [1, 10, 4]}, 4.0, 8.0),
    ],
)
def test_the_ends_of_a_range_are_numbers_that_it_draws(said: dict[str, list[Any]], first: float, last: float) -> None:
    found = word(**said)
    assert (found.first, found.last) == (first, last)
    numbers = drawn(found) if found.step or found.integer else None
    assert numbers is None or (numbers.min(), numbers.max()) == (first, last)


@pytest.mark.parametrize(
    ("said", "value", "snapped"),
    [
        ({"qrandint": [0, 9, 3]}, 4.4, 3),
        ({"qrandint": [0, 9, 3]}, 4.6, 6),
        ({"qrandint": [0, 9, 3]}, 100, 9),
        ({"qrandint": [1, 8, 3]}, -5, 3),
        ({"quniform": [0, 1, 0.1]}, 0.31, 0.3),
        ({"quniform": [0, 1, 0.1]}, 0.7000001, 0.7),
        ({"randint": [0, 9]}, 2.9, 2),
        ({"randint": [-9, 9]}, -0.5, -1),
        ({"uniform": [0, 9]}, 2, 2.0),
    ],
)
def test_a_number_becomes_one_that_the_word_allows(said: dict[str, list[Any]], value: float, snapped: float) -> None:
    found = word(**said).snap(value)
    assert found == snapped
    assert type(found) is type(snapped), "whole numbers stay whole, others do not become so"


def test_a_range_between_whole_numbers_says_its_bounds_as_such() -> None:
    assert word(randint=[1, 5]).model_dump() == {"randint": [1, 5]}
    assert [type(bound) for bound in word(qrandint=[1, 5, 2]).model_dump()["qrandint"]] == [int] * 3
    assert word(quniform=[1, 5, 0.5]).model_dump() == {"quniform": [1.0, 5.0, 0.5]}


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"quniform": [0.3, 0.4, 1]}, "quniform: no multiple of 1 lies from 0.3 to 0.4"),
        ({"qlograndint": [5, 6, 7]}, "qlograndint: no multiple of 7 lies from 5 to 6"),
        ({"uniform": [1, 1]}, "uniform: the low bound 1 must be below the high bound 1"),
        ({"lograndint": [-1, 4]}, "lograndint: the low bound -1 must be above 0 on a log scale"),
        ({"qrandint": [0, 4, 0.5]}, "qrandint: [0.0, 4.0, 0.5] must be whole numbers"),
        ({"quniform": [0, 1, -0.5]}, "quniform: the step -0.5 must be above 0"),
        ({"qrandint": [0, 4]}, "qrandint: needs [low, high, step], not [0, 4]"),
        ({"randint": [0, 4, 2]}, "randint: needs [low, high], not [0, 4, 2]"),
        ({"uniform": [None, 1]}, "uniform: None is not a number"),
        ({"uniform": [0, "nan"]}, "uniform: 'nan' is not a finite number"),
    ],
)
def test_what_is_no_range_is_refused_with_the_numbers_that_are_wrong(said: dict[str, list[Any]], line: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_word(said)
    assert line in str(caught.value)


def test_a_range_of_one_number_is_that_number() -> None:
    assert set(drawn(word(randint=[4, 5])).tolist()) == {4}
    assert set(drawn(word(qrandint=[3, 5, 4])).tolist()) == {4}


def test_numpys_numbers_in_a_word_are_pythons() -> None:
    found = parse_word({"grid": [np.float32(0.5), np.int64(3)]})
    assert [type(value) for value in found.model_dump()["grid"]] == [float, int]
    assert parse_word({"grid": [1, True, "1", 1.5, None]}).model_dump() == {"grid": [1, True, "1", 1.5, None]}


def domain(kind: str, sampler: str, quantum: float | None = None) -> Any:
    """As Ray Tune's domains are: told by the names of classes."""
    inner: Any = type(sampler, (), {})()
    if quantum is not None:
        inner = type("Quantized", (), {"sampler": inner, "q": quantum})()
    bounds = {"lower": 1, "upper": 9, "get_sampler": lambda self: inner}
    return type(kind, (), bounds)()


@pytest.mark.parametrize(
    ("kind", "sampler", "quantum", "plain"),
    [
        ("Float", "_Uniform", None, {"uniform": [1.0, 9.0]}),
        ("Float", "_LogUniform", None, {"loguniform": [1.0, 9.0]}),
        ("Float", "_Uniform", 0.5, {"quniform": [1.0, 9.0, 0.5]}),
        ("Integer", "_Uniform", None, {"randint": [1, 9]}),
        ("Integer", "_LogUniform", 2, {"qlograndint": [1, 9, 2]}),
    ],
)
def test_tunes_domains_are_the_words_of_their_names(
    kind: str, sampler: str, quantum: Any, plain: dict[str, Any]
) -> None:
    assert parse_word(domain(kind, sampler, quantum)).model_dump() == plain


@pytest.mark.parametrize(("kind", "sampler"), [("Float", "_Normal"), ("Function", "_Uniform")])
def test_a_domain_of_tunes_that_is_no_word_is_told_with_the_words(kind: str, sampler: str) -> None:
    with pytest.raises(ValueError, match=r"^Tune's .* has no word here \(known words: grid, choice, uniform, "):
        parse_word(domain(kind, sampler))


@pytest.mark.parametrize("condition", ["ratio_mix", [1], {3: "x"}])
def test_a_condition_that_names_no_path_is_refused_in_a_word_of_python_too(condition: Any) -> None:
    with pytest.raises(ValueError, match=r"needs paths with their values, as in {policy.kind: ratio_mix}, not"):
        Choice(values=(1, 2), when=condition)

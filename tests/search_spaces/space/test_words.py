"""Words of a space: the same in YAML and as Ray Tune's objects, and what they draw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from search_spaces.space import Choice, Grid, Range, parse_word, when


class Categorical:
    """Ray Tune's class of that name, as far as a word needs it."""

    def __init__(self, categories: list[Any]) -> None:
        self.categories = categories

    def get_sampler(self) -> None:
        return None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ({"grid": [1, "a"]}, Grid(values=(1, "a"))),
        ({"grid_search": [1]}, Grid(values=(1,))),
        ({"choice": [True, None]}, Choice(values=(True, None))),
        ({"uniform": [0, 2]}, Range(low=0, high=2)),
        ({"loguniform": ["1e-4", 1e-2]}, Range(low=1e-4, high=1e-2, log=True)),  # YAML 1.1 reads 1e-4 as text
        ({"quniform": [0, 1, 0.25]}, Range(low=0, high=1, step=0.25)),
        ({"qloguniform": [1, 9, 2]}, Range(low=1, high=9, log=True, step=2)),
        ({"randint": [0, 5]}, Range(low=0, high=5, integer=True)),
        ({"qrandint": [0, 6, 2]}, Range(low=0, high=6, integer=True, step=2)),
        ({"lograndint": [1, 9]}, Range(low=1, high=9, log=True, integer=True)),
        ({"qlograndint": [1, 9, 2]}, Range(low=1, high=9, log=True, integer=True, step=2)),
        (Categorical([np.int64(3), "x"]), Choice(values=(3, "x"))),
    ],
)
def test_a_word_is_read(word: Any, expected: Any) -> None:
    found = parse_word(word)
    assert found == expected
    assert parse_word(found.model_dump()) == expected, "its plain form is a word again"


@pytest.mark.slow
def test_ray_tunes_objects_become_words() -> None:
    tune = pytest.importorskip("ray.tune")
    for made, word in [
        (tune.grid_search([1, 2]), {"grid": [1, 2]}),
        (tune.choice(["a", "b"]), {"choice": ["a", "b"]}),
        (tune.uniform(0, 1), {"uniform": [0, 1]}),
        (tune.loguniform(1e-4, 1e-1), {"loguniform": [1e-4, 1e-1]}),
        (tune.quniform(0, 1, 0.1), {"quniform": [0, 1, 0.1]}),
        (tune.randint(2, 9), {"randint": [2, 9]}),
        (tune.lograndint(2, 9), {"lograndint": [2, 9]}),
        (tune.qrandint(2, 8, 2), {"qrandint": [2, 8, 2]}),
    ]:
        assert parse_word(made) == parse_word(word)
    with pytest.raises(ValueError, match="has no word here"):
        parse_word(tune.randn(0, 1))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ({"grd": [1]}, "unknown word 'grd'; did you mean 'grid'"),
        ({"grid": []}, "grid: the list is empty; at least one value is needed"),
        ({"choice": []}, "choice: the list is empty"),
        ({"grid": [1, 2, 1]}, "grid: the value 1 stands there twice"),
        ({"grid": 3}, "grid: needs a list, not 3"),
        ({"grid": "abc"}, "grid: needs a list, not 'abc'"),
        ({"grid": [1], "choice": [2]}, "needs one word with its values"),
        (3, "needs one word with its values"),
        ({"uniform": [1]}, r"uniform: needs \[low, high\], not \[1\]"),
        ({"quniform": [1, 2]}, r"quniform: needs \[low, high, step\]"),
        ({"quniform": [1, 2, 0]}, "quniform: the step 0 must be above 0"),
        ({"uniform": [2, 1]}, "uniform: the low bound 2 must be below the high bound 1"),
        ({"loguniform": [0, 1]}, "loguniform: the low bound 0 must be above 0 on a log scale"),
        ({"uniform": ["a", 1]}, "uniform: 'a' is not a number"),
        ({"uniform": [True, 2]}, "uniform: True is not a finite number"),
        ({"uniform": [0, math.inf]}, "uniform: inf is not a finite number"),
        ({"randint": [0.5, 3]}, "randint: .* must be whole numbers"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(word: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_word(word)
    assert "\n" not in str(caught.value) or "validation error" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "allowed"),
    [
        ({"randint": [2, 5]}, {2, 3, 4}),
        ({"qrandint": [2, 6, 2]}, {2, 4, 6}),
        ({"quniform": [0, 0.3, 0.1]}, {0.0, 0.1, 0.2, 0.3}),
        ({"lograndint": [1, 4]}, {1, 2, 3}),
        ({"qlograndint": [2, 8, 2]}, {2, 4, 6, 8}),
        ({"choice": ["a", None]}, {"a", None}),
    ],
)
def test_draws_are_all_that_a_word_allows_and_nothing_else(word: dict[str, list[Any]], allowed: set[Any]) -> None:
    rng = np.random.default_rng(0)
    found = parse_word(word)
    assert isinstance(found, (Choice, Range))
    assert {found.sample(rng) for _ in range(400)} == allowed


def test_loguniform_is_uniform_in_the_logarithm() -> None:
    rng = np.random.default_rng(1)
    word = Range(low=1e-4, high=1, log=True)
    drawn = np.array([math.log10(word.sample(rng)) for _ in range(4000)])
    assert drawn.min() >= -4
    assert drawn.max() <= 0
    assert abs(drawn.mean() + 2) < 4 * (4 / math.sqrt(12)) / math.sqrt(4000)


@pytest.mark.parametrize(
    ("word", "last"),
    [({"randint": [0, 5]}, 4), ({"qrandint": [0, 6, 2]}, 6), ({"uniform": [0, 5]}, 5), ({"lograndint": [1, 9]}, 8)],
)
def test_the_largest_value_is_the_bound_or_the_number_before_it(word: dict[str, list[Any]], last: float) -> None:
    assert parse_word(word).last == last


def test_multiples_are_equally_likely_those_at_the_bounds_too() -> None:
    word, rng = parse_word({"quniform": [0, 6, 2]}), np.random.default_rng(0)
    found = np.array([word.sample(rng) for _ in range(8000)])
    np.testing.assert_allclose([(found == value).mean() for value in (0, 2, 4, 6)], 0.25, atol=4 * 0.43 / 8000**0.5)


@pytest.mark.parametrize("condition", [{}, [], "ratio_mix", None])
def test_a_condition_names_paths(condition: Any) -> None:
    with pytest.raises(ValueError, match=r"^when: needs paths with their values"):
        when({"grid": [1, 2]}, condition)

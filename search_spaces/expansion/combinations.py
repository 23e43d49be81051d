"""What a grid sampler suggests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from search_spaces.errors import StudyError
from search_spaces.expansion.points import Values
from search_spaces.search import OptunaSearch, listed
from search_spaces.space import Choice, Range
from trainables.config import canonical_json
from trainables.lineage import Stream, make_key

MOST = 100_000
"""Combinations of a grid sampler; more are taken for a mistake."""


def every_combination(search: OptunaSearch, words: Mapping[str, Choice | Range]) -> list[Values]:
    """Every combination of the values that are drawn, in the order in which a grid sampler suggests them: those of the
    search's points first, the rest shuffled by its seed.

    Raises:
        StudyError: there are too many.
    """
    values = [listed(word) or () for word in words.values()]
    size = math.prod(map(len, values))
    if size > MOST:
        raise StudyError(f"search.sampler: the grid has {size:,} combinations; the most is {MOST:,}")
    every = [dict(zip(words, combination, strict=True)) for combination in itertools.product(*values)]
    order = Stream(make_key("optuna_grid", seed=search.seed)).numpy().permutation(size)
    first = [_told(point.items(), words) for point in search.points]

    def later(found: Values) -> bool:
        told = _told(found.items(), words)
        return not any(point <= told for point in first)

    return sorted((every[place] for place in order), key=later)


def _told(values: Iterable[tuple[str, Any]], words: Mapping[str, Choice | Range]) -> set[tuple[str, str]]:
    """Values as they are compared."""
    snapped = ((path, words[path], value) for path, value in values)
    return {
        (path, canonical_json(word.snap(value) if isinstance(word, Range) else value)) for path, word, value in snapped
    }

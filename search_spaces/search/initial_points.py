"""What a search is given besides its space: points to try first must lie in it, a sampler must be able to draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.search.samplers import SamplerConfig
from search_spaces.space import Choice, Range, Space, drawn_words
from trainables.config import did_you_mean


def check_points(points: Sequence[Mapping[str, Any]], space: Space) -> None:
    """Refuse points outside the space.

    Raises:
        ValueError: beginning with the place.
    """
    words = drawn_words(space)
    for number, point in enumerate(points):
        for path, value in point.items():
            if path not in words:
                grid = "; it is a grid, all of which is run on every point" if path in space else ""
                raise ValueError(f"search.points.{number}: unknown path {path!r}{grid or did_you_mean(path, words)}")
            if not allowed(words[path], value):
                word = words[path].model_dump(exclude={"when"})
                raise ValueError(f"search.points.{number}.{path}: {value!r} is not in {word}")


def allowed(word: Choice | Range, value: Any) -> bool:
    """Whether a word can draw a value."""
    if isinstance(word, Choice):
        return any(value == held and isinstance(value, bool) == isinstance(held, bool) for held in word.values)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not word.low <= value <= word.last:
        return False
    return not (word.step or word.integer) or abs(word.snap(value) - value) <= 1e-9 * max(1.0, abs(value))


def check_sampler(sampler: SamplerConfig, space: Space) -> None:
    """Refuse a sampler that can't draw the space, or would silently draw part of it at random.

    Raises:
        ValueError: beginning with the place.
    """
    words = drawn_words(space)
    for path, word in words.items():
        if isinstance(word, Choice) and not sampler.listed:
            raise ValueError(f"search.sampler: {sampler.kind} draws numbers, and {path} is a choice; use tpe or gp")
        if word.when and not sampler.conditional:
            raise ValueError(f"search.sampler: {sampler.kind} takes no conditional path, as {path} is; use tpe or gp")
    _check_kind(sampler, words)


def _check_kind(sampler: SamplerConfig, words: Mapping[str, Choice | Range]) -> None:
    if sampler.kind == "cmaes" and len(words) < 2:
        raise ValueError("search.sampler: cmaes needs two paths to draw, and there is one; use tpe or gp")
    if sampler.kind == "grid":
        for path, word in words.items():
            if isinstance(word, Range) and listed(word) is None:
                raise ValueError(
                    f"search.sampler: grid needs finitely many values, and {path} is {word.word}; "
                    f"give it a choice or a step (quniform), or use qmc"
                )


def listed(word: Choice | Range) -> tuple[Any, ...] | None:
    """Every value of a word; None where there are too many to list."""
    if isinstance(word, Choice):
        return word.values
    step = word.step or (1.0 if word.integer else None)
    if step is None or (word.last - word.first) / step > 10_000:
        return None
    return tuple(word.snap(word.first + number * step) for number in range(round((word.last - word.first) / step) + 1))

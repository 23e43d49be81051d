"""Which words of a verdict a number of generations can reach, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby


def words_from() -> dict[str, int]:
    """Generations from which on each word can be reached, as the rules of verdicts have it."""
    from analysis.verdicts import reached_from

    return reached_from()


def reach_line(shortest: int | None = None) -> str:
    """The same in a line; empty where recursions of so many generations can reach all."""
    found = words_from()
    if shortest is not None and shortest >= max(found.values()):
        return ""
    by_least = groupby(sorted(found, key=lambda word: -found[word]), key=lambda word: found[word])
    first, *rest = [f"{_listed(words)} from {least} generations on" for least, words in by_least]
    here = "" if shortest is None else f" (here {shortest})"
    return f"Verdicts can say {'; '.join([first + here, *rest])}."


def _listed(words: Iterable[str]) -> str:
    *most, last = (f"“{word}”" for word in words)
    return f"{', '.join(most)} and {last}" if most else last

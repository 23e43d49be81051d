"""Which words of a space apply: `when: {family.architecture: llama}`, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from search_spaces.space.words import Choice, Grid, Range
from trainables.config import did_you_mean

Space = Mapping[str, Grid | Choice | Range]


def drawn_words(space: Space) -> dict[str, Choice | Range]:
    """The paths that a search draws, with their words."""
    return {path: word for path, word in space.items() if not isinstance(word, Grid)}


MISSING: Any = object()
"""What stands at a path where nothing does."""


def in_order(space: Space) -> list[str]:
    """The paths, drawn ones before grids, and each after those that its condition names.

    Raises:
        ValueError: conditions wait for each other, or one for itself.
    """
    found: list[str] = []

    def place(path: str, waiting: tuple[str, ...]) -> None:
        if path in waiting:
            circle = waiting[waiting.index(path) :]
            why = f"{' and '.join(circle)} wait for each other" if circle[1:] else f"{path} can't depend on itself"
            raise ValueError(f"space.{path}: when: {why}")
        for other in _named(space[path].when, space):
            place(other, (*waiting, path))
        if path not in found:
            found.append(path)

    for path in sorted(space, key=lambda path: isinstance(space[path], Grid)):
        place(path, ())
    return found


def applies(when: Mapping[str, tuple[Any, ...]], values: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a condition holds for a base cell with these values set."""
    return all(any(_equal(_value(path, values, base), one) for one in allowed) for path, allowed in when.items())


def drawn_apart(space: Space, drawn: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The drawn values that can apply; conditions on grids are open until the inner grid is run."""
    kept: dict[str, Any] = {}
    for path in in_order(space):
        if path in drawn and may_apply(path, space, kept, base):
            kept[path] = drawn[path]
    return kept


def may_apply(path: str, space: Space, values: Mapping[str, Any], base: Mapping[str, Any]) -> bool:
    """Whether a word can apply, given the values drawn before it."""
    known = {other: held for other, held in space[path].when.items() if not _on_grid(other, space)}
    return applies(known, values, base)


def check(space: Space, base: Mapping[str, Any]) -> None:
    """Refuse conditions that name nothing, or that never hold.

    Raises:
        ValueError: beginning with the place.
    """
    in_order(space)
    for path, word in space.items():
        for other, allowed in word.when.items():
            problem = _problem(other, allowed, space, base)
            if problem:
                raise ValueError(f"space.{path}: when: {problem}")


def _problem(other: str, allowed: tuple[Any, ...], space: Space, base: Mapping[str, Any]) -> str:
    """What is wrong with one condition; empty where nothing is."""
    over = next((known for known in space if _within(other, known)), None)
    if over is None:
        held = look(other, base)
        if held is MISSING:
            known = [*space, *_paths(base)]
            return f"there is no {other!r} in the space or in the cell{did_you_mean(other, known)}"
        fixed = not any(_equal(held, value) for value in allowed)
        return f"{other} is {held!r} in the cell, so this never holds; let it vary, or leave the path out" * fixed
    word = space[over]
    if isinstance(word, Range):
        return f"{other} is drawn from {word.word}; a condition needs a grid, a choice or a value of the cell"
    taken = [held if over == other else look(other.removeprefix(over + "."), held) for held in word.values]
    never = next((value for value in allowed if not any(_equal(held, value) for held in taken)), MISSING)
    shown = ", ".join(str(held) for held in taken if held is not MISSING)
    return "" if never is MISSING else f"{other} is never {never!r} (it is one of {shown})"


def _named(when: Iterable[str], space: Space) -> list[str]:
    """The paths of the space that decide a condition."""
    return [path for path in space if any(_within(other, path) or _within(path, other) for other in when)]


def _on_grid(other: str, space: Space) -> bool:
    return any(isinstance(space[path], Grid) for path in _named([other], space))


def _within(path: str, whole: str) -> bool:
    return path == whole or path.startswith(whole + ".")


def _value(path: str, values: Mapping[str, Any], base: Mapping[str, Any]) -> Any:
    """The value at a path; one that was set whole hides what the base says of its parts."""
    if path in values:
        return values[path]
    whole = max((held for held in values if path.startswith(held + ".")), key=len, default=None)
    return look(path, base) if whole is None else look(path.removeprefix(whole + "."), values[whole])


def look(path: str, held: Any) -> Any:
    """What stands at a dotted path of nested mappings; `MISSING` where nothing does."""
    for part in path.split("."):
        if not isinstance(held, Mapping) or part not in held:
            return MISSING
        held = held[part]
    return held


def _equal(held: Any, value: Any) -> bool:
    """Equal as YAML means it: true is not 1."""
    return bool(held == value) and isinstance(held, bool) == isinstance(value, bool)


def _paths(base: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, held in base.items():
        found += _paths(held, f"{prefix}{name}.") if isinstance(held, Mapping) else [prefix + name]
    return found

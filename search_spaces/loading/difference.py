"""What two studies say differently, path by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.study import Study

ABSENT = None
"""Stands for a path that a study lacks."""


@dataclass(frozen=True)
class Setting:
    """A path at which studies differ.

    Attributes:
        path: dotted; of a block by its name, or where it has none by its number.
        values: one per study, plain data; `ABSENT` where it has no such path.
    """

    path: str
    values: tuple[Any, ...]


def differences(*studies: Study) -> list[Setting]:
    """Every path at which the studies are not all alike, defaults written out; names and descriptions too."""
    flat = [dict(_paths(study)) for study in studies]
    paths = dict.fromkeys(path for one in flat for path in one)
    found = [Setting(path, tuple(one.get(path, ABSENT) for one in flat)) for path in paths]
    return [one for one in found if any(value != one.values[0] for value in one.values)]


def _paths(study: Study) -> Iterator[tuple[str, Any]]:
    plain = study.canonical()
    blocks = plain.pop("blocks")
    yield from _flat(plain, "")
    for number, block in enumerate(blocks):
        name = block.pop("name") or (f"blocks.{number}" if len(blocks) > 1 else "")
        yield from _flat(block, f"{name}." if name else "")


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Leaves by dotted path; a word of a space is a leaf."""
    for key, held in value.items():
        if isinstance(held, Mapping) and held and not prefix.endswith("space."):
            yield from _flat(held, f"{prefix}{key}.")
        elif held not in (None, {}, []):
            yield f"{prefix}{key}", held

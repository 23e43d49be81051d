"""`-o key=value`: changes to a study from the command line, made on its plain form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from search_spaces.errors import StudyError
from search_spaces.expansion import put
from search_spaces.space import WORDS
from search_spaces.study import BLOCK_KEYS
from trainables.cell import Cell
from trainables.config import did_you_mean

_WHOLE = ("name", "description", "budget", "require_power", "resources")


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> None:
    """Change the study in place; `raw` has its blocks as `blocks`.

    A key is `name`, `budget.cells`, `resources.gpu`, … for the study; `cell.…`, `space.…`, `search.…` for every block;
    any field of a cell (`rows`, `family.dim`), which then is fixed, or varies where the value is a word
    (`{grid: [1, 2]}`); each of these for one block only after the block's name (`language.rows`).

    Raises:
        StudyError: the key or the value can't be right.
    """
    for text in overrides:
        key, equals, value = text.partition("=")
        try:
            if not equals or not key:
                raise StudyError("needs key=value, as in -o rows=50")
            _apply(raw, key.strip(), yaml.safe_load(value))
        except yaml.YAMLError:
            raise StudyError(f"-o {text}: the value is not valid YAML") from None
        except ValueError as problem:
            raise StudyError(f"-o {text}: {problem}") from None


def _apply(raw: dict[str, Any], key: str, value: Any) -> None:
    head, _, rest = key.partition(".")
    blocks: list[dict[str, Any]] = raw["blocks"]
    names = [block["name"] for block in blocks if block.get("name")]
    if head in _WHOLE:
        put(raw, key, value)
    elif head in names and rest:
        _in_block(blocks[[block.get("name") for block in blocks].index(head)], rest, value)
    elif head in BLOCK_KEYS or head in Cell.model_fields:
        for block in blocks:
            _in_block(block, key, value)
    else:
        known = [*_WHOLE, *BLOCK_KEYS, *Cell.model_fields, *names]
        raise StudyError(f"unknown key {head!r}{did_you_mean(head, known)}")


def _in_block(block: dict[str, Any], key: str, value: Any) -> None:
    head, _, rest = key.partition(".")
    space: dict[str, Any] = block.setdefault("space", {})
    if head == "space" and rest:
        space[rest] = value
    elif head in (*BLOCK_KEYS, "resources"):
        put(block, key, value)
    elif head in Cell.model_fields:
        _set_field(block, space, key, value)
    else:
        raise StudyError(f"unknown key {head!r}{did_you_mean(head, [*BLOCK_KEYS, *Cell.model_fields])}")


def _set_field(block: dict[str, Any], space: dict[str, Any], key: str, value: Any) -> None:
    """A cell's field: what the space said of it, or of its parts, no longer counts."""
    whole = next((path for path in space if key.startswith(path + ".")), None)
    if whole:
        raise StudyError(f"the study's space sets {whole} as a whole; say -o space.{whole}=… instead")
    for path in [path for path in space if path == key or path.startswith(key + ".")]:
        del space[path]
    if isinstance(value, Mapping) and len(value.keys() - {"when"}) == 1 and set(value) & set(WORDS):
        space[key] = value
    else:
        put(block["cell"], key, value)
        for path in [path for path, word in space.items() if not _admits(word, key, value)]:
            del space[path]


def _admits(word: Any, key: str, value: Any) -> bool:
    """Whether a word still applies where `key` is fixed at a value."""
    condition = word.get("when", {}) if isinstance(word, Mapping) else {}
    held = condition.get(key, [value])
    return value in (held if isinstance(held, list) else [held])

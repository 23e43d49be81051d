"""Where data lies: relative paths of a study mean its file's folder, whatever folder a worker stands in.

Paths are no part of any identity (see `places` of the sources), so making them absolute changes no key.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

PLACES = frozenset({"path", "test_path", "labels"})
"""Fields of a `source` that say where data lies."""

PARTS = frozenset({"real", "foreign"})
"""Of a blend: sources in a `source`."""

WORDS = frozenset({"grid", "choice"})
"""Words of a search space whose lists hold values of the path they stand at."""


def absolute(raw: Any, base: Path, at: tuple[str, ...] = ()) -> Any:
    """Plain data of a study or cell with every relative path of a source or a checkpoint made absolute.

    Args:
        raw: mappings, lists and values as YAML has them; dotted keys are paths.
        base: the folder that relative paths mean.
        at: where `raw` stands in the whole.
    """
    if isinstance(raw, dict):
        return {key: absolute(value, base, (*at, *_parts(key))) for key, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [absolute(value, base, at) for value in raw]
    if isinstance(raw, str) and at[-2:] == ("checkpoint", "path"):
        return located(raw, base)
    if isinstance(raw, str) and (at[-2:-1] == ("source",) or (at[-3:-2] == ("source",) and at[-2] in PARTS)):
        local = at[-1] in PLACES or (at[-1] == "name" and (base / raw).exists())  # a hub's loader looks there first
        return located(raw, base) if local else raw
    return raw


def located(path: str, base: Path) -> str:
    """A local path made absolute; a URL as it is."""
    if not path or "://" in path or "::" in path:
        return path
    return os.path.abspath(base / Path(path).expanduser())


def _parts(key: Any) -> tuple[str, ...]:
    """A key as steps of a path; a word of the search space is none."""
    return () if key in WORDS else tuple(str(key).split("."))


def told_from(path: str, base: Path) -> str:
    """A path of the working directory as a file in `base` names it, for `located` to find. URLs and absolute paths, a
    home directory's too, stay what they are."""
    if not path or "://" in path or "::" in path or Path(path).expanduser().is_absolute():
        return path
    return os.path.relpath(path, base)

"""A study from a name, a YAML file or a `module:function`, with overrides. Errors are one line with the place."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search_spaces.errors import StudyError
from search_spaces.expansion import build, check, explored, tunings
from search_spaces.loading.overrides import apply_overrides
from search_spaces.loading.paths import absolute
from search_spaces.loading.schema import SCHEMA_KEY
from search_spaces.loading.yaml_lines import line_of, parse
from search_spaces.studies import STUDIES, named_study
from search_spaces.study import BLOCK_KEYS, Study
from trainables.cell import Cell
from trainables.config import did_you_mean, explain


def load_study(reference: str, overrides: Sequence[str] = ()) -> Study:
    """The study that a user means.

    Args:
        reference: a registered name, a YAML file, or `module:function` (found from the working directory too).
        overrides: `key=value` texts, see `apply_overrides`.

    Relative paths of data mean the folder of the YAML file that holds them; in `overrides` and in functions they mean
    the working directory.

    Raises:
        StudyError: there is no such study, or it is wrong.
    """
    if reference in STUDIES:
        return _override(named_study(reference), reference, overrides)
    if reference.endswith((".yaml", ".yml")) or Path(reference).is_file():
        return _from_yaml(Path(reference), overrides)
    if ":" in reference:
        return _override(_from_function(reference), reference, overrides)
    raise StudyError(
        f"unknown study {reference!r}{did_you_mean(reference, STUDIES)}; a YAML file or module:function is taken too"
    )


def load_cell(path: Path, overrides: Sequence[str] = ()) -> Cell:
    """A single cell from a YAML file that holds its fields.

    Raises:
        StudyError: it is wrong; the message names file, line and field.
    """
    raw, lines = parse(_text(path), str(path))
    if not isinstance(raw, Mapping):
        raise StudyError(f"{path}: a cell is a mapping with family, policy, generations, rows, seed, not {raw!r:.60}")
    if raw.keys() & {"cell", "blocks", "space"} and "family" not in raw:
        raise StudyError(f"{path}: is a study, not a cell; run it with `collapse-sweep run {shlex.quote(str(path))}`")
    whole: dict[str, Any] = {"name": "cell", "blocks": [{"cell": absolute(_without_schema(raw), path.parent)}]}
    apply_overrides(whole, overrides)
    try:
        return build(Study.model_validate(absolute(whole, Path())), 0, {})
    except StudyError as problem:
        message = str(problem).removeprefix("cell.")
        line = line_of(message.partition(":")[0], lines)
        raise StudyError(f"{path}{f':{line}' if line else ''}: {message}") from None


def study_from(raw: Any, source: str, lines: dict[tuple[str, ...], int] | None = None) -> Study:
    """A study from plain data, with every cell that is known beforehand built once.

    Raises:
        StudyError: it is wrong; the message begins with `source` and, where known, the line.
    """
    try:
        if not isinstance(raw, Mapping):
            raise StudyError(f"a study is a mapping with name, cell, space and search, not {raw!r:.60}")
        study = _validate(raw)
        _check(study)
    except StudyError as problem:
        numbered, named = _both_ways(str(problem), raw)
        line = line_of(numbered.partition(": ")[0], lines or {})
        raise StudyError(f"{source}{f':{line}' if line else ''}: {named}") from None
    return study


def _check(study: Study) -> None:
    """Build the cells that can be known beforehand.

    Raises:
        StudyError: one of them can't be.
    """
    check(explored(study))
    tunings(study)


def _both_ways(message: str, raw: Any) -> tuple[str, str]:
    """The message with its block by number, as places in a file are found, and by name, as users read it."""
    blocks = raw.get("blocks", ()) if isinstance(raw, Mapping) else ()
    for number, block in enumerate(blocks if isinstance(blocks, Sequence) else ()):
        name = block.get("name") if isinstance(block, Mapping) else None
        by_number, by_name = f"blocks.{number}.", f"{name}." if name else f"blocks.{number}."
        if message.startswith((by_number, by_name)):
            rest = message.removeprefix(by_number).removeprefix(by_name)
            return by_number + rest, by_name + rest
    return message, message


def _validate(raw: Mapping[str, Any]) -> Study:
    if "family" in raw and "cell" not in raw and "blocks" not in raw:
        raise StudyError("is a cell, not a study; run it with `collapse-sweep trial`, or put its fields under `cell:`")
    known = [key for key in Study.model_fields if key != "blocks"] + list(BLOCK_KEYS)
    for key in raw:
        if key not in (*known, "blocks"):
            raise StudyError(f"{key}: unknown key{did_you_mean(str(key), known)}")
    if "cell" not in raw and "blocks" not in raw:
        raise StudyError("cell: missing; a study needs a base cell, as in cell: {family: {kind: gaussian}}")
    try:
        return Study.model_validate(raw)
    except ValidationError as problem:
        message = explain(problem, Study)
        if "blocks" not in raw:
            message = message.removeprefix("blocks.0").lstrip(".: ")
        raise StudyError(message) from None


def _override(study: Study, source: str, overrides: Sequence[str]) -> Study:
    """The study with what the command line sets; relative paths there, and in code, mean the working directory."""
    plain = study.canonical()
    raw = absolute(plain, Path())
    if not overrides and raw == plain:
        _check(study)
        return study
    apply_overrides(raw, overrides)
    return study_from(absolute(raw, Path()), source)


def _from_yaml(path: Path, overrides: Sequence[str]) -> Study:
    raw, lines = parse(_text(path), str(path))
    if isinstance(raw, Mapping):
        raw = absolute({"name": path.stem, **_without_schema(raw)}, path.parent)
    study = study_from(raw, str(path), lines)
    return _override(study, str(path), overrides)


def _without_schema(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a file says besides where its schema lies."""
    return {key: value for key, value in raw.items() if key != SCHEMA_KEY}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "not UTF-8 text"
        raise StudyError(f"{path}: can't be read: {reason}") from None


def _from_function(reference: str) -> Study:
    module, _, name = reference.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as problem:
        raise StudyError(f"{reference}: there is no module {problem.name!r}") from None
    except AttributeError:
        raise StudyError(f"{reference}: the module {module!r} has no function {name!r}") from None
    try:
        study = found() if callable(found) else found
    except ValidationError as problem:
        raise StudyError(f"{reference}: {explain(problem, Study)}") from None
    if isinstance(study, Study):
        return study
    return study_from(study, reference)

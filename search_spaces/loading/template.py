"""A study to begin with: a commented YAML file for a family and one's own data."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import yaml

from search_spaces.errors import StudyError
from search_spaces.loading.paths import told_from
from search_spaces.loading.schema import SCHEMA_FILES
from trainables.config import did_you_mean
from trainables.families import FAMILIES
from trainables.policies import POLICIES


def template(
    family: str,
    name: str,
    data: str | None = None,
    policies: Sequence[str] = ("replace", "accumulate"),
    seeds: int = 3,
    generations: int | None = None,
    file: Path | None = None,
    note: str = "",
) -> str:
    """The text of a study's file.

    Args:
        family: kind of the family.
        name: of the study.
        data: path or URL of one's own data; None takes what is embedded.
        policies: kinds to compare.
        seeds: 0, 1, … so many.
        generations: None takes what the family finds sensible.
        file: where it is to lie; None is `NAME.yaml` in the working folder.
        note: on the number of generations, a comment in the file.

    Raises:
        StudyError: there is no such family or policy, or the family takes no such data.
    """
    config = _known(family, policies)
    place = file or Path(f"{name}.yaml")
    called = shlex.quote(str(place))
    source = _source(family, told_from(data, place.parent)) if data else None
    cell: dict[str, Any] = {"kind": family} | ({"source": source} if source else {})
    space = {"policy.kind": {"grid": list(policies)}, "seed": {"grid": list(range(seeds))}}
    return "\n".join(
        [
            f"# yaml-language-server: $schema={SCHEMA_FILES / 'study.schema.json'}",
            f"# What would run, for how long:  collapse-sweep plan {called}",
            f"# Run it, or go on with it:       collapse-sweep run {called}",
            "# Every field there is:           collapse-sweep schema reference",
            f"name: {_scalar(name)}",
            f"description: {_scalar(f'{family} models under {len(policies)} policies')}",
            "",
            "cell:  # what all recursions have in common",
            f"  generations: {generations or config.default_generations}  # fits in all; the first on real rows only",
            *([f"  # {note}"] if note else []),
            f"  rows: {config.default_rows}  # N: real rows of the first corpus, rows of each synthetic batch",
            "  family:",
            textwrap.indent(_block(cell), "    "),
            *_fields(config, set(cell)),
            "",
            "space:  # what varies: dotted path -> grid, choice, uniform, loguniform, randint",
            *(f"  {path}: {json.dumps(word).replace(chr(34), '')}" for path, word in space.items()),
            f"# {_drawn(config)}    # then say how it is searched:",
            "# search: {kind: optuna, num_samples: 20, objective: growth, mode: max}",
            "",
        ]
    )


def _known(family: str, policies: Sequence[str]) -> Any:
    if family not in FAMILIES:
        raise StudyError(f"FAMILY: unknown family {family!r}{did_you_mean(family, list(FAMILIES))}")
    for policy in policies:
        if policy not in POLICIES:
            raise StudyError(f"--policy {policy}: unknown policy {policy!r}{did_you_mean(policy, list(POLICIES))}")
    return FAMILIES.get(family)


def _source(family: str, data: str) -> dict[str, str]:
    kinds = FAMILIES.get(family).own_data
    if not kinds:
        raise StudyError(f"--data {data}: {family} draws its data from a known distribution; leave it out")
    kind = kinds.get(PurePath(data).suffix.lower(), kinds.get(""))
    if kind is None:
        raise StudyError(f"--data {data}: {family} reads files that end in {', '.join(kinds)}")
    return {"kind": kind, "path": data}


def _block(value: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, default_flow_style=False, allow_unicode=True)
    return text.rstrip()


def _scalar(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _fields(config: Any, but: set[str]) -> Iterator[str]:
    """The family's other fields with their defaults, commented out."""
    schema = config.model_json_schema()
    for name, field in schema["properties"].items():
        if name in but or name in schema.get("required", ()):
            continue
        shown = f"    # {name}: {json.dumps(field.get('default', {}), ensure_ascii=False)}"
        said = str(field.get("description", "")).partition(";")[0]
        yield f"{shown:<34}  # {textwrap.shorten(said, 80, placeholder=' …')}" if said else shown


def _drawn(config: Any) -> str:
    """A path that could be drawn, with a word."""
    if "learning_rate" in config.model_fields:
        return "family.learning_rate: {loguniform: [1.0e-3, 1.0e-2]}"
    return f"rows: {{lograndint: [{config.default_rows // 2}, {config.default_rows * 5}]}}"

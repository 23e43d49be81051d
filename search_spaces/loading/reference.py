"""The page of reference: every field of every family, source, search and scheduler, made from the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from search_spaces.resources import Resources
from search_spaces.search import SCHEDULERS, SEARCHES, TuneFirst
from search_spaces.study import Block, PowerRequirement, Study, StudyBudget
from trainables.cell import Cell, Fork
from trainables.config import Registry
from trainables.families import FAMILIES, recorded
from trainables.policies import POLICIES
from trainables.sources.images import IMAGE_SOURCES
from trainables.sources.molecules import MOLECULE_SOURCES
from trainables.sources.text import TEXTS

REFERENCE_TITLE = "Reference: every field of a study"
_HEAD = f"""# {REFERENCE_TITLE}

Made by `collapse-sweep schema reference`; `collapse-sweep schema study` and `schema cell` print the same for editors
and programs. In YAML a field of a family stands under `family`, one of a source under `family.source`, and a space
names it by its dotted path, as `family.source.limit`. Keys that are not listed are refused.
"""
_REGISTRIES: Mapping[str, tuple[Registry, str]] = {
    "Families": (FAMILIES, "`family: {kind: …}`"),
    "Text sources": (TEXTS, "`family.source: {kind: …}` of `language`"),
    "Image sources": (IMAGE_SOURCES, "`family.source: {kind: …}` of `vae`"),
    "Molecule sources": (MOLECULE_SOURCES, "`family.source: {kind: …}` of `diffusion`"),
    "Policies": (POLICIES, "`policy: {kind: …}`; what they do: [policies.md](policies.md)"),
    "Searches": (SEARCHES, "`search: {kind: …}`; how: [howto/search.md](howto/search.md)"),
    "Schedulers": (SCHEDULERS, "`scheduler: NAME` or `scheduler: {kind: …}`"),
}
_PARTS: Mapping[str, type[BaseModel]] = {
    "study": Study,
    "block": Block,
    "cell": Cell,
    "cell.fork": Fork,
    "budget": StudyBudget,
    "require_power": PowerRequirement,
    "resources": Resources,
    "tune_first": TuneFirst,
}


def reference() -> str:
    """The page, in Markdown."""
    parts = [_HEAD, "## Study, blocks, cells\n"]
    parts += [_table(f"### `{name}`", config) for name, config in _PARTS.items()]
    for title, (registry, where) in _REGISTRIES.items():
        parts.append(f"## {title}\n\n{where}\n")
        for kind in registry:
            parts.append(_table(f"### `{kind}`", registry.get(kind)))
            parts += [_figures(kind)] if registry is FAMILIES else []
    return "\n".join(parts)


def _figures(kind: str) -> str:
    """What a family's records hold."""
    better = {1: "lower", -1: "higher", 0: "–"}
    head = ["| records hold | meaning | unit | better | definitions take it as |", "|---|---|---|---|---|"]
    rows = [
        f"| `{found.name}` | {found.label}{f' ({found.when})' if found.when else ''} | {found.unit or '–'} | "
        f"{better[found.worse]} | {found.role or '–'} |"
        for found in recorded(kind)
    ]
    return "\n".join([*head, *rows, ""])


def _table(heading: str, config: type[BaseModel]) -> str:
    schema = config.model_json_schema()
    rows = list(_rows(schema))
    if config is Cell:
        rows = [
            row.replace("| required |", "| the family's |") if row[3:7] in ("gene", "rows") else row for row in rows
        ]
    table = ["| key | default | legal | meaning |", "|---|---|---|---|", *rows] if rows else ["No further keys."]
    first = str(schema.get("description", "")).split("\n\n")[0]
    return "\n".join([heading, "", " ".join(first.split()), "", *table, ""])


def _rows(schema: Mapping[str, Any]) -> Iterator[str]:
    needed, parts = schema.get("required", ()), schema.get("$defs", {})
    for name, field in schema.get("properties", {}).items():
        if name != "kind":
            default = f"`{_plain(field['default'])}`" if "default" in field else "none"
            default = "required" if name in needed else default
            meaning = str(field.get("description", "")).replace("|", "\\|")
            yield f"| `{name}` | {default} | {_legal(field, parts)} | {meaning} |"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("|", "\\|")


def _legal(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """Which values a field takes, in words."""
    options = [*field.get("anyOf", ()), *field.get("oneOf", ())]
    if options:
        return " or ".join(dict.fromkeys(_legal(one, parts) for one in options))
    if "$ref" in field:
        return _named(parts[field["$ref"].rpartition("/")[2]])
    if "enum" in field:
        return ", ".join(f"`{_plain(one)}`" for one in field["enum"])
    if "const" in field:
        return f"`{_plain(field['const'])}`"
    return _typed(field, parts)


def _named(part: Mapping[str, Any]) -> str:
    """A mapping: by its kind, or by its class."""
    kind = part.get("properties", {}).get("kind", {}).get("const")
    return f"`{kind}`" if kind else f"{part.get('title', 'mapping')}"


def _typed(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true, false", "null": "null"}
    kind = field.get("type", "")
    if kind == "array":
        items = field.get("items", {})
        return f"list of {_legal(items, parts)}" if items else "list"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"mapping to {_legal(values, parts)}" if isinstance(values, dict) and values else "mapping"
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{mark} {field[name]:g}" for name, mark in marks.items() if name in field]
    bounds += [f"matches `{field['pattern']}`".replace("|", "\\|")] if "pattern" in field else []
    return " ".join([words.get(kind, "anything"), ", ".join(bounds)]).strip()

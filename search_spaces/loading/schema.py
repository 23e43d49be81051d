"""JSON schemas of what people write: a study's YAML file and a cell's, for editors and for other programs.

They say what can be said of a file alone: names, kinds, ranges. That a value fits its family, or a space its search, is
checked when the file is read. `search_spaces/schemas/` holds both as files.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search_spaces.search import SCHEDULERS
from search_spaces.space import WORDS
from search_spaces.study import BLOCK_KEYS, DURATION, Study
from trainables.cell import Cell

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FILES = Path(__file__).parents[1] / "schemas"
SCHEMA_KEY = "$schema"
"""Key of a file that names its schema, for editors; it says nothing of the study."""

_WORDS = ("Grid", "Choice", "Range")
_AT = "#/$defs/"


def cell_schema() -> Schema:
    """Of a cell's file, as `trial` takes it."""
    found = _short_names(Cell.model_json_schema())
    found["required"] = ["family", "policy"]
    return _whole(found, "Cell", "One recursion: a family, a policy, sizes and a seed.")


def study_schema() -> Schema:
    """Of a study's file, as `run` takes it."""
    found, cell = _short_names(Study.model_json_schema()), _short_names(Cell.model_json_schema())
    parts: Schema = {name: part for name, part in found["$defs"].items() if name not in _WORDS}
    block = parts["Block"]["properties"]
    block["cell"] = {"$ref": f"{_AT}Cell", "description": block["cell"]["description"]}
    _take_short_forms(parts)
    found["$defs"] = _with_words(parts | _relaxed(cell["$defs"])) | {"Cell": _partial(cell), "Word": _word()}
    found["properties"] |= {name: parts["Block"]["properties"][name] for name in BLOCK_KEYS}
    found["properties"] = _with_words(found["properties"])
    found.pop("required")
    own = [{"required": [name]} for name in BLOCK_KEYS]
    found["oneOf"] = [
        {"required": ["cell"], "not": {"required": ["blocks"]}},
        {"required": ["blocks"], "not": {"anyOf": own}},
    ]
    return _whole(found, "Study", "What to run: base cells, spaces around them, and searches through these.")


SCHEMAS: dict[str, Callable[[], Schema]] = {"cell": cell_schema, "study": study_schema}
"""What there is a schema of."""


def schema_text(what: str) -> str:
    """A schema as its file has it."""
    return json.dumps(SCHEMAS[what](), indent=1, ensure_ascii=False) + "\n"


def _whole(found: Schema, title: str, text: str) -> Schema:
    own = {"type": "string", "description": "Where this schema lies, for editors."}
    properties = {SCHEMA_KEY: own, **found["properties"]}
    return {"$schema": DIALECT} | found | {"title": title, "description": text, "properties": properties}


def _short_names(schema: Schema) -> Schema:
    """Classes of equal names told apart by their package, where pydantic takes their whole path."""
    text = json.dumps(schema)
    for name in schema["$defs"]:
        parts = name.split("__")
        if len(parts) > 2:
            text = text.replace(name, f"{parts[-3].title()}{parts[-1]}")
    short: Schema = json.loads(text)
    return short


def _relaxed(parts: Schema) -> Schema:
    """Families, policies and sources of which a space may say the rest: only `kind` is needed."""
    relaxed: Schema = copy.deepcopy(parts)
    for part in relaxed.values():
        part["required"] = [name for name in part.get("required", ()) if name == "kind"]
    return relaxed


def _partial(cell: Schema) -> Schema:
    """A base cell: a space may set any of it."""
    properties = copy.deepcopy(cell["properties"])
    for name in ("family", "policy"):
        some = {"type": "object", "not": {"required": ["kind"]}}
        properties[name] = {"anyOf": [*properties[name].pop("oneOf"), some], **properties[name]}
    text = "Fields that every cell has; what a family finds sensible stands where they are left out."
    return {"type": "object", "description": text, "properties": properties, "additionalProperties": False}


def _word() -> Schema:
    """A word of a space: one key, and for which values of other paths it applies."""
    words: Schema = {word: {"type": "array", "minItems": 1} for word in ("grid", "grid_search", "choice")}
    for word in (word for word in WORDS if word not in words):
        bounds = ["low", "high", "step"][: 3 if word.startswith("q") else 2]
        sized = {"minItems": len(bounds), "maxItems": len(bounds)}
        words[word] = {"type": "array", "items": {"type": "number"}, **sized, "description": f"[{', '.join(bounds)}]"}
    one = [{"required": [word]} for word in words]
    words["when"] = {"type": "object", "description": "Values of other paths for which the word applies."}
    return {"type": "object", "properties": words, "additionalProperties": False, "oneOf": one}


def _with_words(value: Any) -> Any:
    """Words as YAML has them, in place of the classes that hold them."""
    if isinstance(value, list):
        return [_with_words(held) for held in value]
    if not isinstance(value, dict):
        return value
    if [one.get("$ref") for one in value.get("anyOf", ()) if isinstance(one, dict)] == [_AT + name for name in _WORDS]:
        return {"$ref": f"{_AT}Word"}
    return {key: _with_words(held) for key, held in value.items()}


def _take_short_forms(parts: Schema) -> None:
    """A name for a mapping of its kind alone; texts for durations and sizes."""
    parts["Block"]["properties"]["scheduler"]["anyOf"].append({"enum": list(SCHEDULERS)})
    for name in ("OptunaSearch", "FalsifySearch"):
        sampler = parts[name]["properties"]["sampler"]
        kinds = [parts[one["$ref"].removeprefix(_AT)]["properties"]["kind"]["const"] for one in sampler["oneOf"]]
        sampler["anyOf"] = [*sampler.pop("oneOf"), {"enum": kinds}]
    duration = {"type": "string", "pattern": f"^{DURATION.pattern}$"}
    parts["StudyBudget"]["properties"]["wall_time"]["anyOf"].append(duration)
    parts["Resources"]["properties"]["memory"]["anyOf"].append({"type": "string", "description": "as in 2GiB"})

"""Frozen, tagged configs and the registries that name them.

A config bears identity and nothing else: no path, device or worker count. `kind` tells configs of one
registry apart, so that two different classes with equal fields can never share a key.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union

from pydantic import BaseModel, ConfigDict, Discriminator, GetJsonSchemaHandler, Tag, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails


class Config(BaseModel):
    """Base of every config: frozen, refuses unknown keys and non-finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    def canonical(self) -> dict[str, Any]:
        """Plain JSON data that holds every field, defaults included."""
        return self.model_dump(mode="json")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema with what docstrings say, and with `kind`, which tells configs apart, never left out."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        fields = schema.get("properties", {})
        said = meanings(cls)
        for name, field in fields.items():
            if name in said:
                field.setdefault("description", said[name])
        schema["description"] = schema.get("description", "").partition("\n\nAttributes:")[0]
        if "const" in fields.get("kind", {}):
            schema["required"] = sorted({*schema.get("required", ()), "kind"})
        return schema


def meanings(config: type[BaseModel]) -> dict[str, str]:
    """What every field means, by name, from `Attributes:` of the docstrings of a config and of its bases."""
    said: dict[str, str] = {}
    for cls in reversed(config.__mro__):
        for names, text in _attributes(inspect.getdoc(cls) if "__doc__" in vars(cls) else None):
            said |= dict.fromkeys(names, text)
    return said


def _attributes(doc: str | None) -> Iterator[tuple[list[str], str]]:
    """Names and text of each entry of a docstring's `Attributes:`."""
    _, found, rest = (doc or "").partition("Attributes:\n")
    block = itertools.takewhile(lambda line: not line or line.startswith("    "), rest.splitlines())
    text = textwrap.dedent("\n".join(block)) if found else ""
    for entry in re.split(r"\n(?=\S)", text):
        names, colon, meaning = entry.partition(": ")
        if colon and re.fullmatch(r"[\w, ]+", names):
            yield [name.strip() for name in names.split(",")], " ".join(meaning.split())


class Registry:
    """Names of one kind of thing (families, policies, sources), each with the class that configures it.

    Args:
        noun: what is registered, in the singular, for messages.
        entries: kind -> "module:Class"; modules are imported when first asked for.
    """

    def __init__(self, noun: str, entries: Mapping[str, str]) -> None:
        self.noun = noun
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, kind: object) -> bool:
        return kind in self._entries

    def get(self, kind: str) -> type[Any]:
        """The config class named `kind`.

        Raises:
            ValueError: no such kind; the message lists the kinds and the nearest one.
        """
        if kind not in self._entries:
            raise ValueError(f"unknown {self.noun} {kind!r}{did_you_mean(kind, self._entries)}")
        module, _, name = self._entries[kind].partition(":")
        cls: type[Any] = getattr(importlib.import_module(module), name)
        return cls

    def union(self, but: Collection[str] = ()) -> Any:
        """A pydantic type that parses any registered config by its `kind`, `but` some kinds."""
        members = tuple(Annotated[self.get(kind), Tag(kind)] for kind in self if kind not in but)
        return Annotated[Union[members], Discriminator(_kind_of)]  # noqa: UP007 - built at run time


def _kind_of(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get("kind")
    return getattr(value, "kind", None)


def did_you_mean(word: str, known: Sequence[str] | Mapping[str, Any] | Iterator[str]) -> str:
    """The tail of a "no such name" message: the nearest known name, and all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{hint} (known: {', '.join(names)})"


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def canonical_json(value: Any) -> str:
    """The one JSON text of plain data: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: a number is not finite.
        TypeError: something has no JSON form.
    """
    return _ENCODER.encode(value)


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """One line for a pydantic error: dotted place, what is wrong there, what would be right.

    Args:
        error: what validating raised.
        root: the class that was being validated, to find the names that would be right.
    """
    # a misspelt key is often reported as a missing one too: the misspelling says more
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    place, model = _walk(root, first["loc"])
    message = _message(first, model)
    field, colon, rest = message.partition(": ")
    if place and colon and field.split(".")[0] in (model.model_fields if model else {}):
        place, message = f"{place}.{field}", rest  # a model's own validator names its field itself
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{place}: {message}{more}" if place else f"{message}{more}"


def _message(error: ErrorDetails, model: type[BaseModel] | None) -> str:
    """What is wrong, in one line. `model` holds the place."""
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return "unknown key" + did_you_mean(str(error["loc"][-1]), model.model_fields if model else [])
        case "union_tag_invalid":
            known = [tag.strip("' ") for tag in str(context["expected_tags"]).split(",")]
            return f"unknown kind {context['tag']!r}{did_you_mean(str(context['tag']), known)}"
        case "union_tag_not_found":
            word = error["input"]
            return f"needs a mapping with the key `kind`, as in {{kind: {word if isinstance(word, str) else '…'}}}"
        case "missing":
            return "missing"
        case "value_error":
            return str(error["msg"]).removeprefix("Value error, ")
        case "model_type" | "dict_type":
            return f"must be a mapping of keys to values, not {error['input']!r}"
        case "tuple_type":
            return f"must be a list, not {error['input']!r}"
        case "too_short":
            return f"needs at least {context['min_length']} entry, and has {context['actual_length']}"
    message = f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return message if isinstance(error["input"], (dict, list, BaseModel)) else f"{message}, not {error['input']!r}"


def _walk(root: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[str, type[BaseModel] | None]:
    """The dotted path of `loc` without the tags pydantic inserts, and the model that its last names belong to."""
    parts: list[str] = []
    model: type[BaseModel] | None = root
    annotation: Any = root
    for part in loc:
        tagged = _tagged(annotation, part)
        if tagged is not None:
            annotation = model = tagged
            continue
        parts.append(str(part))
        if isinstance(part, int):  # an item of a sequence
            annotation = next(iter(getattr(annotation, "__args__", ())), annotation)
        elif model is not None and part in model.model_fields:
            annotation = model.model_fields[part].annotation
        model = _model_in(annotation) or model
    return ".".join(parts), model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The one model that `annotation` is, or is besides None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = {model for model in map(_model_in, getattr(annotation, "__args__", ())) if model}
    sequence = getattr(annotation, "__origin__", None) in (tuple, list, dict)
    return found.pop() if len(found) == 1 and not sequence else None


def _tagged(annotation: Any, tag: int | str) -> type[BaseModel] | None:
    """The member that `tag` names, where `annotation` is a union built by `Registry.union`."""
    for member in getattr(annotation, "__args__", ()):
        found = _tagged(member, tag)
        if found is not None:
            return found
        for meta in getattr(member, "__metadata__", ()):
            if isinstance(meta, Tag) and meta.tag == tag:
                origin: type[BaseModel] = member.__origin__
                return origin
    return None

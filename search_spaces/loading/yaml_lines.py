"""YAML with places: every mapping key and list item with the line it stands on, so that errors can name it."""

from __future__ import annotations

from typing import Any

import yaml

from search_spaces.errors import StudyError

Path = tuple[str, ...]

DEEPEST, LARGEST = 50, 100_000
"""Of a document: an alias may stand for itself, or for so much that writing it out never ends."""


class _Loader(yaml.SafeLoader):
    """Safe YAML whose truth values are `true` and `false` alone, as in YAML 1.2: `on`, `off`, `yes` and `no` are words,
    so that `require_power: {on: gap}` has the key it shows.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str, name: str) -> tuple[Any, dict[Path, int]]:
    """The document as plain data, and the line of every path in it. Only safe YAML is read.

    Raises:
        StudyError: it is not YAML, or a mapping has a key twice.
    """
    lines: dict[Path, int] = {}
    try:
        node = yaml.compose(text, Loader=_Loader)
        if node is not None:
            _walk(node, (), lines, name)
        return _Loader(text).get_single_data(), lines
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise StudyError(f"{name}:{line}: not valid YAML: {problem.problem or problem.context}") from None
    except StudyError:
        raise
    except ValueError as problem:  # a date that is none, a number of thousands of digits, a tag that does not fit
        raise StudyError(f"{name}: not valid YAML: {str(problem).splitlines()[0]}") from None
    except RecursionError:
        raise StudyError(f"{name}: nested too deeply") from None
    except yaml.YAMLError as problem:
        raise StudyError(f"{name}: not valid YAML: {str(problem).splitlines()[0]}") from None


def line_of(place: str, lines: dict[Path, int]) -> int | None:
    """The line of the longest known beginning of a dotted place; keys may hold dots themselves."""
    best: tuple[int, int] | None = None
    for path, line in lines.items():
        known = ".".join(path)
        if (place == known or place.startswith(known + ".")) and (best is None or len(known) > best[0]):
            best = (len(known), line)
    return best[1] if best else None


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> None:
    if len(path) > DEEPEST or len(lines) > LARGEST:
        raise StudyError(
            f"{name}:{node.start_mark.line + 1}: more than {DEEPEST} levels or {LARGEST:,} entries, "
            "its aliases written out"
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word = str(key.value)
            line = key.start_mark.line + 1
            if word in seen and word != "<<":
                raise StudyError(f"{name}:{line}: the key {word!r} stands twice in one mapping")
            seen.add(word)
            lines[(*path, word)] = line
            _walk(value, (*path, word), lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*path, str(number))] = item.start_mark.line + 1
            _walk(item, (*path, str(number)), lines, name)

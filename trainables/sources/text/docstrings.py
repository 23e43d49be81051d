"""What the functions of Python's standard library say of themselves: a second text that needs no download."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from trainables.sources.text.base import ALL, Pair, TextSource, digest_of

LEFT_OUT = ("_", "idlelib", "test", "turtledemo")
"""Modules whose names begin so are no reading matter."""


class Docstrings(TextSource):
    """Docstrings of the modules, classes and functions of Python's standard library, those of its packages left out.

    A document is a paragraph, its line breaks and indentation joined to single spaces. With `pairs` it is a function's
    signature, the prompt, and the first paragraph of what it says, the response. The digest covers the text, which
    differs between Python versions.
    """

    kind: Literal["docstrings"] = "docstrings"
    pairs: bool = Field(default=False, exclude_if=lambda pairs: not pairs)

    @property
    def paired(self) -> bool:
        return self.pairs

    def digest(self) -> str:
        return _digest(self.pairs)

    def read(self) -> Mapping[str, Iterable[str]]:
        return {ALL: _documents(self.pairs)}


@cache
def _digest(pairs: bool) -> str:
    """Taken once a process: the text is part of the interpreter."""
    return digest_of(_documents(pairs))


@cache
def _documents(pairs: bool) -> tuple[str, ...]:
    return tuple(_pairs() if pairs else _paragraphs())


def _paragraphs() -> Iterator[str]:
    for _, text in _said():
        for paragraph in text.split("\n\n"):
            yield " ".join(paragraph.split())


def _pairs() -> Iterator[Pair]:
    for node, text in _said():
        response = " ".join(text.split("\n\n")[0].split())
        if isinstance(node, ast.FunctionDef) and response:
            yield Pair.of(f"def {node.name}({', '.join(argument.arg for argument in node.args.args)}): ", response)


def _said() -> Iterator[tuple[Any, str]]:
    """Nodes that have a docstring, and it, in the order of files and lines."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        if not path.name.startswith(LEFT_OUT):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
                    yield node, text

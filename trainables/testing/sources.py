"""What every source of real data must do: be plain data, told by content and by how it is read, never by place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from pydantic import ValidationError

from trainables.sources.images import ImageSource
from trainables.sources.molecules import MoleculeSource
from trainables.sources.text import TextSource

AnySource = ImageSource | MoleculeSource | TextSource


@dataclass(frozen=True)
class SourceBench:
    """A source at work.

    Attributes:
        source: one that can be read here, small.
        moved: the same content at another place, where the source has a place.
        others: sources that read something else: other bytes, or the same bytes read another way. Each differs from
            `source` in one thing, and together they should cover every field that shapes what is read.
    """

    source: AnySource
    moved: AnySource | None = None
    others: tuple[AnySource, ...] = ()


def what_is_read(source: AnySource) -> str:
    """32 hex digits of everything that a family would be given."""
    total = hashlib.sha256()
    for part in _parts(source):
        total.update(part)
        total.update(b"\x00")
    return total.hexdigest()[:32]


def _parts(source: AnySource) -> Iterable[bytes]:
    if isinstance(source, TextSource):
        for split, texts in source.read().items():
            yield split.encode()
            yield from (text.encode("utf-8", "surrogatepass") for text in texts)
    elif isinstance(source, ImageSource):
        for split, found in source.read().items():
            pixels = found.pixels.array()
            yield f"{split} {pixels.shape}".encode() + np.ascontiguousarray(pixels).tobytes()
            yield str(None if found.labels is None else [str(label) for label in found.labels]).encode()
    else:
        rows = source.load().rows
        arrays = (rows.molecule, rows.atoms, rows.z, rows.charge, rows.positions, rows.edges, rows.bonds)
        yield from (np.ascontiguousarray(array).tobytes() for array in arrays)


def source_is_plain_data(bench: SourceBench) -> None:
    """A config is frozen, survives JSON and refuses unknown keys."""
    source = bench.source
    plain = cast("Mapping[str, Any]", json.loads(json.dumps(source.canonical(), allow_nan=False)))
    assert type(source).model_validate(plain) == source
    with pytest.raises(ValidationError, match="frozen"):
        setattr(source, "kind", "other")  # noqa: B010 - an assignment would not type-check
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(source).model_validate({**plain, "no_such_key": 1})


def source_reads_the_same_again(bench: SourceBench) -> None:
    """Nothing is drawn, and nothing depends on what was read before."""
    twin = type(bench.source).model_validate(bench.source.canonical())
    assert what_is_read(bench.source) == what_is_read(twin)
    assert bench.source.identity() == twin.identity()


def source_identity_has_a_json_form(bench: SourceBench) -> None:
    """It goes into lineage keys."""
    assert json.loads(json.dumps(bench.source.identity(), allow_nan=False)) == bench.source.identity()


def source_is_told_by_content(bench: SourceBench) -> None:
    """The same content elsewhere is the same source."""
    if bench.moved is not None:
        assert bench.moved != bench.source
        assert what_is_read(bench.moved) == what_is_read(bench.source)
        assert bench.moved.identity() == bench.source.identity()


def source_tells_apart_what_differs(bench: SourceBench) -> None:
    """Whatever is read differently has another identity, so that no store gives one the other's numbers."""
    known = {json.dumps(bench.source.identity(), sort_keys=True): what_is_read(bench.source)}
    for other in bench.others:
        read, name = what_is_read(other), json.dumps(other.identity(), sort_keys=True)
        assert read != what_is_read(bench.source), f"{other!r} reads nothing else: it tests nothing"
        assert known.setdefault(name, read) == read, f"{other!r} has another's identity"


SOURCE_CHECKS: tuple[Callable[[SourceBench], None], ...] = (
    source_is_plain_data,
    source_reads_the_same_again,
    source_identity_has_a_json_form,
    source_is_told_by_content,
    source_tells_apart_what_differs,
)
"""Functions of a source's bench."""

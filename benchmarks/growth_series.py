"""Which curves of cost are measured, and how fast each has to grow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

QUANTITIES = ("seconds", "memory", "disk")
UNITS = {"seconds": "s", "memory": "MiB", "disk": "MiB"}

ACCUMULATE, REPLACE = {"policy": {"kind": "accumulate"}}, {"policy": {"kind": "replace"}}
LINEAR = {"family": {"kind": "linear", "dim": 20}, "rows": 1000, "replicates": 100, "generations": 5}
GAUSSIAN = {"family": {"kind": "gaussian", "dim": 20}, "rows": 1000, "replicates": 100, "generations": 5}
DISCRETE = {"family": {"kind": "discrete", "categories": 1000}, "rows": 1000, "replicates": 100, "generations": 5}
KDE = {"family": {"kind": "kde"}, "rows": 200, "replicates": 20, "generations": 5}
TEXT = {"kind": "language", "architecture": "llama", "epochs": 1.0, "batch": 16, "sample_rows": 0, "test_rows": 64}
LANGUAGE = {"family": TEXT | {"size": "0.1M"}, "rows": 100, "generations": 2}
LEAST = {"seconds": 0.02, "memory": 4.0, "disk": 0.02}
"""What is too little to tell from chance: a series whose largest value is below has no exponent."""


@dataclass(frozen=True)
class Series:
    """A cost against one size.

    Attributes:
        axis: the size that varies.
        name: what is run.
        xs: its values, rising.
        kind: how a point is measured.
        points: what is measured, one for each value.
        expected: the exponent that a quantity has to have at large sizes, by quantity; one that is left out says
            nothing of the product.
    """

    axis: str
    name: str
    xs: tuple[float, ...]
    kind: str
    points: tuple[dict[str, Any], ...]
    expected: Mapping[str, float] = field(default_factory=dict)


def series(full: bool) -> list[Series]:
    """All curves; the quick form has fewer and shorter ones."""
    return [*_generations(full), *_rows(full), *_sizes(full), *_cells(full), *_trials(full)]


def _cells_of(
    axis: str, name: str, base: Mapping[str, Any], path: str, xs: tuple[Any, ...], scales: Mapping[str, float],
    shown: tuple[float, ...] | None = None,
) -> Series:  # fmt: skip
    """A series of recursions of which one field, "family.…" or the cell's own, varies."""
    points = []
    for x in xs:
        of_family = path.startswith("family.")
        change = {"family": dict(base["family"]) | {path.removeprefix("family."): x}} if of_family else {path: x}
        points.append(dict(base) | change)
    return Series(axis, name, shown or tuple(float(x) for x in xs), "cell", tuple(points), scales)


def _generations(full: bool) -> list[Series]:
    xs, axis = ((1, 2, 5, 10, 20, 50) if full else (5, 15, 50)), "generations"
    closed = {"linear": LINEAR, "gaussian": GAUSSIAN, "discrete": DISCRETE}
    one = {"seconds": 1.0, "memory": 0.0, "disk": 1.0}
    found = [_cells_of(axis, n, base | ACCUMULATE, axis, xs, one) for n, base in closed.items()]
    pooled = {"seconds": 2.0, "memory": 1.0, "disk": 2.0}
    found.append(_cells_of(axis, "kde, accumulate", KDE | ACCUMULATE, axis, xs, pooled))
    text = LANGUAGE | {"rows": 50}
    short = (2, 5, 12)
    found.append(_cells_of(axis, "language, replace", text | REPLACE, axis, xs if full else short, one))
    pool = (1, 2, 5, 10, 20) if full else short
    found.append(_cells_of(axis, "language, accumulate", text | ACCUMULATE, axis, pool, one | {"seconds": 2.0}))
    return found


def _rows(full: bool) -> list[Series]:
    axis = "rows"
    xs = (10**3, 10**4, 10**5, 10**6, 10**7) if full else (10**3, 10**5, 10**7)
    none = dict.fromkeys(QUANTITIES, 0.0)
    closed = {"linear": LINEAR, "gaussian": GAUSSIAN, "discrete": DISCRETE}
    found = [_cells_of(axis, n, base | ACCUMULATE, axis, xs, none) for n, base in closed.items()]
    some = (100, 300, 1000, 3000, 10_000) if full else (100, 1000, 5000)
    one = dict.fromkeys(QUANTITIES, 1.0)
    kde = KDE | ACCUMULATE | {"replicates": 5, "generations": 3}
    found.append(_cells_of(axis, "kde", kde, axis, some, one))
    found.append(_language_rows(full, one))
    if full:
        vae = {"family": {"kind": "vae", "epochs": 4.0}, "generations": 2} | REPLACE
        found.append(_cells_of(axis, "vae, digits", vae, axis, (100, 200, 400, 800), one))
        few = {"epochs": 4.0, "sampling_steps": 10, "test_molecules": 20, "judged_molecules": 4}
        molecules = {"family": {"kind": "diffusion"} | few, "generations": 2} | REPLACE
        found.append(_cells_of(axis, "diffusion, nci", molecules, axis, (20, 40, 80, 160), one))
    return found


def _language_rows(full: bool, expected: Mapping[str, float]) -> Series:
    """Counted in tokens, 64 a row. Without a file of text at hand, what Python's own documentation holds."""
    rows: tuple[int, ...] = (16, 64, 256, 1024) if full else (16, 128, 1024)
    family = dict(LANGUAGE["family"])
    file = Path(os.environ.get("COLLAPSE_SWEEP_DATA", ".")) / "text" / "tinystories-train.txt"
    if full and file.exists():
        family["source"] = {"kind": "text", "path": str(file), "separator": "<|endoftext|>"}
        rows = (*rows, 4096, 15_625)
    tokens = tuple(64.0 * count for count in rows)
    return _cells_of(
        "rows", "language (tokens)", LANGUAGE | REPLACE | {"family": family}, "rows", rows, expected, tokens
    )


def _sizes(full: bool) -> list[Series]:
    from trainables.families.language.config import LanguageConfig

    axis, one = "model size", dict.fromkeys(QUANTITIES, 1.0)
    names = ("0.1M", "0.4M", "1M", "2M", "5M") if full else ("0.1M", "0.4M", "2M")
    parameters = tuple(float(LanguageConfig.model_validate(TEXT | {"size": name}).parameters) for name in names)
    found = [_cells_of(axis, "language (parameters)", LANGUAGE | REPLACE, "family.size", names, one, parameters)]
    dims = (10, 30, 100, 200) if full else (10, 40, 160)
    solved = {"seconds": 3.0, "memory": 2.0, "disk": 1.0}
    linear = LINEAR | ACCUMULATE | {"replicates": 50, "rows": 10_000}
    found.append(_cells_of(axis, "linear (dim)", linear, "family.dim", dims, solved))
    moments = {"seconds": 3.0, "memory": 2.0, "disk": 2.0}
    found.append(_cells_of(axis, "gaussian (dim)", GAUSSIAN | ACCUMULATE, "family.dim", dims, moments))
    categories = (10**2, 10**3, 10**4, 10**5) if full else (10**2, 10**3, 10**4)
    discrete = DISCRETE | ACCUMULATE | {"rows": 10**6, "replicates": 20}
    found.append(_cells_of(axis, "discrete (categories)", discrete, "family.categories", categories, one))
    return found


def _cells(full: bool) -> list[Series]:
    xs = (10, 50, 200, 1000, 2000) if full else (10, 100, 1000)
    points = tuple({"cells": count, "generations": 4, "workers": 64} for count in xs)
    name = "driver (64 trials at once, simulated)"
    return [Series("cells", name, tuple(map(float, xs)), "driver", points, {"seconds": 1.0, "memory": 1.0})]


def _trials(full: bool) -> list[Series]:
    axis, xs = "trials at once", (1, 2, 8, 64, 256) if full else (1, 8, 64)
    points = tuple({"cells": 500, "generations": 4, "workers": count} for count in xs)
    flat = dict.fromkeys(QUANTITIES, 0.0)
    driver = {"seconds": 0.0, "memory": 0.0}
    found = [Series(axis, "driver (500 cells, simulated)", tuple(map(float, xs)), "driver", points, driver)]
    alone = tuple({"trials": count} for count in (1, 2))
    found.append(Series(axis, "matrix products (the machine's own)", (1.0, 2.0), "products", alone, {"seconds": 0.0}))
    for name, base in (("linear", LINEAR | ACCUMULATE), ("language", LANGUAGE | REPLACE)):
        both = tuple({"cell": base, "trials": count} for count in (1, 2))
        found.append(Series(axis, f"{name} (mean of a trial)", (1.0, 2.0), "together", both, flat))
    return found

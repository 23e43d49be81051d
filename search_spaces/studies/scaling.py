"""`scaling/<family>`: loss against size and rows, per policy and generation; what the scaling laws of a report fit."""

from __future__ import annotations

from typing import Any

from search_spaces.ladder import FixedRows, Settings, ladder
from search_spaces.studies.laptop import REPLACE_ACCUMULATE, SEEDS
from search_spaces.study import Block, Study


def scaling_language() -> Study:
    """Llamas of four sizes, each on three amounts of text: does the exponent or the floor move with the generation
    (definition 5)?"""
    sizes: list[Settings] = [{"size": size} for size in ("0.1M", "0.4M", "1M", "2M")]
    cell: dict[str, Any] = {"family": {"kind": "language", "architecture": "llama"}, "generations": 4}
    return _scaling("language", cell, sizes, (150, 300, 600))


def scaling_vae() -> Study:
    """Autoencoders of digits at four widths, each on three amounts of images."""
    sizes: list[Settings] = [{"width": width} for width in (4, 8, 16, 32)]
    return _scaling("vae", {"family": {"kind": "vae"}, "generations": 5}, sizes, (250, 500, 1000))


def _scaling(name: str, cell: dict[str, Any], sizes: list[Settings], amounts: tuple[int, ...]) -> Study:
    steps = [step for rows in amounts for step in ladder(cell["family"], sizes, FixedRows(n=rows))]
    return Study(
        name=f"scaling/{name}",
        description=f"{name}: loss against size and rows, per policy and generation",
        blocks=tuple(_block(cell, step) for step in steps),
    )


def _block(cell: dict[str, Any], step: Settings) -> Block:
    """One rung: a size and its rows, under both policies, with three seeds."""
    family = {path.removeprefix("family."): value for path, value in step.items() if path != "rows"}
    rung = cell | {"family": cell["family"] | family, "rows": step["rows"]}
    return Block(cell=rung, space={"policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS})

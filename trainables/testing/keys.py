"""Whether a family's fields change the keys of what they can change, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from trainables.cell import Cell
from trainables.families import FamilyConfig
from trainables.steps import Steps
from trainables.testing.bench import Bench


def family_keys_follow_roles(bench: Bench) -> None:
    """Changing a field changes the keys of what it can change, and no other."""
    before = Steps(bench.cell)
    for name, cell in variants(bench.cell):
        after, config = Steps(cell), cell.family
        moved = {
            "data": after.batch(0).key != before.batch(0).key,
            "model": after.step(1).model != before.step(1).model,
            "sampling": after.batch(1).key != before.batch(1).key,
            "record": after.step(1).record != before.step(1).record,
        }
        order = ["data", "model", "sampling", "record"]
        role = {"data": config.data_fields, "sampling": config.sampling_fields, "record": config.evaluation_fields}
        first = next((r for r, names in role.items() if name in names), "model")
        expected = {step: order.index(step) >= order.index(first) for step in order}
        assert moved == expected, f"{name} is a {first} field"


def variants(cell: Cell) -> Iterator[tuple[str, Cell]]:
    """The cell with one family field changed at a time, where another valid value can be guessed."""
    config = cell.family
    for name in type(config).model_fields:
        if name == "kind":
            continue
        for value in _guesses(config, name):
            try:
                changed = type(config).model_validate(config.canonical() | {name: value})
                changed.check(cell.rows, cell.replicates)
            except ValueError:
                continue
            if getattr(changed, name) != getattr(config, name):
                yield name, cell.model_copy(update={"family": changed})
                break


def _guesses(config: FamilyConfig, name: str) -> list[Any]:
    """Other values that the field might take."""
    value, annotation = getattr(config, name), type(config).model_fields[name].annotation
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, (int, float)):
        return [value + 1, value * 2, value / 2, value - 1]
    if get_origin(annotation) is Literal:
        return [other for other in get_args(annotation) if other != value]
    return [1, 0.5, None] if value is None else []

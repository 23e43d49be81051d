"""Whether a family's fields change the keys of what they can change, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import numpy as np

from trainables.cell import Cell
from trainables.families import Family, FamilyConfig
from trainables.recursion import Recursion, Steps
from trainables.store import MemoryStore
from trainables.testing.bench import Bench, content

MOVES = {
    "data": {"data", "model", "batch", "record", "judge"},
    "model": {"model", "batch", "record", "judge"},
    "sampling": {"batch", "record", "judge"},
    "evaluation": {"record"},
    "judge": {"judge"},
    "start": set(),
}
"""What a field of each role may change of generation 1, with no checkpoint: real rows, models, synthetic batches,
records, who scores rows."""


def family_keys_follow_roles(bench: Bench) -> None:
    """Changing a field changes the keys of what it can change, and no other; the cell's key always."""
    before = _keys(bench.cell)
    for name, cell in variants(bench.cell):
        after, config = _keys(cell), cell.family
        roles = {role: getattr(config, f"{role}_fields") for role in MOVES if role != "model"}
        role = next((role for role, names in roles.items() if name in names), "model")
        moved = {thing for thing in before if after[thing] != before[thing]}
        assert moved == MOVES[role], f"{name} is a {role} field"
        assert cell.key != bench.cell.key, name


def family_results_follow_roles(bench: Bench) -> None:
    """What a field's role says it leaves alone, it does: equal keys never name different rows or weights."""
    config = bench.cell.family
    late = config.sampling_fields | config.evaluation_fields | config.judge_fields
    for name, cell in variants(bench.cell):
        if name in config.data_fields:
            continue
        other = Recursion(cell, MemoryStore())
        assert content(other.batch(other.steps.batch(0))) == content(bench.real), f"{name} changes real rows"
        if name in late:
            assert content(other.model(1)) == content(bench.model), f"{name} changes the model"
        if name in late - config.sampling_fields:
            assert content(other.batch(other.steps.batch(1))) == content(bench.synthetic), f"{name} changes samples"
        if name in config.evaluation_fields and "score" in config.abilities:
            assert np.array_equal(_scores(other.family, bench), _scores(bench.family, bench)), f"{name} changes scores"


def _scores(family: Family, bench: Bench) -> np.ndarray:
    """What the family gives batch 1, by model 1 and by a judge of its own."""
    stream = bench.stream("score")
    reference = family.judge("reference", bench.real, None, stream)
    judges = {"first": bench.model, "reference": reference}
    return np.stack([family.score(kind, judge, bench.synthetic, stream) for kind, judge in judges.items()])


def _keys(cell: Cell) -> dict[str, str]:
    """Keys of generation 1 and what it leads to."""
    steps = Steps(cell)
    first = steps.step(1)
    return {
        "data": steps.batch(0).key,
        "model": first.model,
        "batch": steps.batch(1).key,
        "record": first.record,
        "judge": steps.judge_key("reference"),
    }


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

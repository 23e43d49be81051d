"""From `tune_first` to cells: what is tried for each size, and the study in which the chosen values are frozen."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from search_spaces.errors import StudyError
from search_spaces.expansion.points import Values, build, combinations, place, put
from search_spaces.space import Grid
from search_spaces.study import Block, Study
from trainables.cell import Cell

APART = ("policy", "fork", "seed", "generations")
"""Parts of a cell that are not its size: all of them share one tuned setting."""


@dataclass(frozen=True)
class Trial:
    """One setting of one size: its values, and a recursion of one generation for each tuning seed."""

    values: Values
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Tuning:
    """What is tried for one size of one block."""

    block: int
    size: Values
    trials: tuple[Trial, ...]


def tunings(study: Study) -> list[Tuning]:
    """Every size that is tuned, with its trials.

    Raises:
        StudyError: a trial's cell can't be, or there are too few seeds.
    """
    found = []
    for number, block in enumerate(study.blocks):
        if block.tune_first is not None:
            settings, seeds = block.tune_first.settings(block.space), _seeds(study, number)
            base = _with_block(study, number, {"cell": _first_generation(block)})
            for size in _sizes(study, number):
                trials = (
                    Trial(values, tuple(build(base, number, size | values | {"seed": seed}) for seed in seeds))
                    for values in settings
                )
                found.append(Tuning(number, size, tuple(trials)))
    return found


def frozen(study: Study, chosen: Sequence[tuple[Tuning, Values]]) -> Study:
    """The study with one block for each tuned size, its values set. Sizes without chosen values are left out."""
    blocks: list[Block] = []
    for number, block in enumerate(study.blocks):
        if block.tune_first is None:
            blocks.append(block)
            continue
        own = [(tuning, values) for tuning, values in chosen if tuning.block == number]
        blocks += [_frozen(block, tuning.size | values, len(own) == 1) for tuning, values in own]
    return study.model_copy(update={"blocks": tuple(blocks)})


def _frozen(block: Block, values: Values, only: bool) -> Block:
    cell: dict[str, Any] = copy.deepcopy(block.cell)
    for path in sorted(values, key=lambda path: path.count(".")):
        put(cell, path, values[path])
    space = {path: word for path, word in block.space.items() if _apart(path)}
    return block.model_copy(
        update={"cell": cell, "space": space, "tune_first": None, "name": block.name if only else ""}
    )


def _sizes(study: Study, number: int) -> list[Values]:
    block = study.blocks[number]
    tuned = block.tune_first.words(block.space) if block.tune_first else {}
    space = {path: word for path, word in block.space.items() if not _apart(path) and path not in tuned}
    return combinations(_with_block(study, number, {"space": space}), number, {})


def _seeds(study: Study, number: int) -> list[int]:
    block = study.blocks[number]
    word, wanted = block.space.get("seed"), block.tune_first.seeds if block.tune_first else 1
    seeds = list(word.values) if isinstance(word, Grid) else [block.cell.get("seed", 0)]
    if wanted > len(seeds):
        raise StudyError(f"{place(study, number)}tune_first.seeds: {wanted}, but the block has {len(seeds)}")
    return seeds[:wanted]


def _first_generation(block: Block) -> dict[str, Any]:
    """The base cell as it is before policies part."""
    shared = {name: value for name, value in block.cell.items() if name not in APART}
    return shared | {"policy": {"kind": "replace"}, "generations": 1}


def _with_block(study: Study, number: int, changes: dict[str, Any]) -> Study:
    blocks = list(study.blocks)
    blocks[number] = blocks[number].model_copy(update=changes)
    return study.model_copy(update={"blocks": tuple(blocks)})


def _apart(path: str) -> bool:
    return path.split(".")[0] in APART

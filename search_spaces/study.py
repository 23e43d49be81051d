"""`Study`: what is asked. One or more blocks, each a base cell, a space around it and a search through that space."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from search_spaces.resources import Resources
from search_spaces.search import (
    SCHEDULERS,
    SEARCHES,
    GridSearch,
    SchedulerConfig,
    SearchConfig,
    TuneFirst,
    by_name,
    check_scheduler,
)
from search_spaces.space import Word, conditions
from trainables.cell import Cell
from trainables.config import Config

if TYPE_CHECKING:
    AnySearch = SearchConfig
    AnyScheduler = SchedulerConfig
else:
    AnySearch = SEARCHES.union()
    AnyScheduler = Annotated[SCHEDULERS.union(), BeforeValidator(by_name)]


class Block(Config):
    """A base cell and what varies around it.

    Attributes:
        name: how messages and overrides (`-o NAME.key=value`) call it.
        cell: fields of `Cell`, as a mapping; the family fills in what is missing.
        space: dotted path of a cell's field -> word.
        search: which points of the space are run.
        resources: what a trial reserves, where it differs from the study's.
        scheduler: which cells are stopped before their last generation; none by default.
        tune_first: hyperparameters that are tuned for each size and then frozen; none by default.
    """

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$")
    cell: dict[str, Any]
    space: dict[str, Word] = Field(default_factory=dict)
    search: AnySearch = GridSearch()
    resources: Resources = Resources()
    scheduler: AnyScheduler | None = None
    tune_first: TuneFirst | None = None

    @field_validator("cell", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        return value.canonical() if isinstance(value, Cell) else value

    @model_validator(mode="after")
    def _searchable(self) -> Block:
        for path in self.space:
            if f"{path}.kind" in self.space:
                raise ValueError(
                    f"space.{path}: {path}.kind stands beside it, and each would undo the other; leave one of them out"
                )
        if self.tune_first is not None:
            self.tune_first.check_block(self.cell, self.space, self.search)
        if self.scheduler is not None:
            check_scheduler(self.scheduler, self.search)
        tuned = self.tune_first.words(self.space) if self.tune_first else {}
        self.search.check_space(self.cell, {path: word for path, word in self.space.items() if path not in tuned})
        conditions.check(self.space, self.cell)
        return self


NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"
"""A study's name is a folder of its report: no part of it may lead out of the workspace."""


UNITS = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"(\d+(?:\.\d*)?)\s*([a-z]*)")


def seconds(value: Any) -> Any:
    """A duration as people write it (`90 min`, `1.5h`, `2 d`) in seconds; anything else as it is.

    Raises:
        ValueError: it is a text but no duration.
    """
    if not isinstance(value, str):
        return value
    found = DURATION.fullmatch(value.strip().lower())
    if found is None or found[2] not in UNITS:
        raise ValueError(f"{value!r} is no duration; say a number of seconds, or as in 90 min, 1.5 h, 2 d")
    return float(found[1]) * UNITS[found[2]]


class StudyBudget(Config):
    """Where a study stops; what was not run is listed.

    Cells are taken in the study's order while everything they need, each shared step counted once, fits into what is
    left; the first that does not fit, and all after it, are left out. What is done already counts as spent, so that
    the same budget always means the same cells and a larger one adds to them. Wall time is of one run.

    Attributes:
        cells: cells that are run at most.
        generations: models that are fitted at most.
        flops: floating-point operations, as `plan` counts them, of fitting and sampling.
        wall_time: seconds (or `90 min`, `2 h`) after which no further cell is started; those that run go on to their
            end.
    """

    cells: int | None = Field(default=None, ge=1)
    generations: int | None = Field(default=None, ge=1)
    flops: float | None = Field(default=None, gt=0)
    wall_time: Annotated[float, BeforeValidator(seconds)] | None = Field(default=None, gt=0)


class PowerRequirement(Config):
    """What a study's seeds must be able to resolve.

    Attributes:
        effect: the smallest true effect that matters, in the unit of the family's held-out loss.
        on: `growth`, of one policy's loss per generation; `gap`, between two policies' last losses at equal seeds; or
            `verdict`, the word of the robustness table where the loss rises by `effect` from the first generation to
            the last.
        truth: what such a rise follows: `line`, `square_root`, `logarithm` (the word is to be "collapses"), `inverse`
            (1/n) or `inverse_squares` (Σ1/i², "levels off").
        power: the chance with which it is to be found, by a two-sided t-test or by the verdict.
        confidence: one minus the test's level.
        deviation: of one recursion's statistic between seeds (for `verdict`, of a loss at one generation); None takes
            what the store's records show, and where there are none, the effect itself (a tenth of it).
    """

    effect: float = Field(gt=0)
    on: Literal["growth", "gap", "verdict"] = "growth"
    truth: Literal["line", "square_root", "logarithm", "inverse", "inverse_squares"] = Field(
        default="line", exclude_if=lambda truth: truth == "line"
    )
    power: float = Field(default=0.8, gt=0.5, lt=1)
    confidence: float = Field(default=0.95, ge=0.5, lt=1)
    deviation: float | None = Field(default=None, gt=0)


class Study(Config):
    """What to run. A mapping with `cell`, `space` and `search` of its own is a study of one block.

    Attributes:
        name: of the study, and of its report's folder.
        description: one line.
        blocks: what is asked.
        budget: where it stops.
        require_power: what its seeds must be able to resolve; a study that can't is refused.
    """

    name: str = Field(pattern=NAME, max_length=200)
    description: str = ""
    blocks: tuple[Block, ...]
    budget: StudyBudget = StudyBudget()
    resources: Resources = Resources()
    require_power: PowerRequirement | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_block(cls, data: Any) -> Any:
        return in_blocks(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _named_apart(self) -> Study:
        if not self.blocks:
            raise ValueError("blocks: the list is empty; at least one block is needed")
        names = [block.name for block in self.blocks if block.name]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"blocks: two blocks are named {name!r}")
            if name in (*Study.model_fields, *Block.model_fields, *Cell.model_fields):
                raise ValueError(f"blocks: a block can't be named {name!r}, which is a field's name")
        return self


BLOCK_KEYS = ("cell", "space", "search", "scheduler", "tune_first")


def in_blocks(data: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with its own `cell`, `space`, `search` and `scheduler`, where it has them, as its only block.

    Raises:
        ValueError: it has these keys and `blocks` as well.
    """
    own = {key: data[key] for key in BLOCK_KEYS if key in data}
    if not own:
        return dict(data)
    if "blocks" in data:
        raise ValueError(f"blocks: give either blocks or {', '.join(own)}, not both")
    return {key: value for key, value in data.items() if key not in own} | {"blocks": [own]}

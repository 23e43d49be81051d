"""Hyperparameters tuned first: what was tried, what it came to, what was chosen. From configs and the store alone.

A trial is a fit of generation 1 and its loss on validation rows. Both are artifacts like any other, so that a
tuning goes on where it stopped and the study's own cells begin with the models it has fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from search_spaces import Study, StudyError
from search_spaces.expansion import Point, Tuning, Values, expand, frozen, place, tunings
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.recursion import check_data, validated
from trainables.store import Store


@dataclass(frozen=True)
class Tuned:
    """One size's tuning so far.

    Attributes:
        tuning: what is tried.
        name: of the study's block, "" where it has none.
        losses: mean validation loss of each trial, inf where it diverged, None where it is not known.
    """

    tuning: Tuning
    name: str
    losses: tuple[float | None, ...]

    @property
    def done(self) -> bool:
        """Whether every trial is known."""
        return None not in self.losses

    @property
    def chosen(self) -> Values | None:
        """The setting with the least validation loss, the first of equals; None while a trial is not known, or where
        all diverged."""
        known = [math.inf if loss is None else loss for loss in self.losses]
        best = int(np.argmin(known))
        return dict(self.tuning.trials[best].values) if self.done and math.isfinite(known[best]) else None


def tuned(study: Study, store: Store) -> list[Tuned]:
    """Where the tuning of every size stands. Computes nothing."""
    return [
        Tuned(tuning, study.blocks[tuning.block].name, tuple(_loss(trial.cells, store) for trial in tuning.trials))
        for tuning in tunings(study)
    ]


def pending(study: Study, store: Store) -> list[Point]:
    """Trials whose validation loss is not known, each once, after a check that they can be computed.

    Raises:
        StudyError: a family has no validation rows, or too few rows to train on.
    """
    for tuning in tunings(study):
        for cell in (cell for trial in tuning.trials for cell in trial.cells):
            try:
                cell.family.check_validation()
                check_data(cell)
            except ValueError as problem:
                raise StudyError(f"{place(study, tuning.block)}cell.{problem}") from None
    return untried(study, store)


def untried(study: Study, store: Store) -> list[Point]:
    """Trials whose validation loss is not known, each once."""
    return [point for point in trials(study) if _known(point.cell, store) is None]


def trials(study: Study) -> list[Point]:
    """Every fit of the tuning, each once; of what several blocks try, the first block's."""
    apart: dict[str, Point] = {}
    for tuning in tunings(study):
        for trial in tuning.trials:
            for cell in trial.cells:
                apart.setdefault(canonical_json(cell.canonical()), Point(tuning.block, trial.values, cell))
    return list(apart.values())


@dataclass(frozen=True)
class Standing:
    """How far a study's tuning is.

    Attributes:
        done, fits: fits of generation 1 whose validation loss is known, and all.
        waiting: cells of its grids that are not known before sizes are settled.
        tuned: every size.
    """

    done: int
    fits: int
    waiting: int
    tuned: list[Tuned]


def standing(study: Study, store: Store) -> Standing | None:
    """How far the tuning is; None where nothing is tuned first. Computes nothing."""
    fits = trials(study)
    if not fits:
        return None
    waiting = _cells(presumed(study, store)) - _cells(settled(study, store))
    return Standing(len(fits) - len(untried(study, store)), len(fits), waiting, tuned(study, store))


def _cells(study: Study) -> int:
    return len(expand(study, lambda cell: canonical_json(cell.canonical())))  # a key would read the data


def settled(study: Study, store: Store) -> Study:
    """The study with what was chosen so far; sizes that are not tuned yet are left out."""
    if all(block.tune_first is None for block in study.blocks):
        return study
    return frozen(study, [(one.tuning, one.chosen) for one in tuned(study, store) if one.chosen is not None])


def presumed(study: Study, store: Store) -> Study:
    """The study as a plan sees it: where nothing is chosen yet, the first setting stands for it."""
    if all(block.tune_first is None for block in study.blocks):
        return study
    return frozen(study, [(one.tuning, one.chosen or one.tuning.trials[0].values) for one in tuned(study, store)])


def check_chosen(study: Study, store: Store) -> None:
    """Refuse a study of which a size has no setting that trains.

    Raises:
        StudyError: which size.
    """
    for one in tuned(study, store):
        if one.done and one.chosen is None:
            size = ", ".join(f"{path}={value}" for path, value in one.tuning.size.items()) or "the only size"
            raise StudyError(
                f"{place(study, one.tuning.block)}tune_first: generation 1 diverged at every setting of {size}; "
                "give params other ranges"
            )


def _loss(cells: tuple[Cell, ...], store: Store) -> float | None:
    losses = [_known(cell, store) for cell in cells]
    known = [loss for loss in losses if loss is not None]
    return float(np.mean(known)) if len(known) == len(losses) else None


def _known(cell: Cell, store: Store) -> float | None:
    try:
        return validated(cell, store)
    except ValueError:  # its data can't be read here: `run` says so
        return None

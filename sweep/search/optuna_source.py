"""Open searches: what to try next depends on what was found. Optuna, asked and told by the driver.

Optuna's own storage in the workspace keeps the search, so that a run goes on where it stopped and
`optuna-dashboard` can open it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Container, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from search_spaces import Choice, OptunaSearch, Point, Range, Study
from search_spaces.expansion import Values, inner, place, random_draws
from search_spaces.space import conditions, drawn_words
from sweep.scheduling import Job, Later, Suggestion
from sweep.search.cmaes_replay import Replay
from sweep.search.objectives import OF_A_CELL, Worth, check_policies, losses, of_cell, parse, worth
from sweep.search.samplers import distribution, grid, internal, make_sampler
from sweep.search.storage import keep
from trainables.lineage import make_key

if TYPE_CHECKING:
    import optuna

WARM = "warm_start"
"""Attribute of a trial that another study's records stand for."""


class OptunaSource:
    """The suggestions of one block, by Optuna.

    A sampler is made anew for every suggestion, see `make_sampler`, so that a suggestion depends on the results
    known at that time and on nothing else; a restart changes nothing. CMA-ES, whose state Optuna pickles into its
    storage, works on a copy in memory that is made again from the suggestions: no pickle is read from a workspace.

    Args:
        study: whose.
        number: of the block.
        storage: Optuna's journal; None keeps the search in memory.
        writing: False only reads what earlier runs kept.

    Raises:
        StudyError: the block's search can't be.
    """

    def __init__(self, study: Study, number: int, storage: Path | None, writing: bool = True) -> None:
        self._study, self._number, self._block = study, number, study.blocks[number]
        self._search = search = cast("OptunaSearch", self._block.search)
        self._words = drawn_words(self._block.space)
        self._check()
        self._storage = keep(storage, writing)
        directions = ["minimize" if mode == "min" else "maximize" for mode in search.modes]
        self._optuna = _open(self._storage, f"{study.name}/{self._fingerprint()}", directions)
        self._grid = grid(search, self._words) if search.sampler.kind == "grid" else []
        self._replay: Replay | None = None
        self._again: list[Suggestion] = []

    def past(self) -> list[Suggestion]:
        """Suggestions of earlier runs whose worth is known."""
        return [Suggestion(trial.number, self._points(trial.params)) for trial in self.trials()]

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Optuna's trials of this search whose worth is known, those that were stopped early among them."""
        from optuna.trial import TrialState

        return self._own((TrialState.COMPLETE, TrialState.PRUNED))

    def best(self) -> list[optuna.trial.FrozenTrial]:
        """The best trial, or with several objectives the Pareto front, by the first; without those that failed."""
        from optuna.trial import TrialState

        sign = [1 if mode == "min" else -1 for mode in self._search.modes]
        known = [trial for trial in self._own((TrialState.COMPLETE,)) if not trial.user_attrs.get("diverged")]
        turned = {t.number: tuple(s * v for s, v in zip(sign, t.values, strict=True)) for t in known}
        front = [t for t in known if not any(_dominates(other, turned[t.number]) for other in turned.values())]
        return sorted(front, key=lambda trial: (turned[trial.number], trial.number))

    def values(self, trial: optuna.trial.FrozenTrial) -> Values:
        """What a trial set, by path."""
        return {path: _value(self._words[path], held) for path, held in trial.params.items()}

    @property
    def search(self) -> OptunaSearch:
        """What is sought, and how."""
        return self._search

    @property
    def name(self) -> str:
        """Optuna's name of the search."""
        return str(self._optuna.study_name)

    def summary(self) -> dict[str, Any] | None:
        """What was found, as plain data: what was sought, how many suggestions came to what, the best. None before
        anything is known."""
        search, trials = self._search, self.trials()
        return (
            {
                "search": self.name,
                "sampler": search.sampler.kind,
                "objectives": list(search.objectives),
                "modes": list(search.modes),
                "suggestions": len(trials),
                "stopped_early": sum(trial.state.name == "PRUNED" for trial in trials),
                "failed": sum(bool(trial.user_attrs.get("diverged")) for trial in trials),
                "warm_start": self.learned,
                "best": [
                    {
                        "number": trial.number,
                        "values": dict(zip(search.objectives, trial.values, strict=True)),
                        "at": self.values(trial),
                        "cells": trial.user_attrs.get("cells", []),
                    }
                    for trial in self.best()
                ],
            }
            if trials
            else None
        )

    def resume(self) -> None:
        """Suggestions that a kill cut short are made again, before any other."""
        from optuna.trial import TrialState

        self._again = []
        for trial in self._own((TrialState.RUNNING,)):
            if set(trial.params) == set(self._applicable(self.values(trial))):
                self._again.append(Suggestion(trial.number, self._points(trial.params)))
            else:  # killed while it was drawn
                self._optuna.tell(trial.number, state=TrialState.FAIL)

    def left(self, known: Container[str]) -> int:
        """Suggestions that are still to be asked for."""
        return len(self._again) + max(self._size() - self._drawn(), 0)

    def under_way(self) -> list[Suggestion]:
        """Suggestions that a run is trying, or was when it was killed."""
        from optuna.trial import TrialState

        drawn = [(trial.number, self.values(trial), trial.params) for trial in self._own((TrialState.RUNNING,))]
        return [
            Suggestion(n, self._points(held)) for n, values, held in drawn if set(held) == set(self._applicable(values))
        ]

    @cached_property
    def each(self) -> int:
        """Cells of a suggestion."""
        return len(inner(self._study, self._number, next(random_draws(self._block, 1, 0))))

    def ask(self) -> Suggestion | Later | None:
        """What to try next, or None when all samples have been drawn."""
        from optuna.trial import TrialState

        if self._again:
            return self._again.pop(0)
        drawn = self._drawn()
        if drawn >= self._size():
            return None
        fixed = self._fixed(drawn)
        if fixed is not None and not self._own((TrialState.WAITING,)):  # else a kill left it there, before it was asked
            self._optuna.enqueue_trial(fixed)
        self._optuna.sampler = make_sampler(self._search, drawn, self._words)
        trial = self._draw()
        return Suggestion(trial.number, self._points(trial.params))

    def tell(self, number: int, jobs: Sequence[Job]) -> None:
        """What a suggestion's cells came to. A cell that failed counts as bad, never as NaN."""
        self._note(number, "cells", [job.key for job in jobs])
        if any(job.status == "stopped" for job in jobs):
            self._tell_stopped(number, jobs)
            return
        found = self._worth(jobs)
        self._note(number, "diverged", found.diverged)
        self._optuna.tell(number, list(found.values))
        if self._replay is not None:
            self._replay.tell(number, found.values)

    def _worth(self, jobs: Sequence[Job]) -> Worth:
        return worth(self._search, jobs, self._study.name)

    def _tell_stopped(self, number: int, jobs: Sequence[Job]) -> None:
        """A suggestion of which a scheduler stopped a cell is told as pruned, never with the value of an earlier
        generation as if it were the last: losses grow, so that it would look better than what went on."""
        from optuna.trial import TrialState

        objective = parse(self._search.objectives[0])
        reached = min(job.done for job in jobs)
        if objective.statistic in OF_A_CELL and objective.statistic != "flops" and reached > 1:
            own = [job for job in jobs if objective.policy in ("", job.cell.policy.kind)]
            so_far = [of_cell(objective.statistic, losses(job)[:reached]) for job in own]
            self._storage.set_trial_intermediate_value(self._id(number), reached, float(np.mean(so_far)))
        self._optuna.tell(number, state=TrialState.PRUNED)

    def learn(self, name: str, jobs: Sequence[Job], drawn: Values) -> None:
        """Let the sampler know what another study's cells came to at these values."""
        from optuna.trial import create_trial

        found = worth(self._search, jobs, name)
        if not found.diverged:
            params = {path: internal(self._words[path], value) for path, value in drawn.items()}
            spread = {path: distribution(self._words[path]) for path in drawn}
            about = {WARM: name, "diverged": False, "cells": [job.key for job in jobs]}
            made = create_trial(params=params, distributions=spread, values=list(found.values), user_attrs=about)
            self._optuna.add_trial(made)

    @property
    def learned(self) -> dict[str, int]:
        """How many trials other studies' records stand for, by study."""
        names = [t.user_attrs[WARM] for t in self._optuna.get_trials(deepcopy=False) if WARM in t.user_attrs]
        return {name: names.count(name) for name in names}

    def _check(self) -> None:
        where = place(self._study, self._number)
        drawn = next(random_draws(self._block, 1, 0))
        kinds = sorted({point.cell.policy.kind for point in inner(self._study, self._number, drawn)})
        for name in self._search.objectives:
            check_policies(parse(name, f"{where}search.objective"), kinds, f"{where}search.objective")

    def _fixed(self, drawn: int) -> dict[str, Any] | None:
        """What the next suggestion must be, as far as it is not the sampler's to say."""
        if self._search.sampler.kind == "cmaes" and self._replay is None:
            self._replay = Replay(self._search, self._words, self._optuna)
        if self._grid:
            return self._grid[drawn]
        tried = [trial.params for trial in self._optuna.get_trials(deepcopy=False)]
        for point in self._search.points:
            wanted = {path: internal(self._words[path], value) for path, value in point.items()}
            if not any(wanted.items() <= params.items() for params in tried):
                return wanted if self._replay is None else self._replay.ask(wanted)
        return None if self._replay is None else self._replay.ask({})

    def _draw(self) -> optuna.Trial:
        """A trial in which every path that applies is set, one after the other."""
        trial = self._optuna.ask()
        values: Values = {}
        with warnings.catch_warnings():  # what a Gaussian process makes of a failed cell's infinity is meant
            warnings.filterwarnings("ignore", message="Clip non-finite values")
            for path in conditions.in_order(self._block.space):
                if path in self._words and conditions.may_apply(path, self._block.space, values, self._block.cell):
                    values[path] = _value(self._words[path], suggest(trial, path, self._words[path]))
        return trial

    def _applicable(self, values: Values) -> Values:
        """Of every drawn path, those that must have a value beside these."""
        every = {path: values.get(path) for path in self._words}
        return conditions.drawn_apart(self._block.space, every, self._block.cell)

    def _points(self, params: Mapping[str, Any]) -> list[Point]:
        values: Values = {path: _value(self._words[path], held) for path, held in params.items()}
        return inner(self._study, self._number, values)

    def _drawn(self) -> int:
        from optuna.trial import TrialState

        return len(self._own((TrialState.COMPLETE, TrialState.RUNNING, TrialState.PRUNED)))

    def _size(self) -> int:
        """Suggestions in all."""
        return min(self._search.num_samples, len(self._grid) or self._search.num_samples)

    def _own(self, states: Sequence[optuna.trial.TrialState]) -> list[optuna.trial.FrozenTrial]:
        return [trial for trial in self._optuna.get_trials(deepcopy=False, states=tuple(states)) if self._ours(trial)]

    def _ours(self, trial: optuna.trial.FrozenTrial) -> bool:
        return WARM not in trial.user_attrs

    def _note(self, number: int, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._id(number), name, value)

    def _id(self, number: int) -> int:
        study = self._storage.get_study_id_from_name(self._optuna.study_name)
        return int(self._storage.get_trial_id_from_study_id_trial_number(study, number))

    def _fingerprint(self) -> str:
        """A search goes on only where the question is the same; more samples of it, or further points to try and
        studies to learn from, are the same question."""
        block = self._block.canonical()
        for name in ("num_samples", "points", "warm_start"):
            block["search"].pop(name)
        del block["resources"], block["tune_first"]
        return make_key("search", block=block)[:16]


def suggest(trial: optuna.Trial, path: str, word: Choice | Range) -> Any:
    """One value by define-by-run."""
    spread = distribution(word)
    if isinstance(word, Choice):
        return trial.suggest_categorical(path, spread.choices)
    draw = trial.suggest_int if word.integer else trial.suggest_float
    return draw(path, spread.low, spread.high, step=spread.step, log=spread.log)


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether one is nowhere worse and somewhere better; less is better."""
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _open(storage: optuna.storages.BaseStorage, name: str, directions: Sequence[str]) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)


def _value(word: Choice | Range, drawn: Any) -> Any:
    """Optuna's number or text as the word's own value."""
    return json.loads(drawn) if isinstance(word, Choice) else word.snap(drawn)

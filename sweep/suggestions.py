"""Open searches: what to try next depends on what was found. Optuna, asked and told by the driver.

Optuna's own storage in the workspace keeps the search, so that a run goes on where it stopped and
`optuna-dashboard` can open it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from search_spaces import Choice, OptunaSearch, Point, Range, Study
from search_spaces.expand import Values, inner
from search_spaces.words import Grid
from sweep.job import Job
from sweep.objectives import check_objective, worth
from trainables.config import canonical_json
from trainables.lineage import Stream, make_key

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Suggestion:
    """Values to try, on every cell of a block's grids.

    Attributes:
        number: Optuna's number of it.
        points: the cells.
    """

    number: int
    points: Sequence[Point]


class Source(Protocol):
    """Whoever makes suggestions."""

    def past(self) -> list[Suggestion]:
        """Suggestions of earlier runs whose worth is known."""

    def ask(self) -> Suggestion | None:
        """What to try next, or None when all samples have been drawn."""

    def tell(self, number: int, jobs: Sequence[Job]) -> None:
        """What a suggestion's cells came to."""


class OptunaSource:
    """The suggestions of one block, by Optuna.

    Every suggestion is drawn by a sampler seeded from the search's seed and the suggestion's number, so
    that it depends on the results known at that time and on nothing else; a restart changes nothing.
    """

    def __init__(self, study: Study, number: int, storage: Path | None) -> None:
        search = study.blocks[number].search
        assert isinstance(search, OptunaSearch)
        check_objective(search.objective)
        self._study, self._number, self._search = study, number, search
        self._words = {p: w for p, w in study.blocks[number].space.items() if not isinstance(w, Grid)}
        self._optuna = _open(storage, f"{study.name}/{self._fingerprint()}", search.mode)
        self._trials: dict[int, optuna.Trial] = {}

    def past(self) -> list[Suggestion]:
        """Suggestions of earlier runs whose worth is known."""
        return [Suggestion(trial.number, self._points(trial.params)) for trial in self.trials()]

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """Optuna's trials whose worth is known."""
        from optuna.trial import TrialState

        known: list[optuna.trial.FrozenTrial] = self._optuna.get_trials(states=(TrialState.COMPLETE,))
        return known

    def resume(self) -> None:
        """Suggestions that a kill cut short are made again."""
        from optuna.trial import TrialState

        for trial in self._optuna.get_trials(states=(TrialState.RUNNING,)):
            self._optuna.tell(trial.number, state=TrialState.FAIL)
            if set(trial.params) == set(self._words):
                self._optuna.enqueue_trial(trial.params)

    def ask(self) -> Suggestion | None:
        """What to try next, or None when all samples have been drawn."""
        from optuna.trial import TrialState

        drawn = len(self._optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING)))
        if drawn >= self._search.num_samples:
            return None
        self._optuna.sampler = _sampler(self._search, drawn)
        trial = self._optuna.ask(fixed_distributions={path: _distribution(w) for path, w in self._words.items()})
        self._trials[trial.number] = trial
        return Suggestion(trial.number, self._points(trial.params))

    def tell(self, number: int, jobs: Sequence[Job]) -> None:
        """What a suggestion's cells came to. A cell that failed counts as bad, never as NaN."""
        value, diverged = worth(self._search.objective, jobs, self._search.mode)
        trial = self._trials.pop(number)
        trial.set_user_attr("diverged", diverged)
        trial.set_user_attr("cells", [job.key for job in jobs])
        self._optuna.tell(trial, value)

    def _points(self, params: Mapping[str, Any]) -> list[Point]:
        values: Values = {path: _value(word, params[path]) for path, word in self._words.items()}
        return inner(self._study, self._number, values)

    def _fingerprint(self) -> str:
        """A search goes on only where the question is the same; more samples of it are the same question."""
        block = self._study.blocks[self._number].canonical()
        block["search"].pop("num_samples")
        return make_key("search", block=block)[:16]


def _open(storage: Path | None, name: str, mode: Literal["min", "max"]) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = None
    if storage is not None:  # otherwise in memory: nothing was ever suggested
        storage.parent.mkdir(parents=True, exist_ok=True)
        kept = JournalStorage(JournalFileBackend(str(storage)))
    direction = "minimize" if mode == "min" else "maximize"
    return optuna.create_study(storage=kept, study_name=name, direction=direction, load_if_exists=True)


def _sampler(search: OptunaSearch, number: int) -> optuna.samplers.BaseSampler:
    import optuna

    seed = Stream(make_key("optuna", seed=search.seed, number=number)).integer() % 2**32
    if search.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, constant_liar=True)


def _distribution(word: Choice | Range) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if isinstance(word, Choice):
        return distributions.CategoricalDistribution([canonical_json(value) for value in word.values])
    step = None if word.log else word.step
    if word.integer:
        return distributions.IntDistribution(int(word.low), int(word.last), log=word.log, step=int(step or 1))
    return distributions.FloatDistribution(word.low, word.last, log=word.log, step=step)


def _value(word: Choice | Range, drawn: Any) -> Any:
    """Optuna's number or text as the word's own value."""
    return json.loads(drawn) if isinstance(word, Choice) else word.snap(drawn)

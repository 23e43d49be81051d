"""CMA-ES without reading a pickle: its state in memory, made again from what was suggested and told.

Optuna pickles the optimizer into its storage. A workspace may come from somebody else, so that copy is never read:
after a restart the suggestions and their values are gone through once more, in the order of their times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import OptunaSearch
from search_spaces.search import CmaEs
from sweep.search.samplers import Words, distribution, internal, make_sampler
from trainables.lineage import Stream, make_key

if TYPE_CHECKING:
    import optuna


class Replay:
    """A search in memory that mirrors a kept one.

    Args:
        search: its configuration.
        words: what is drawn.
        kept: the search that was kept; trials that another study's records stand for are what CMA-ES starts from.
    """

    def __init__(self, search: OptunaSearch, words: Words, kept: optuna.Study) -> None:
        import optuna

        assert isinstance(search.sampler, CmaEs)
        self._startup, self._seed, self._words = search.sampler.n_startup_trials, search.seed, words
        trials = kept.get_trials(deepcopy=False)
        earlier = [trial for trial in trials if "warm_start" in trial.user_attrs]
        self._spread = {path: distribution(word) for path, word in words.items()}
        self._study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            sampler=make_sampler(search, 0, words, earlier),
            direction=kept.directions[0],
        )
        self._trials: dict[int, optuna.Trial] = {}
        self._asked = len(earlier)
        self._go_through([trial for trial in trials if "warm_start" not in trial.user_attrs])

    def ask(self, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of the next trial.

        Before CMA-ES learns, each is drawn from a stream of its own: what is fixed when the search is gone through
        again must not leave a sampler's random numbers where they would not have been.
        """
        from optuna.trial import TrialState

        if len(self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < self._startup:
            stream = Stream(make_key("optuna_startup", seed=self._seed, number=self._asked))
            drawn = {path: internal(word, word.sample(stream.numpy(path))) for path, word in self._words.items()}
            fixed = drawn | dict(fixed)
        if fixed:
            self._study.enqueue_trial(dict(fixed))
        trial = self._study.ask(fixed_distributions=self._spread)
        _ = trial.relative_params  # CMA-ES takes its step even where all is fixed
        self._trials[self._asked] = trial
        self._asked += 1
        return dict(trial.params)

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """What a trial of the kept search came to; None where it was stopped or cut short."""
        from optuna.trial import TrialState

        trial = self._trials.pop(number)
        if values is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, list(values))

    def _go_through(self, trials: Sequence[optuna.trial.FrozenTrial]) -> None:
        """Ask and tell what was asked and told."""
        asked = [(trial.datetime_start, 0, trial) for trial in trials]
        told = [(trial.datetime_complete, 1, trial) for trial in trials if trial.state.is_finished()]
        for _, kind, trial in sorted(asked + told, key=lambda event: event[:2]):
            if kind == 0:
                self._asked = trial.number
                self.ask(trial.params)
            else:
                self.tell(trial.number, trial.values)

"""Optuna's samplers from their configs. Optuna is imported inside functions: `plan` and `--help` do without."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import Choice, OptunaSearch, Range
from search_spaces.expansion import every_combination
from search_spaces.search import CmaEs, Gp, NsgaII, NsgaIII, Qmc, Tpe
from trainables.config import canonical_json
from trainables.lineage import Stream, make_key

if TYPE_CHECKING:
    import optuna

Words = Mapping[str, Choice | Range]


def make_sampler(
    search: OptunaSearch, number: int, words: Words, earlier: Sequence[optuna.trial.FrozenTrial] = ()
) -> optuna.samplers.BaseSampler:
    """The sampler of suggestion `number`. (A grid is not sampled, see `grid`.)

    Its seed comes from the search's seed and the number (a sequence's from the search's seed alone), so that a
    suggestion depends on these and on the results known at the time: a sampler made anew after a restart is the same.

    Args:
        search: whose sampler.
        number: how many suggestions were made before.
        words: what is drawn.
        earlier: trials of other studies that CMA-ES starts from.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _build(search, _seed(search, number), words, earlier)


def distribution(word: Choice | Range) -> optuna.distributions.BaseDistribution:
    """A word as Optuna's distribution; of steps, between the first and the last of their multiples."""
    from optuna import distributions

    if isinstance(word, Choice):
        return distributions.CategoricalDistribution([canonical_json(value) for value in word.values])
    step = None if word.log else word.step
    low, high = (word.low, word.last) if step is None else (word.snap(word.low), word.snap(word.high))
    if word.integer:
        return distributions.IntDistribution(int(low), int(high), log=word.log, step=int(step or 1))
    return distributions.FloatDistribution(low, high, log=word.log, step=step)


def internal(word: Choice | Range, value: Any) -> Any:
    """A word's value as Optuna holds it."""
    return canonical_json(value) if isinstance(word, Choice) else word.snap(value)


def _seed(search: OptunaSearch, number: int) -> int:
    constant = search.sampler.kind in ("qmc", "cmaes")
    key = make_key("optuna", seed=search.seed, number=0 if constant else number)
    return Stream(key).integer() % 2**32


def _build(
    search: OptunaSearch, seed: int, words: Words, earlier: Sequence[optuna.trial.FrozenTrial]
) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    match search.sampler:
        case Tpe(n_startup_trials=startup, multivariate=joint):
            return samplers.TPESampler(
                seed=seed, n_startup_trials=startup, multivariate=joint, group=joint, constant_liar=True
            )
        case Gp(n_startup_trials=startup, deterministic_objective=exact):
            return samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=exact)
        case CmaEs(sigma0=sigma, n_startup_trials=startup, popsize=size):
            return samplers.CmaEsSampler(
                seed=seed, sigma0=sigma, n_startup_trials=startup, popsize=size, source_trials=list(earlier) or None
            )
        case NsgaII(population_size=size):
            return samplers.NSGAIISampler(seed=seed, population_size=size)
        case NsgaIII(population_size=size, dividing_parameter=density):
            return samplers.NSGAIIISampler(seed=seed, population_size=size, dividing_parameter=density)
        case Qmc(sequence=sequence):
            return samplers.QMCSampler(seed=seed, qmc_type=sequence, scramble=True)
    return samplers.RandomSampler(seed=seed)


def grid(search: OptunaSearch, words: Words) -> list[dict[str, Any]]:
    """What the grid sampler suggests, in its order, as Optuna holds it."""
    return [
        {path: internal(words[path], value) for path, value in found.items()}
        for found in every_combination(search, words)
    ]

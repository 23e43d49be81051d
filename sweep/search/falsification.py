"""Hunts for counterexamples: Optuna explores, then the strongest suspects are run again on seeds it never saw."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from search_spaces import FalsifySearch, Study
from search_spaces.expansion import explored, independent, retest
from sweep.scheduling import Job, Later, Suggestion, read_records
from sweep.search.objectives import Worth, losses, penalty
from sweep.search.optuna_source import OptunaSource
from sweep.search.storage import known_journal
from sweep.workspace import Workspace
from trainables.lineage import make_key
from trainables.store import Store

if TYPE_CHECKING:
    import optuna

    from analysis.report import Candidate, Hunt
    from analysis.verdicts import Evidence

RETEST = 1_000_000
"""Added to a suggestion's number where its retest is meant."""

_CHOSEN = "retested"


class FalsifySource(OptunaSource):
    """The suggestions of a hunt: explored ones first, and when all of these are known, retests of the strongest.

    Whoever was retested once stays a candidate when the hunt is extended, so that the correction for multiple tests
    counts every test there was.

    Args:
        study: whose.
        number: of the block.
        storage: Optuna's journal; None keeps the search in memory.
        writing: False only reads what earlier runs kept.
    """

    def __init__(self, study: Study, number: int, storage: Path | None, writing: bool = True) -> None:
        self.block = study.blocks[number]
        self.hunt = cast("FalsifySearch", self.block.search)
        self._pending: list[int] | None = None
        super().__init__(explored(study), number, storage, writing)

    def past(self) -> list[Suggestion]:
        """Suggestions of earlier runs, and the retests that these led to."""
        return [*super().past(), *(self.retest(number) for number in self.chosen())]

    def ask(self) -> Suggestion | Later | None:
        """What to try next, that this depends on what is being tried, or None when all is tried and retested."""
        from optuna.trial import TrialState

        suggestion = super().ask()
        if suggestion is not None:
            return suggestion
        if self._own((TrialState.RUNNING,)):
            return Later()
        if self._pending is None:
            self._pending = list(self.choose())
        return self.retest(self._pending.pop(0)) if self._pending else None

    def left(self, known: Container[str]) -> int:
        """Suggestions that are still to be asked for, and retests of what is suspicious so far."""
        suspects = dict.fromkeys([*self.chosen(), *self.wanted()])
        retests = [self.retest(number) for number in suspects]
        return super().left(known) + sum(any(point.cell.key not in known for point in one.points) for one in retests)

    def tell(self, number: int, jobs: Sequence[Job]) -> None:
        """What a suggestion's cells came to. Of a retest nothing is kept: the store has its records."""
        if number >= RETEST:
            return
        found = evidence(self.hunt, jobs, range(self.hunt.seeds))
        self._note(number, "effect", None if found is None else found.effect.estimate)
        super().tell(number, jobs)

    def summary(self) -> None:
        """A hunt is reported by itself, see `hunts`."""

    def chosen(self) -> list[int]:
        """Trials that were chosen for a retest so far."""
        return list(self._optuna.user_attrs.get(_CHOSEN, []))

    def choose(self) -> list[int]:
        """Settle which trials are retested: those chosen before, and the strongest of those that speak against the
        claim."""
        chosen = list(dict.fromkeys([*self.chosen(), *self.wanted()]))
        if chosen != self.chosen():
            self._optuna.set_user_attr(_CHOSEN, chosen)
        return chosen

    def ranked(self) -> list[optuna.trial.FrozenTrial]:
        """Trials that could be judged, the strongest evidence against the claim first."""
        known = [trial for trial in self.trials() if not trial.user_attrs.get("diverged")]
        return sorted(known, key=lambda trial: (-trial.values[0], trial.number))

    def independent(self) -> list[optuna.trial.FrozenTrial]:
        """The trial of each draw that depended on no result, one a draw; those that are known."""
        wanted = independent(self.block, self.hunt)
        known = [(self.values(trial), trial) for trial in self.trials()]
        found = (next((trial for values, trial in known if values == drawn), None) for drawn in wanted)
        return [trial for trial in found if trial is not None]

    def retest(self, number: int) -> Suggestion:
        """A trial's configuration on fresh seeds."""
        trial = next(trial for trial in self.trials() if trial.number == number)
        return Suggestion(RETEST + number, retest(self._points(trial.params), self.hunt.fresh_seeds))

    def wanted(self) -> list[int]:
        """Trials that are to be retested as things stand."""
        return [trial.number for trial in self.ranked() if suspicious(trial)][: self.hunt.confirm.candidates]

    def _worth(self, jobs: Sequence[Job]) -> Worth:
        found = evidence(self.hunt, jobs, range(self.hunt.seeds))
        if found is None or not math.isfinite(found.strength):
            return Worth((penalty(self.search, "max"),), True)
        return Worth((found.strength,), False)

    def _fingerprint(self) -> str:
        """Two claims about one policy are two questions; other candidates and seeds of the retest are not."""
        return make_key("falsify", claim=self.hunt.claim, explored=super()._fingerprint())[:16]


def suspicious(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial's mean effect speaks against the claim at all."""
    effect = trial.user_attrs.get("effect")
    return effect is not None and effect > 0


def evidence(hunt: FalsifySearch, jobs: Iterable[Job], seeds: Sequence[int]) -> Evidence | None:
    """What cells of one configuration say against the claim; None where one is not done, failed, lacks a policy's
    partner, or has an infinite mean."""
    from analysis.verdicts import weigh

    held = {(job.cell.policy.kind, job.cell.seed): job for job in jobs}
    claim, curves = hunt.parsed, []
    for policy in claim.policies:
        own = [held.get((policy, seed)) for seed in seeds]
        if not all(job is not None and _usable(job) for job in own):
            return None
        curves.append(np.stack([losses(job) for job in own if job is not None]))
    return weigh(claim.assertion, curves[0], curves[1] if claim.rival else None)


def _usable(job: Job) -> bool:
    whole = job.status == "done" and len(job.records) == len(job.stages)
    return whole and not any("infinite_mean" in record.metrics for record in job.records.values())


def hunts(study: Study, workspace: Workspace, jobs: Mapping[str, Job], store: Store) -> list[Hunt]:
    """What each hunt of a study has come to so far. Changes nothing."""
    journal = known_journal(workspace, study.name)
    numbers = [number for number, block in enumerate(study.blocks) if block.search.kind == "falsify"]
    return [account(FalsifySource(study, number, journal, writing=False), jobs, store) for number in numbers]


def account(source: FalsifySource, jobs: Mapping[str, Job], store: Store) -> Hunt:
    """What a hunt has come to so far, from its trials and the store's records."""
    from analysis.report import Hunt

    hunt, known, ranked = source.hunt, source.trials(), source.ranked()
    candidates = _candidates(source, jobs, store)
    tested = set(source.chosen())
    judged = {trial.number for trial in ranked}
    drawn = [trial for trial in source.independent() if trial.number in judged]
    settled = len(known) >= source.search.num_samples and set(tested) >= set(source.wanted())
    return Hunt(
        claim=hunt.claim,
        name=source.block.name,
        samples=source.search.num_samples,
        tried=len(ranked),
        unjudged=len(known) - len(ranked),
        seeds=hunt.seeds,
        fresh=hunt.confirm.seeds,
        alpha=hunt.alpha,
        region={path: _said(word.model_dump()) for path, word in source.block.space.items()},
        independent=len(drawn),
        suspicious=sum(suspicious(trial) and trial.number not in tested for trial in drawn),
        candidates=candidates,
        finished=settled and all(math.isfinite(candidate.p) for candidate in candidates),
    )


def _candidates(source: FalsifySource, jobs: Mapping[str, Job], store: Store) -> tuple[Candidate, ...]:
    """Every retested configuration, strongest first; without p-values while a retest is not finished."""
    from analysis.report import Candidate
    from analysis.stats import holm

    trials = [trial for trial in source.ranked() if trial.number in source.chosen()]
    runs = [_retested(source, trial, jobs, store) for trial in trials]
    whole = all(len(own) and all(job.status in ("done", "failed") for job in own) for own in runs)
    found = [evidence(source.hunt, own, source.hunt.fresh_seeds) for own in runs]
    p = [1.0 if one is None else one.p for one in found] if whole else [math.nan] * len(runs)
    adjusted = holm(p) if whole else np.array(p)
    return tuple(
        Candidate(
            values=source.values(trial),
            explored=trial.values[0],
            effect=one.effect.estimate if one else math.nan,
            low=one.effect.low if one else math.nan,
            high=one.effect.high if one else math.nan,
            p=single,
            p_holm=float(corrected),
            runs=len({job.cell.seed for job in own if job.status == "done"}),
            confirmed=bool(corrected <= source.hunt.alpha),
        )
        for trial, own, one, single, corrected in zip(trials, runs, found, p, adjusted, strict=True)
    )


def _retested(
    source: FalsifySource, trial: optuna.trial.FrozenTrial, jobs: Mapping[str, Job], store: Store
) -> list[Job]:
    """The jobs of a candidate's retest, with their records; none where one is not known yet."""
    keys = [point.cell.key for point in source.retest(trial.number).points]
    if not all(key in jobs for key in keys):
        return []
    for key in keys:
        read_records(jobs[key], store)
    return [jobs[key] for key in keys]


def _said(word: Mapping[str, Any]) -> str:
    """A word as its user wrote it."""
    return " ".join(f"{name} {list(values) if isinstance(values, tuple) else values}" for name, values in word.items())

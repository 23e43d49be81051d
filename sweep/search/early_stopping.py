"""Schedulers: which cells stop before their last generation, decided on the driver at every generation.

Cells of equal policy and seed are ranked among each other, each such group in a search of its own in Optuna's journal:
what was heard and decided survives a kill, a cell that comes back (its worker died, another driver was busy with its
step) is the same cell there and counts once, and `optuna-dashboard` shows the curves. Tune's own schedulers keep
their rungs in the driver's memory, by trial: a restart empties them, and a cell that comes back counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import Grid, Study
from search_spaces.search import Asha, Hyperband, Median, SchedulerConfig, ranking
from search_spaces.study import Block
from sweep.scheduling import Job, read_records
from sweep.search.objectives import losses, of_cell
from sweep.search.storage import keep
from trainables.cell import Record
from trainables.config import canonical_json
from trainables.lineage import make_key
from trainables.store import Store

if TYPE_CHECKING:
    import optuna

CELL = "cell"


def cautions(study: Study) -> Iterator[str]:
    """What a scheduler does to a study's tables, and how they are kept honest; one line for each block with one."""
    for block in study.blocks:
        if block.scheduler is not None:
            metric, mode = ranking(block.scheduler, block.search)
            worst = "largest" if mode == "min" else "smallest"
            which = ": they are the ones that collapse" if mode == "min" else ""
            yield (
                f"{block.name + ': ' if block.name else ''}scheduler {block.scheduler.kind} ranks cells of equal "
                f"policy and seed by {metric} and stops those where it is {worst}. Stopped cells are not missing at "
                f"random{which}, so a mean over those that go on would be biased. Corrected: tables judge each policy "
                "of a configuration over the generations that all its cells reached, and count the stopped ones; time "
                "to collapse takes them as censored, with bounds."
            )


class Stopping:
    """The schedulers of a study.

    Args:
        study: whose.
        journal: Optuna's; None keeps what is heard in memory.
        store: for records of cells that were finished before.
        writing: False only reads what earlier runs decided.
    """

    def __init__(self, study: Study, journal: Path | None, store: Store, writing: bool = True) -> None:
        self._study, self._store, self._writing = study, store, writing
        self._active = any(block.scheduler is not None for block in study.blocks)
        self._storage = keep(journal, writing) if self._active else None
        self._groups: dict[str, _Group] = {}

    def admit(self, job: Job) -> None:
        """Mark a cell that was stopped before, and hear of one that is done already."""
        group = self._group(job)
        if group is None:
            return
        if job.status == "waiting" and group.stopped(job.key):
            job.status = "stopped"
        elif job.status == "done" and self._writing and not group.ended(job.key):
            for record in read_records(job, self._store):
                self.judge(job, record)
            self.end(job)

    def judge(self, job: Job, record: Record) -> bool:
        """Whether a running cell stops with this generation."""
        group, scheduler = self._group(job), self._block(job).scheduler
        if group is None or scheduler is None:
            return False
        job.records[record.generation] = record
        metric, _ = ranking(scheduler, self._block(job).search)
        value = of_cell(metric, losses(job)[: record.generation])
        stop = group.hear(job.key, record.generation, value) if np.isfinite(value) else False
        return stop and record.generation < len(job.stages)

    def end(self, job: Job) -> None:
        """A cell is done, stopped or failed."""
        group = self._group(job)
        if group is not None:
            group.end(job.key, job.status)

    def _block(self, job: Job) -> Block:
        return self._study.blocks[job.block]

    def _group(self, job: Job) -> _Group | None:
        block = self._block(job)
        if block.scheduler is None or self._storage is None:
            return None
        name = f"{self._study.name}/{_fingerprint(block)}/{block.scheduler.kind}/{_rivals(block, job)}"
        if name not in self._groups:
            known = self._writing or any(name == found.study_name for found in self._storage.get_all_studies())
            if not known:
                return None
            mode = ranking(block.scheduler, block.search)[1]
            self._groups[name] = _Group(self._storage, name, mode, _pruner(block.scheduler, len(job.stages)))
        return self._groups[name]


class _Group:
    """Cells that are ranked among each other: one search of Optuna's, its trials the cells."""

    def __init__(
        self, storage: optuna.storages.BaseStorage, name: str, mode: str, pruner: optuna.pruners.BasePruner
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="minimize" if mode == "min" else "maximize",
            pruner=pruner,
            sampler=optuna.samplers.RandomSampler(seed=0),
            load_if_exists=True,
        )
        trials = self._optuna.get_trials(deepcopy=False)
        self._numbers: dict[str, int] = {t.user_attrs[CELL]: t.number for t in trials if CELL in t.user_attrs}
        self._live: dict[str, optuna.Trial] = {}

    def stopped(self, key: str) -> bool:
        """Whether a cell was stopped."""
        from optuna.trial import TrialState

        return key in self._numbers and self._frozen(key).state == TrialState.PRUNED

    def ended(self, key: str) -> bool:
        """Whether a cell has been heard of to its end."""
        return key in self._numbers and bool(self._frozen(key).state.is_finished())

    def hear(self, key: str, generation: int, value: float) -> bool:
        """Whether a cell of this value stops; of a generation that was heard before, no."""
        if self.ended(key):
            return False
        trial = self._trial(key)
        if generation <= (self._frozen(key).last_step or 0):
            return False
        trial.report(value, generation)
        return bool(trial.should_prune())

    def end(self, key: str, status: str) -> None:
        """A cell ended with this status."""
        from optuna.trial import TrialState

        if self.ended(key):
            return
        trial, frozen = self._trial(key), self._frozen(key)
        if status == "done" and frozen.intermediate_values:
            self._optuna.tell(trial, frozen.intermediate_values[frozen.last_step])
        else:
            self._optuna.tell(trial, state=TrialState.PRUNED if status == "stopped" else TrialState.FAIL)

    def _trial(self, key: str) -> optuna.Trial:
        from optuna.trial import Trial

        if key not in self._numbers:
            self._live[key] = self._optuna.ask()
            self._live[key].set_user_attr(CELL, key)
            self._numbers[key] = self._live[key].number
        if key not in self._live:  # an earlier driver began it
            self._live[key] = Trial(self._optuna, self._frozen(key)._trial_id)
        return self._live[key]

    def _frozen(self, key: str) -> optuna.trial.FrozenTrial:
        return self._optuna.get_trials(deepcopy=False)[self._numbers[key]]


def _rivals(block: Block, job: Job) -> str:
    """What cells have in common that are ranked among each other: policy and seed, and what an inner grid sets."""
    about: dict[str, Any] = {"family.kind": job.cell.family.kind, "seed": job.cell.seed}
    if not block.search.draws:
        about["policy"] = job.cell.policy.canonical()
    else:
        about["policy.kind"] = job.cell.policy.kind
        about |= {path: value for path, value in job.values.items() if isinstance(block.space[path], Grid)}
    if job.cell.fork is not None:
        about["fork"] = job.cell.fork.canonical()
    return canonical_json(about)


def _fingerprint(block: Block) -> str:
    """A group goes on only where the question is the same: what is asked of the block, not how it is run."""
    plain = {name: block.canonical()[name] for name in ("cell", "space", "search", "scheduler")}
    for name in ("num_samples", "points", "warm_start"):
        plain["search"].pop(name, None)
    return make_key("scheduler", **plain)[:16]


def _pruner(scheduler: SchedulerConfig, generations: int) -> optuna.pruners.BasePruner:
    from optuna import pruners

    match scheduler:
        case Asha(grace=grace, reduction_factor=factor):
            return pruners.SuccessiveHalvingPruner(min_resource=grace, reduction_factor=factor)
        case Hyperband(grace=grace, reduction_factor=factor):
            most = max(generations, grace)
            return pruners.HyperbandPruner(min_resource=grace, max_resource=most, reduction_factor=factor)
        case Median(grace=grace, min_cells=cells):
            from sweep.search.median_pruner import MedianRule

            return MedianRule(grace, cells)
    raise TypeError(f"no scheduler {scheduler!r}")

"""A study's tuning as a run does it: placed on machines, shown to its user and to other shells, ended by signals."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from search_spaces import Study
from sweep.progress import Chronicle, Progress
from sweep.resources import Machines, places, wants
from sweep.scheduling import Job, make_job
from sweep.tune_first.state import check_chosen, pending
from sweep.workspace import Workspace
from trainables.store import Store

FITS = "fits of generation 1"
"""What a tuning consists of, as users are told."""


def settle(
    study: Study,
    workspace: Workspace,
    store: Store,
    machines: Machines,
    progress: Progress,
    warn: Callable[[str], None],
    stop: threading.Event,
) -> bool:
    """Settle what is tuned first; False where it was interrupted, as by `stop`.

    Raises:
        StudyError: it can't be tuned, or diverges at every setting.
        UsageError: the machines can't be used.
    """
    reserve = wants(study)
    jobs = [make_job(point.cell, point.values, reserve(point)) for point in pending(study, store)]
    if jobs:
        counts = _Fits(1)
        chronicle = Chronicle(study.name, workspace, counts, what=FITS)
        try:
            _run(jobs, workspace, store, machines, (counts, chronicle), progress.note, warn, stop)
        except KeyboardInterrupt:
            return False
        finally:
            chronicle.close()
    check_chosen(study, store)
    return True


class _Fits(Progress):
    """Counts trials of one generation, which report nothing but their end."""

    def ended(self, job: Job) -> None:
        """Learn how long it took."""
        if job.status == "done":
            self.eta.learn(job, 1)
        super().ended(job)


def _run(
    jobs: Sequence[Job],
    workspace: Workspace,
    store: Store,
    machines: Machines,
    listeners: tuple[Progress, Chronicle],
    note: Callable[[str], None],
    warn: Callable[[str], None],
    stop: threading.Event,
) -> None:
    from sweep.ray_backend import head_watch, nodes, tune_first_trials

    def told(done: int) -> None:
        note(f"tuning first: {done} of {len(jobs)} {FITS}")

    told(0)
    for job in jobs:
        listeners[0].admitted(job)
    with nodes.started(machines):
        pool = nodes.survey(machines, workspace.storage, store)
        slots, listeners[0].eta.concurrency = places(jobs, machines, pool, warn)
        with head_watch.watched(lambda: None, warn):
            tune_first_trials.run_tuning(jobs, workspace.storage, slots, stop, listeners, told, warn)

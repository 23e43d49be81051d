"""`Pruner`: removes weights and batches as soon as no cell of the study needs them any more. Records always stay.

The driver's own: it counts for each artifact how many cells still need it, by what has been reported. A trial is
never behind what it has reported, so that nothing goes that a running step may read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sweep.scheduling.job import Job
from sweep.scheduling.listener import Listener
from trainables.cell import Record
from trainables.recursion import Graph, Keep, Name, Steps, collect, last_uses, remove
from trainables.store import Store, StoreError


@dataclass
class _Needs:
    """What a cell still needs, by the generation after which it no longer does."""

    by_generation: dict[int, list[Name]] = field(default_factory=lambda: defaultdict(list))
    released: int = 0


class Pruner(Listener):
    """A listener of the board.

    Args:
        store: what is removed from.
        keep: what stays of a finished cell, as in `trainables.recursion.retention`.
        warn: told in one line when nothing can be removed; the study goes on.
        growing: whether cells may still be suggested. What generation 1 is made of, which they may share, then
            stays until `finish`.
    """

    def __init__(self, store: Store, keep: Keep, warn: Callable[[str], None], growing: bool = False) -> None:
        self._store, self._keep, self._warn, self._growing = store, keep, warn, growing
        self._needs: dict[str, _Needs] = {}
        self._users: Counter[Name] = Counter()
        self._able = True

    def admitted(self, job: Job) -> None:
        """Hold what the generations that are still to come need."""
        steps, needs = Steps(job.cell), _Needs(released=job.done)
        for name, last in last_uses(steps, further=self._keep == "last").items():
            if last > job.done:
                needs.by_generation[last].append(name)
                self._users[name] += 1
        if self._growing:
            for member in steps.members:
                first = Graph(member).model(1)
                self._users.update([first.name, *(node.name for node in first.parents.values())])
        self._needs[job.key] = needs
        if job.status in ("failed", "stopped"):
            self._release_all(job)

    def recorded(self, job: Job, record: Record) -> None:
        """Let go of what no later generation of this cell needs."""
        self._release(job, job.done)

    def ended(self, job: Job) -> None:
        """A cell that was stopped, or failed for good, needs nothing more; one that may be tried again keeps it all."""
        if job.status == "stopped" or (job.failure is not None and job.failure.final):
            self._release_all(job)

    def finish(self, jobs: Iterable[Job]) -> None:
        """Remove what earlier runs have left, when no cell waits any more."""
        self._try(lambda: collect(self._store, self._keep, [job.cell for job in jobs]))

    def _release(self, job: Job, done: int) -> None:
        needs = self._needs[job.key]
        for generation in range(needs.released + 1, done + 1):
            self._drop(needs.by_generation.pop(generation, []))
        needs.released = max(needs.released, done)

    def _release_all(self, job: Job) -> None:
        needs = self._needs[job.key]
        for generation in sorted(needs.by_generation):
            self._drop(needs.by_generation.pop(generation))

    def _drop(self, names: list[Name]) -> None:
        self._users.subtract(names)
        unused = [name for name in names if self._users[name] == 0]
        for name in unused:
            del self._users[name]
        if unused:
            self._try(lambda: remove(self._store, unused))

    def _try(self, call: Callable[[], object]) -> None:
        if not self._able:
            return
        try:
            call()
        except StoreError as problem:
            self._able = False
            self._warn(f"{problem}; nothing is removed any more, `gc` does so later")

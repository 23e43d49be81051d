"""How long a study may still take: planned operations times measured seconds per operation, by kind of model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from sweep.scheduling import Job, Stage

Kind = tuple[str, str]
"""Family and size: what runs at one speed."""

ROUNDING = 1e-9
"""Of all operations: what is left of a kind when all of its generations are counted off."""


class Eta:
    """An estimate that learns from every generation. What is shared counts once."""

    def __init__(self, concurrency: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.concurrency, self._clock = max(concurrency, 1), clock
        self._ahead: dict[str, tuple[Kind, float]] = {}
        self._needed: Counter[str] = Counter()
        self._left: dict[Kind, float] = {}
        self._seen: dict[Kind, tuple[float, float]] = {}
        self._last: dict[str, float] = {}
        self._made: dict[str, float] = {}
        self._jobs, self._flops = 0, 0.0

    def expect(self, job: Job) -> None:
        """Count what a job has still to compute."""
        self._jobs += 1
        self._flops += sum(stage.flops for stage in job.stages)
        if job.status != "waiting":
            return
        kind = job.cell.family.kind, job.cell.family.title
        for key, flops in _parts(job.stages[job.done :]):
            self._needed[key] += 1
            if key not in self._ahead:
                self._ahead[key] = kind, flops
                self._left[kind] = self._left.get(kind, 0.0) + flops

    def start(self, job: Job) -> None:
        """A generation begins."""
        self._last[job.key] = self._clock()

    def learn(self, job: Job, generation: int) -> None:
        """A generation is done, and what it starts from."""
        now, stage = self._clock(), job.stages[generation - 1]
        begun = self._last.get(job.key, now)
        took, self._last[job.key] = now - begun, now
        waited = self._made.get(stage.checkpoint, begun) > begun
        known = [self._ahead.pop(key) for key, _ in _parts([stage]) if key in self._ahead]
        if stage.checkpoint:
            self._made.setdefault(stage.checkpoint, now)
        for kind, flops in known:
            self._left[kind] -= flops
        if not known or waited:
            return  # read from the store, or computed by another cell, whose checkpoint it may have waited for
        kind = known[0][0]
        seconds, operations = self._seen.get(kind, (0.0, 0.0))
        self._seen[kind] = seconds + took, operations + sum(flops for _, flops in known)

    def stop(self, job: Job) -> None:
        """What a job that ended early will never compute no longer counts, unless others need it too."""
        self._last.pop(job.key, None)
        if job.status in ("failed", "stopped"):
            for key, _ in _parts(job.stages[job.done :]):
                self._needed[key] -= 1
                if self._needed[key] == 0 and key in self._ahead:
                    kind, flops = self._ahead.pop(key)
                    self._left[kind] -= flops

    def seconds(self, unknown: int = 0) -> float | None:
        """Seconds to go; None before anything was measured of each family that is still to come: an operation of a
        network takes a millionth of one of a Gaussian. `unknown` jobs count as the known ones do in the mean.
        """
        overall = self._pace(self._seen)
        if overall is None:
            return None
        total = unknown * self._flops / max(self._jobs, 1) * overall
        for kind, left in self._left.items():
            if left > ROUNDING * self._flops:
                pace = self._pace([kind] if kind in self._seen else [one for one in self._seen if one[0] == kind[0]])
                if pace is None:
                    return None
                total += left * pace
        return total / self.concurrency

    def _pace(self, kinds: Iterable[Kind]) -> float | None:
        """Measured seconds per operation of some kinds together."""
        measured = [self._seen[kind] for kind in kinds]
        operations = sum(one[1] for one in measured)
        return sum(one[0] for one in measured) / operations if operations else None


def _parts(stages: Iterable[Stage]) -> Iterator[tuple[str, float]]:
    """Keys of what stages compute, and its operations: models with their samples, and checkpoints."""
    for stage in stages:
        yield stage.model, stage.flops - stage.pretraining
        if stage.checkpoint:
            yield stage.checkpoint, stage.pretraining


def duration(seconds: float) -> str:
    """Seconds for people: 4 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""How long a study may still take: planned operations times measured seconds per operation, by kind of model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from sweep.scheduling import Job

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
        self._jobs, self._flops = 0, 0.0

    def expect(self, job: Job) -> None:
        """Count what a job has still to compute."""
        self._jobs += 1
        self._flops += sum(stage.flops for stage in job.stages)
        if job.status != "waiting":
            return
        kind = job.cell.family.kind, job.cell.family.title
        for stage in job.stages[job.done :]:
            self._needed[stage.model] += 1
            if stage.model not in self._ahead:
                self._ahead[stage.model] = kind, stage.flops
                self._left[kind] = self._left.get(kind, 0.0) + stage.flops

    def start(self, job: Job) -> None:
        """A generation begins."""
        self._last[job.key] = self._clock()

    def learn(self, job: Job, generation: int) -> None:
        """A generation is done."""
        now = self._clock()
        took, self._last[job.key] = now - self._last.get(job.key, now), now
        known = self._ahead.pop(job.stages[generation - 1].model, None)
        if known is None:
            return  # read from the store, or computed by another cell
        kind, flops = known
        self._left[kind] -= flops
        seconds, operations = self._seen.get(kind, (0.0, 0.0))
        self._seen[kind] = seconds + took, operations + flops

    def stop(self, job: Job) -> None:
        """What a job that ended early will never compute no longer counts, unless others need it too."""
        self._last.pop(job.key, None)
        if job.status in ("failed", "stopped"):
            for stage in job.stages[job.done :]:
                self._needed[stage.model] -= 1
                if self._needed[stage.model] == 0 and stage.model in self._ahead:
                    kind, flops = self._ahead.pop(stage.model)
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


def duration(seconds: float) -> str:
    """Seconds for people: 4 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

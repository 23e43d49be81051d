"""How long a study will take: what is left of it at measured speeds, over the trials that run at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sweep.planning.speeds import Make, Speed, Speeds, nearest

OVERHEAD = 0.1
"""Seconds a generation takes beyond fitting, judging and sampling: composing, committing, reporting. See
`python -m benchmarks overhead`."""

START = 10.0
"""Seconds from the command to the first fit: Ray, MLflow's database, the libraries of a worker."""


@dataclass
class Effort:
    """What is still to be computed.

    Attributes:
        generations: to be recorded.
        fitting, sampling: floating-point operations.
    """

    generations: int = 0
    fitting: float = 0.0
    sampling: float = 0.0

    def seconds(self, speed: Speed) -> float:
        """Of one thread."""
        sampling = speed.sample if speed.sample is not None else speed.fit
        work = self.fitting * speed.fit + self.sampling * sampling
        return work + self.generations * (speed.evaluate + OVERHEAD)


@dataclass(frozen=True)
class Forecast:
    """How long a study may take.

    Attributes:
        seconds: wall time on `workers` trials at a time; None where a make was never measured.
        work: seconds of one thread.
        longest: seconds of the longest cell, which no number of workers shortens.
        workers: trials at a time.
        sources: where speeds come from, with the number of makes each.
        borrowed: makes that are judged by another's speed, with the other's title.
        unknown: makes of which nothing is known.
    """

    seconds: float | None
    work: float
    longest: float
    workers: int
    sources: Mapping[str, int] = field(default_factory=dict)
    borrowed: Mapping[str, str] = field(default_factory=dict)
    unknown: Sequence[str] = ()


def forecast(
    efforts: Mapping[Make, Effort], cells: Sequence[tuple[Make, Effort]], speeds: Speeds, workers: int
) -> Forecast:
    """The wall time of what is left.

    List scheduling ends within work / m + (1 − 1/m) · longest (Graham 1969, theorem 1); the long cells are started
    first here, so that the larger of the two terms is what is expected.

    Args:
        efforts: of each make, what cells share counted once.
        cells: each cell's own, shared or not.
        speeds: measured ones.
        workers: trials at a time.
    """
    known = {make: found for make in efforts if (found := nearest(speeds, make)) is not None}
    left = {make: effort for make, effort in efforts.items() if effort.generations}
    work = sum(effort.seconds(known[make][0]) for make, effort in left.items() if make in known)
    longest = max((effort.seconds(known[make][0]) for make, effort in cells if make in known), default=0.0)
    unknown = sorted({name(make) for make in left if make not in known})
    sources: dict[str, int] = {}
    for make in left:
        if make in known:
            source = known[make][0].source
            sources[source] = sources.get(source, 0) + 1
    borrowed = {name(make): name(known[make][1]) for make in left if make in known and known[make][1] != make}
    wall = max(work / workers, longest) + (START if left else 0.0)
    return Forecast(None if unknown else wall, work, longest, workers, sources, borrowed, unknown)


def name(make: Make) -> str:
    """How messages call a make."""
    return f"{make.family} {make.title}".strip()

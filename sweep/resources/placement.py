"""Where trials run, and whether there is room for all of them: told before anything is trained. Without Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sweep.errors import UsageError
from sweep.resources.capacity import ClusterCapacity
from sweep.resources.requests import ResourceEstimator, Slots
from sweep.scheduling import Board, Job


@dataclass(frozen=True)
class Machines:
    """Where a study's trials are to run.

    Attributes:
        cpus: trials at a time at most; on this machine, also the cores that they may take together.
        address: of a Ray cluster; None starts one on this machine for this run.
        shared: whether a local folder is known to be the same on nodes that are not there yet.
        wait: whether resources that no node has are waited for.
    """

    cpus: int | None = None
    address: str | None = None
    shared: bool = False
    wait: bool = False


def ready(
    board: Board, machines: Machines, pool: ClusterCapacity, warn: Callable[[str], None], likely: Iterable[Job] = ()
) -> Slots:
    """Places for the board's trials, of which it learns how many run side by side.

    Args:
        board: what waits to be run.
        machines: what was asked for.
        pool: the nodes.
        warn: told of what is waited for.
        likely: cells such as an open search will suggest.

    Raises:
        UsageError: some trial would wait for ever.
    """
    slots, board.concurrency = places([*board.waiting, *likely], machines, pool, warn)
    return slots


def places(
    jobs: Sequence[Job], machines: Machines, pool: ClusterCapacity, warn: Callable[[str], None]
) -> tuple[Slots, int]:
    """Places for trials, and how many run side by side at most.

    Raises:
        UsageError: some trial would wait for ever.
    """
    needs = ResourceEstimator(pool)
    lacking: dict[str, str] = {}
    for job in jobs:
        request = needs.request(job)
        if not pool.holds(request.bundle):
            lacking.setdefault(str(request), job.title)
    for what, title in lacking.items():
        line = f"resources: no node has room for a trial with {what} ({title}); there are {pool}"
        if not machines.wait:
            more = ", add such a node, or say --wait if one will come" if machines.address else " or raise --cpus"
            raise UsageError(f"{line}; ask for less, as in -o resources.cpu=1 or -o resources.gpu=auto{more}")
        warn(line + "; waiting for one")
    side_by_side = max((pool.slots(needs.request(job).bundle) for job in jobs), default=1)
    most = machines.cpus if machines.address is not None else None
    return Slots(pool, needs, most), max(1, min(most or side_by_side, side_by_side))

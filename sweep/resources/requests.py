"""What each trial reserves: by the study's words, the family, and the memory that its model needs or took before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sweep.resources.capacity import ClusterCapacity
from sweep.scheduling import Job, Listener

MOST_SHARING = 8
"""Trials on one GPU at most: more of them wait for each other, whatever their memory."""

SPARE = 0.9
"""Share of a GPU's memory that is given away: allocators keep more than they use."""

MARGIN = 1.2
"""What a trial was seen to take, times this, is reserved for the next of its kind."""


@dataclass(frozen=True)
class Request:
    """What one trial reserves.

    Attributes:
        cpu: cores, and threads.
        gpu: share of one accelerator, or several.
        accelerator: its type; empty where any will do.
        memory: bytes of main memory; 0 where nothing is reserved.
        hidden: whether a GPU that is there must not be used.
    """

    cpu: int = 1
    gpu: float = 0.0
    accelerator: str = ""
    memory: int = 0
    hidden: bool = False

    @property
    def bundle(self) -> dict[str, float]:
        """In Ray's words. A type of accelerator is asked for by a sliver, as Ray itself does."""
        kind = {f"accelerator_type:{self.accelerator}": 0.001} if self.accelerator else {}
        return {"CPU": float(self.cpu)} | _given(GPU=self.gpu, memory=float(self.memory)) | kind

    def __str__(self) -> str:
        parts = [f"cpu {self.cpu}", f"gpu {self.gpu:g}" if self.gpu else "", self.accelerator]
        parts += [f"memory {self.memory / 2**30:.3g}GiB" if self.memory else ""]
        return ", ".join(part for part in parts if part)


class ResourceEstimator:
    """The requests of a study's cells on a pool of nodes.

    Args:
        pool: where they run.
    """

    def __init__(self, pool: ClusterCapacity) -> None:
        self._pool = pool
        self._seen: dict[tuple[str, str], float] = {}
        self._alone: set[str] = set()

    def request(self, job: Job) -> Request:
        """What the job's trial is to reserve now; what was learned of its kind counts."""
        wants, family = job.resources, job.cell.family
        asked = wants.gpu not in (None, "auto")
        core = family.accelerated and not asked and self._faster_on_a_core(job)
        gpu = wants.gpu if asked else self._share(job) if family.accelerated and not core else 0.0
        assert isinstance(gpu, (int, float))
        if job.key in self._alone and 0 < gpu < 1:
            gpu = 1.0
        return Request(
            cpu=wants.cpu or 1,
            gpu=float(gpu),
            accelerator=(wants.accelerator or "") if gpu else "",
            memory=wants.memory or 0,
            hidden=family.accelerated and (wants.gpu == 0 or core),
        )

    def learn(self, job: Job, peak: float) -> None:
        """A generation took `peak` bytes of an accelerator's memory."""
        kind = _kind(job)
        self._seen[kind] = max(peak, self._seen.get(kind, 0.0))

    def isolate(self, job: Job) -> None:
        """The job did not fit beside others: it gets an accelerator to itself."""
        self._alone.add(job.key)

    def _faster_on_a_core(self, job: Job) -> bool:
        """Whether there is an accelerator, and a generation of the job is too little work for one."""
        cell = job.cell
        if not self._pool.gpus or job.resources.accelerator:
            return False
        cost = cell.family.cost(cell.rows)
        return cell.rows * (cost.fit_flops + cost.sample_flops) < cell.family.core_flops

    def _share(self, job: Job) -> float:
        """1/k of a GPU, where the memory of k such trials fits; none where there are no GPUs."""
        accelerator = job.resources.accelerator
        if not accelerator and not self._pool.gpus:
            return 0.0
        whole = self._pool.gpu_bytes(accelerator)
        if whole is None:
            return 1.0
        seen = self._seen.get(_kind(job))
        need = MARGIN * seen if seen else job.cell.family.device_bytes(job.cell.rows)
        return share(need, whole)


def share(need: float, whole: float) -> float:
    """The share of a GPU of `whole` bytes for trials that need `need` bytes each."""
    sharing = min(MOST_SHARING, int(SPARE * whole / need))
    return int(1e4 / sharing) / 1e4 if sharing > 1 else 1.0


class Slots(Listener):
    """How many trials are handed out: as many as fit, and one of each kind that waits for the next free place.

    A pending trial is also what an autoscaler sees; so on a pool that can grow, as many as its limits allow.
    Listens to the board.

    Args:
        pool: where trials run.
        needs: what each reserves.
        most: trials at a time; None leaves it to the pool.
    """

    def __init__(self, pool: ClusterCapacity, needs: ResourceEstimator, most: int | None = None) -> None:
        self.needs, self._most = needs, most
        self._free = pool.totals()
        self._held: dict[str, Request] = {}
        self._pending: set[str] = set()

    def fits(self, job: Job) -> bool:
        """Whether the job's trial is to be handed to Tune now."""
        if self._most is not None and len(self._held) >= self._most:
            return False
        request = self.needs.request(job)
        if all(self._free.get(name, 0.0) >= amount - 1e-6 for name, amount in request.bundle.items()):
            return True
        if self._most is not None:
            return False
        return _roughly(request) not in {_roughly(self._held[key]) for key in self._pending}

    def take(self, job: Job) -> Request:
        """Hand out the job's trial."""
        request = self._held[job.key] = self.needs.request(job)
        self._pending.add(job.key)
        self._count(request, -1.0)
        return request

    def started(self, job: Job) -> None:
        """It has a place."""
        self._pending.discard(job.key)

    def ended(self, job: Job) -> None:
        """It gives its place back."""
        self._pending.discard(job.key)
        held = self._held.pop(job.key, None)
        if held is not None:
            self._count(held, 1.0)

    def held(self, job: Job) -> Request:
        """What the job's trial reserves."""
        return self._held[job.key]

    def _count(self, request: Request, sign: float) -> None:
        for name, amount in request.bundle.items():
            self._free[name] = self._free.get(name, 0.0) + sign * amount


def _roughly(request: Request) -> Request:
    """The same for all shares of a GPU, which change with what is learned."""
    return replace(request, gpu=float(request.gpu > 0))


def _kind(job: Job) -> tuple[str, str]:
    return job.cell.family.kind, job.cell.family.title


def _given(**amounts: float) -> dict[str, float]:
    return {name: amount for name, amount in amounts.items() if amount}


def as_config(request: Request) -> dict[str, Any]:
    """What a trial's config says of it."""
    return {"bundle": request.bundle, "threads": request.cpu} | ({"device": "cpu"} if request.hidden else {})

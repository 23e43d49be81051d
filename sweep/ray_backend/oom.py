"""Workers that Ray's memory monitor kills are dead workers like any other.

Where one dies within a task, Ray raises `OutOfMemoryError`, which Tune does not expect: it would end the whole study.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import OutOfMemoryError, RayActorError

LOW = re.compile(r"running low on memory\..* was (\S+) used / (\S+) limit")
"""What Ray says of it, among names of nodes and advice about its settings."""


@contextlib.contextmanager
def kills_are_deaths() -> Iterator[None]:
    """Within the block, Tune restarts the trials of workers that were killed for their node's memory."""
    told = RayActorManager._actor_task_failed

    def tell(manager: RayActorManager, tracked_actor_task: Any, exception: Exception) -> None:
        dead = RayActorError(error_msg=str(exception)) if isinstance(exception, OutOfMemoryError) else exception
        told(manager, tracked_actor_task, dead)

    RayActorManager._actor_task_failed = tell
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = told


def reason(said: str) -> str | None:
    """In one line what Ray says of a kill for memory; None where it says something else."""
    kills = LOW.findall(said)
    return "its machine ran low on memory, {} of {} were used".format(*kills[-1]) if kills else None

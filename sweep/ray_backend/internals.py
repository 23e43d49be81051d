"""Everything that is used of Ray beyond its public interface, and what happens where a release of Ray has it no longer.

The names are tested with the release that constraints.txt pins. Where one is gone that keeps Ray to this machine, the
run is refused; the others are left out, and that costs what their docstrings say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from sweep.errors import UsageError

SECRETS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"}
"""What Tune hands to its workers as settings of theirs, which Ray writes into a log that everybody may read."""

SPARE = ("start_monitor", "start_api_server", "start_log_monitor")
"""How a node starts what a machine that stands alone has no use for."""


def hold_secrets() -> None:
    """Let workers find credentials where their machine keeps them: the environment they inherit, a file, a role.

    Raises:
        UsageError: this Ray hands them on in a way that is not known here.
    """
    _required("ray.tune.execution.class_cache", "ENV_VARS_TO_PROPAGATE").difference_update(SECRETS)


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """Within the block, processes of a Ray that is started take the loopback address for their own.

    Raises:
        UsageError: this Ray reads the setting in a way that is not known here.
    """
    name = "ray._private.ray_constants"
    _required(name, "ENABLE_RAY_CLUSTER")
    with _replaced(import_module(name), "ENABLE_RAY_CLUSTER", False):
        yield


@contextlib.contextmanager
def sigterm_left_alone() -> Iterator[None]:
    """Within the block, Ray's start sets no handler of SIGTERM. Its own raises, and a start that it breaks off may hang
    for ever; where it can't be kept from doing so, a second SIGTERM ends the run."""
    module = import_module("ray._private.utils")
    with _replaced(module, "set_sigterm_handler", lambda handler: None):
        yield


@contextlib.contextmanager
def bare() -> Iterator[None]:
    """Within the block, a Ray that is started has no autoscaler, no server of its pages and no reader of its logs.

    Of a machine that stands alone there is nothing to add to, nothing to show and nobody to pass on to what workers
    print; yet each is a process, and Ray's start waits for the second. Where they can't be left out, they are started.
    """
    node: Any = _found("ray._private.node", "Node")
    with contextlib.ExitStack() as stack:
        for name in SPARE:
            stack.enter_context(_replaced(node, name, lambda *_, **__: None))
        yield


@contextlib.contextmanager
def waiting_workers() -> Iterator[None]:
    """Within the block, Tune's trials take the workers that Ray has started ahead.

    Tune gives every trial a setting of PyTorch Lightning's, PL_DISABLE_FORK, which no worker that waits has: each trial
    would wait for an environment and for another worker to load everything. Where it can't be left out, trials do so.
    """
    with _replaced(import_module("ray.tune.execution.class_cache"), "DEFAULT_ENV_VARS", {}):
        yield


@contextlib.contextmanager
def losses_are_deaths() -> Iterator[None]:
    """Within the block, Tune hears of whatever Ray has lost as of a worker's death.

    Where a worker is killed for its node's memory within a task, or a node dies with a result that was not fetched yet,
    Ray raises errors which Tune does not expect: they would end the whole study, as where this can't be mended.
    """
    from ray.exceptions import RayActorError, RayError, RayTaskError

    manager: Any = _found("ray.air.execution._internal.actor_manager", "RayActorManager")
    told: Callable[[Any, Any, Exception], None] | None = getattr(manager, "_actor_task_failed", None)
    if told is None:
        yield
        return

    def tell(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        lost = isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError)
        told(manager, tracked_actor_task, RayActorError(error_msg=str(exception)) if lost else exception)

    with _replaced(manager, "_actor_task_failed", tell):
        yield


def _found(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None


def _required(module: str, name: str) -> Any:
    found = _found(module, name)
    if found is None:
        from ray import __version__

        raise UsageError(
            f"ray {__version__}: {module}.{name} is not there, without which Ray would not be kept to itself; "
            "install the release that constraints.txt names"
        )
    return found


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Something of Ray's is another thing within the block; nothing happens where it is not there."""
    if not hasattr(owner, name):
        yield
        return
    held = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, held)

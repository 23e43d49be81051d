"""Ray's nodes: started here or joined, and asked what they have and whether they see the store."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import ray

from sweep.errors import UsageError
from sweep.ray_backend.code_shipping import environment, packed
from sweep.ray_backend.internals import bare, sigterm_left_alone
from sweep.ray_backend.mps import shared_cards
from sweep.ray_backend.node_probe import Look, gpu_memory, look
from sweep.ray_backend.security import confined
from sweep.resources import ClusterCapacity, Machines, NodeType, refuses
from sweep.signals import unchanged
from trainables.lineage import SCHEMA
from trainables.store import FsspecStore

if TYPE_CHECKING:
    from sweep.ray_backend.node_probe import Look
    from trainables.store import Store

KILLED = "Ray's node was killed, nothing can run; what was finished is kept"
"""Said when a run ends because of it."""

ROOM = 50 * 10**6
"""Bytes that Ray needs at least for logs and sockets."""

PATIENCE = 90.0
"""Seconds within which a node has to answer."""

THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TRIALS = THREADS | {"TOKENIZERS_PARALLELISM": "false", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Environment of a trial, wherever it runs."""

DRIVER = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1e9",
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",
}
"""Environment of the driver. Tune neither limits nor warns of waiting trials: `Slots` and `Watch` do; and it keeps
tracebacks to itself: a failure is one line of ours."""


@contextlib.contextmanager
def started(machines: Machines) -> Iterator[None]:
    """Ray, for the time of the block. At its end trials end at once: what they were computing is not in the store.

    Raises:
        UsageError: there is no cluster at the address.
    """
    for name, value in (TRIALS | DRIVER).items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)  # names failed trials by numbers of Tune's own
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged())
        if machines.address is None:
            stack.enter_context(shared_cards())
        stack.callback(_shut_down)
        with _signals_left_alone():
            if machines.address is None:
                _start_here(machines.cpus or 1)
            else:
                _join(machines.address, stack)
        yield


def _shut_down() -> None:
    """End Ray while no thread collects garbage. Tune leaves object references in cycles behind, and Ray 2.60.0 ends the
    whole process with exit code 1 when another thread (here that of the trackers) drops one while Ray shuts down.
    """
    gc.collect()
    collected = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if collected:
            gc.enable()


@contextlib.contextmanager
def _signals_left_alone() -> Iterator[None]:
    """Ray's start sets a handler of SIGTERM that raises, and a start that it breaks off may hang for ever."""
    with unchanged(), sigterm_left_alone():
        yield


def _start_here(cpus: int) -> None:
    """A Ray of our own. Nothing of it listens on other interfaces.

    Raises:
        UsageError: there is no room for its files.
    """
    _check_room()
    with confined(), bare():
        ray.init(
            address="local",
            num_cpus=cpus,
            num_gpus=None,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=100 * 2**20,
        )


def _check_room() -> None:
    folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    free = shutil.disk_usage(folder).free if os.path.isdir(folder) else ROOM
    if free < ROOM:
        raise UsageError(
            f"{folder}: Ray keeps its files there, and only {free / 1e6:.0f} MB are free; make room, or name another "
            "folder in RAY_TMPDIR (a short path: sockets lie in it)"
        )


def _join(address: str, stack: contextlib.ExitStack) -> None:
    """A cluster that is there, from one of its machines. Workers get this code, so that all compute the same keys."""
    if address.startswith("ray://"):
        raise UsageError(
            f"--address {address}: Ray Tune can't be driven through a Ray client; send the study to the cluster's head "
            "with `collapse-sweep submit STUDY --address http://HOST:8265`"
        )
    setting: dict[str, Any] = {"env_vars": TRIALS | environment()}
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:  # a job's code was shipped when it was submitted
        setting["working_dir"] = str(stack.enter_context(packed()))
    try:
        ray.init(address=address, runtime_env=setting, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as problem:
        reason = str(problem).strip().splitlines() or [type(problem).__name__]
        raise UsageError(
            f"--address {address}: no Ray cluster can be joined from here ({reason[0]}); start one with "
            "`ray start --head`, say RAY_AUTH_MODE=token before the command where it asks for a token, or send the "
            "study to its head with `collapse-sweep submit`"
        ) from None


def survey(machines: Machines, storage: str, store: Store) -> ClusterCapacity:
    """The nodes that are there and may come; each has been asked whether it sees the store.

    Raises:
        UsageError: a node does not see it, or runs other code.
    """
    assert isinstance(store, FsspecStore)
    store.begin()
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if machines.address is None:
        said = [(node, _local_look()) for node in nodes]
    else:
        with _marked(store) as mark:
            said = _ask(nodes, storage, mark)
        _check(said, storage)
    present = [NodeType(node["Resources"], gpu_bytes=min(seen.gpu_bytes, default=None)) for node, seen in said]
    types = {name: kind for _, seen in said for name, kind in seen.node_types.items()}
    pool = ClusterCapacity(
        present, [NodeType(kind["resources"], kind["count"], name=name) for name, kind in types.items()]
    )
    if pool.grows and "://" not in storage and not machines.shared:
        raise UsageError(
            f"--storage {storage}: nodes that the autoscaler adds would not see this folder; give an s3://, gs:// or "
            "other URL, or say --shared-storage where every node mounts the folder at this path"
        )
    return pool


def _local_look() -> Look:
    return Look(SCHEMA, gpu_memory())


@contextlib.contextmanager
def _marked(store: FsspecStore) -> Iterator[str]:
    """A file in the store for as long as nodes look for it; its name is that of a temporary file."""
    mark = f"seen.{secrets.token_hex(8)}.tmp"
    with store.reachable():
        store.place.write(mark, b"", durable=False)
    try:
        yield mark
    finally:
        with contextlib.suppress(*store.place.errors):
            store.place.remove(mark)


def _ask(nodes: list[dict[str, Any]], storage: str, mark: str) -> list[tuple[dict[str, Any], Look]]:
    """What every node says; one that has left meanwhile says nothing."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    gcs = ray.get_runtime_context().gcs_address
    asked = [
        ray.remote(look)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote(storage, mark, gcs)
        for node in nodes
    ]
    if len(ray.wait(asked, num_returns=len(asked), timeout=PATIENCE)[1]):
        raise UsageError(f"--address: some of {len(nodes)} nodes have not answered for {PATIENCE:.0f} s")
    return [(node, said) for node, answer in zip(nodes, asked, strict=True) if (said := _answer(answer)) is not None]


def _answer(asked: Any) -> Look | None:
    """A node's answer, None where the node is gone."""
    try:
        found: Look = ray.get(asked)
    except (ray.exceptions.TaskUnschedulableError, ray.exceptions.NodeDiedError):
        return None
    except ray.exceptions.RayError as problem:
        lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
        raise UsageError(
            f"--address: a node can't run this code ({lines[-1]}); install constraints.txt's packages on every node"
        ) from None
    return found


def _check(said: list[tuple[dict[str, Any], Look]], storage: str) -> None:
    for node, seen in said:
        name = node["NodeManagerHostname"]
        if seen.storage:
            raise UsageError(
                f"--storage {storage}: can't be used from node {name} ({seen.storage}); every node needs it: give an "
                "s3://, gs:// or other URL, or a folder that all nodes mount"
            )
        if seen.schema != SCHEMA:
            raise UsageError(f"--address: node {name} runs another version (schema {seen.schema}, here {SCHEMA})")


def lost() -> bool:
    """Whether no node is alive any more: Ray's own processes were killed, and nothing will run. A dead head, which
    would keep this thread and all others waiting, is not asked: `watched` sees to it."""
    if refuses(str(ray.get_runtime_context().gcs_address)):
        return False
    return not any(node["Alive"] for node in ray.nodes())

"""What is used of Ray's internals is there in this release; without it, nothing is open and nothing breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ray._private import ray_constants, utils
from ray._private.node import Node
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.tune import Trainable
from ray.tune.execution import class_cache

from sweep.errors import UsageError
from sweep.ray_backend import internals


def test_every_private_name_is_there_and_is_put_back() -> None:
    known = ray_constants.ENABLE_RAY_CLUSTER, utils.set_sigterm_handler, RayActorManager._actor_task_failed
    with internals.loopback_only(), internals.sigterm_left_alone(), internals.losses_are_deaths():
        assert ray_constants.ENABLE_RAY_CLUSTER is False
        assert utils.set_sigterm_handler is not known[1]
        assert RayActorManager._actor_task_failed is not known[2]
    assert known == (ray_constants.ENABLE_RAY_CLUSTER, utils.set_sigterm_handler, RayActorManager._actor_task_failed)
    internals.hold_secrets()
    assert not internals.SECRETS & set(class_cache.ENV_VARS_TO_PROPAGATE)


def test_a_ray_that_can_not_be_kept_to_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ray_constants, "ENABLE_RAY_CLUSTER")
    with pytest.raises(UsageError, match=r"^ray \S+: ray\._private\.ray_constants\.ENABLE_RAY_CLUSTER is not there"):
        internals.loopback_only().__enter__()
    monkeypatch.delattr(class_cache, "ENV_VARS_TO_PROPAGATE")
    with pytest.raises(UsageError, match="ENV_VARS_TO_PROPAGATE is not there"):
        internals.hold_secrets()


def test_trials_ask_for_no_environment_of_their_own_and_so_fit_workers_that_wait() -> None:
    known = dict(class_cache.DEFAULT_ENV_VARS)
    with internals.waiting_workers():
        made = class_cache._ActorClassCache().get(type("Trial", (Trainable,), {}))
    assert made._default_options.get("runtime_env") in (None, {}, {"env_vars": {}})
    assert class_cache.DEFAULT_ENV_VARS == known != {}


def test_what_is_a_convenience_is_left_out_where_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(utils, "set_sigterm_handler")
    monkeypatch.delattr(RayActorManager, "_actor_task_failed")
    monkeypatch.delattr(Node, "start_log_monitor")
    monkeypatch.delattr(class_cache, "DEFAULT_ENV_VARS")
    with (
        internals.sigterm_left_alone(),
        internals.losses_are_deaths(),
        internals.waiting_workers(),
        internals.bare(),
    ):
        assert not hasattr(class_cache, "DEFAULT_ENV_VARS")
        assert not hasattr(Node, "start_log_monitor")
        assert not hasattr(utils, "set_sigterm_handler")
        assert not hasattr(RayActorManager, "_actor_task_failed")


def test_no_other_module_reaches_into_ray() -> None:
    root = Path(internals.__file__).parents[2]
    private = re.compile(r"ray\.[\w.]*\b_\w+|ray\.tune\.execution")
    others = [path for room in ("sweep", "trainables", "analysis") for path in (root / room).rglob("*.py")]
    found = [path.name for path in others if path.name != "internals.py" and private.search(path.read_text())]
    assert found == []


def test_a_ray_of_this_machine_alone_starts_no_process_that_it_has_no_use_for() -> None:
    known = {name: getattr(Node, name) for name in internals.SPARE}
    with internals.bare():
        assert all(getattr(Node, name) is not held for name, held in known.items())
    assert {name: getattr(Node, name) for name in internals.SPARE} == known

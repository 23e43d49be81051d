"""Which nodes a run may use and which are refused, from what Ray and the nodes say; and what a tuning trial answers."""

from types import SimpleNamespace

import pytest

from sweep.errors import UsageError
from sweep.ray_backend import nodes, tune_first_trials
from sweep.ray_backend.node_probe import Look
from sweep.resources import Machines, Request
from trainables.lineage import SCHEMA
from trainables.store import open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # Ray's own imports


def test_nodes_that_can_not_use_the_store_or_run_other_code_are_named():
    node = {"NodeManagerHostname": "box7"}
    nodes._check([(node, Look(SCHEMA, []))], "/store")
    with pytest.raises(UsageError) as refused:
        nodes._check([(node, Look(SCHEMA, [], "no such folder"))], "/store")
    assert str(refused.value) == (
        "--storage /store: can't be used from node box7 (no such folder); every node needs it: give an s3://, gs:// or "
        "other URL, or a folder that all nodes mount"
    )
    with pytest.raises(UsageError) as refused:
        nodes._check([(node, Look(SCHEMA + 1, []))], "/store")
    assert str(refused.value) == (f"--address: node box7 runs another version (schema {SCHEMA + 1}, here {SCHEMA})")


@pytest.mark.parametrize(("free", "refuses"), [(49_999_999, True), (50_000_000, False)])
def test_ray_s_files_need_fifty_megabytes(monkeypatch, tmp_path, free, refuses):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(nodes.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    if not refuses:
        nodes._check_room()
        return
    with pytest.raises(UsageError) as refused:
        nodes._check_room()
    assert str(refused.value) == (
        f"{tmp_path}: Ray keeps its files there, and only 50 MB are free; make room, or name another folder in "
        "RAY_TMPDIR (a short path: sockets lie in it)"
    )


def test_a_ray_client_is_no_way_to_drive_tune():
    with pytest.raises(UsageError) as refused:
        nodes._join("ray://head:10001", None)
    assert str(refused.value) == (
        "--address ray://head:10001: Ray Tune can't be driven through a Ray client; send the study to the cluster's "
        "head with `collapse-sweep submit STUDY --address http://HOST:8265`"
    )


def test_a_mark_lies_in_the_store_only_while_nodes_look_for_it(tmp_path):
    store = open_store(str(tmp_path))
    store.begin()
    with nodes._marked(store) as mark:
        assert store.place.exists(mark)
    assert not store.place.exists(mark)


GROWING = {"worker": {"resources": {"CPU": 8.0}, "count": 4}}


@pytest.mark.parametrize(
    ("types", "url", "shared", "refuses"),
    [
        ({}, False, False, False),
        (GROWING, False, False, True),
        (GROWING, False, True, False),
        (GROWING, True, False, False),
    ],
)
def test_a_folder_of_this_machine_is_no_store_for_nodes_that_are_yet_to_come(
    monkeypatch, tmp_path, types, url, shared, refuses
):
    there = [{"Alive": True, "Resources": {"CPU": 2.0}}, {"Alive": False, "Resources": {"CPU": 99.0}}]
    monkeypatch.setattr(nodes.ray, "nodes", lambda: there)
    monkeypatch.setattr(nodes, "_local_look", lambda: Look(SCHEMA, [3.0, 2.0], "", types))
    storage = f"file://{tmp_path}" if url else str(tmp_path)
    if refuses:
        with pytest.raises(UsageError) as refused:
            nodes.survey(Machines(shared=shared), storage, open_store(storage))
        assert str(refused.value).startswith(
            f"--storage {storage}: nodes that the autoscaler adds would not see this folder;"
        )
        return
    pool = nodes.survey(Machines(shared=shared), storage, open_store(storage))
    assert [shape.resources for shape in pool.present] == [{"CPU": 2.0}], "of the living"
    assert pool.present[0].gpu_bytes == 2.0, "of its smallest card"
    assert pool.grows is bool(types)
    assert pool.slots({"CPU": 1.0}) == (32 if types else 2)


class Cramped(Exception):
    """Stands for what torch raises."""


Cramped.__name__ = "OutOfMemoryError"


@pytest.mark.parametrize(("gpu", "again"), [(0.5, True), (1.0, False)])
def test_a_tuning_trial_without_room_is_tried_alone_once(monkeypatch, gpu, again):
    def get(task):
        raise tune_first_trials.ray.exceptions.RayTaskError("f", "trace", Cramped("CUDA out of memory\nmore"))

    monkeypatch.setattr(tune_first_trials.ray, "get", get)
    if again:
        assert tune_first_trials._answer(None, Request(gpu=gpu)) is None
        return
    with pytest.raises(UsageError, match=r"^tune_first: a trial can't be computed: CUDA out of memory$"):
        tune_first_trials._answer(None, Request(gpu=gpu))

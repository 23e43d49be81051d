"""What a node says of itself, from files, other programs' output and processes that are made up here."""

import subprocess
from types import SimpleNamespace

import psutil
import pytest
import yaml

from sweep.ray_backend import node_probe
from sweep.ray_backend.last_words import reason
from sweep.ray_backend.node_probe import gpu_memory, look, node_types, workers
from trainables.lineage import SCHEMA
from trainables.store import open_store

CLUSTER = {
    "max_workers": 6,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 4}},
        "few": {"resources": {"CPU": 8}, "max_workers": 2},
        "many": {"resources": {"CPU": 16, "GPU": 1}, "max_workers": 50},
        "unsaid": {},
    },
}


def test_types_of_workers_are_told_with_as_many_as_the_cluster_allows_and_the_head_s_is_not():
    assert workers(CLUSTER) == {
        "few": {"resources": {"CPU": 8}, "count": 2},
        "many": {"resources": {"CPU": 16, "GPU": 1}, "count": 6},
        "unsaid": {"resources": {}, "count": 6},
    }
    assert workers({"available_node_types": {"w": {"max_workers": 3}}}) == {"w": {"resources": {}, "count": 0}}
    assert workers({}) == {}


@pytest.fixture
def processes(monkeypatch, tmp_path):
    """Processes of this machine: the words of each."""
    path = tmp_path / "bootstrap.yaml"
    path.write_text(yaml.safe_dump(CLUSTER))
    found = []
    monkeypatch.setattr(
        psutil, "process_iter", lambda names: [SimpleNamespace(info={"cmdline": words}) for words in found]
    )
    return found, path


def test_the_autoscaler_of_this_cluster_is_found_among_processes(processes):
    found, path = processes
    words = ["python", "monitor.py", f"--autoscaling-config={path}", "--gcs-address=10.0.0.1:6379", "--verbose"]
    found += [None, ["bash"], [*words[:3], "--gcs-address=10.0.0.2:6379"], words]
    assert node_types("10.0.0.1:6379") == workers(CLUSTER)
    assert node_types("10.0.0.3:6379") == {}, "clusters on one machine are told apart"


@pytest.mark.parametrize("lacking", ["monitor.py", "--autoscaling-config="])
def test_other_programs_with_the_same_words_are_no_autoscalers(processes, lacking):
    found, path = processes
    words = ["python", "monitor.py", f"--autoscaling-config={path}", "--gcs-address=a:1"]
    found.append([word for word in words if not word.startswith(lacking)])
    assert node_types("a:1") == {}


@pytest.mark.parametrize(
    ("said", "sizes"),
    [
        ("81559\n81559\n", [81559 * 2**20] * 2),
        ("15360\n", [15360 * 2**20]),
        ("", []),
        ("[N/A]\n", []),
        ("No devices were found\n", []),
    ],
)
def test_cards_are_told_in_bytes_by_the_driver_s_tool(monkeypatch, said, sizes):
    def run(command, **options):
        assert command[1:] == ["--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        return SimpleNamespace(stdout=said)

    monkeypatch.setattr(node_probe.subprocess, "run", run)
    assert gpu_memory() == sizes


@pytest.mark.parametrize(
    "problem", [FileNotFoundError(), subprocess.CalledProcessError(9, "nvidia-smi"), subprocess.TimeoutExpired("x", 20)]
)
def test_without_the_tool_there_are_no_cards(monkeypatch, problem):
    def run(command, **options):
        raise problem

    monkeypatch.setattr(node_probe.subprocess, "run", run)
    assert gpu_memory() == []


@pytest.fixture
def bare(monkeypatch):
    monkeypatch.setattr(node_probe, "gpu_memory", lambda: [1.0])
    monkeypatch.setattr(node_probe, "node_types", lambda gcs: {"gcs": gcs})


def test_a_node_says_whether_it_sees_what_the_driver_wrote(bare, tmp_path):
    store = open_store(str(tmp_path / "store"))
    store.begin()
    store.place.write("seen.tmp", b"", durable=False)
    here = look(str(tmp_path / "store"), "seen.tmp", "a:1")
    assert (here.schema, here.gpu_bytes, here.storage, here.node_types) == (SCHEMA, [1.0], "", {"gcs": "a:1"})
    (tmp_path / "other").mkdir()
    assert look(str(tmp_path / "other"), "seen.tmp", "").storage == "it does not hold there what it holds here"
    assert look(str(tmp_path / "other"), "", "").storage == "", "where nothing was written nothing is looked for"
    assert "nowhere://b" in look("nowhere://b/store", "seen.tmp", "").storage


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Task was killed due to the node running low on memory.\nMemory on the node (IP: 10.0.0.1) where the task "
            "was running was 7.61GB / 8.00GB (0.951), which exceeds the threshold.",
            None,
        ),
        (
            "node running low on memory. Memory on the node (IP: 10.0.0.1) was 7.61GB used / 8.00GB limit (0.95)",
            "its machine ran low on memory, 7.61GB of 8.00GB were used",
        ),
        (
            "running low on memory. It was 1GB used / 8GB limit\nrunning low on memory. It was 2GB used / 8GB limit",
            "its machine ran low on memory, 2GB of 8GB were used",
        ),
        ("The worker died unexpectedly", None),
        ("", None),
    ],
)
def test_a_kill_for_memory_is_told_by_its_last_figures_and_nothing_else_is_taken_for_one(said, told):
    assert reason(said) == told

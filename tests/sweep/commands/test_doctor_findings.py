"""`doctor`'s findings one by one, in this process, on machines that are made up; and how jobs of `submit` end."""

import json
from importlib import metadata
from types import SimpleNamespace

import psutil
import pytest

from sweep.commands import doctor as command
from sweep.commands import submit
from sweep.commands.doctor import FREE, Finding, doctor
from sweep.errors import UsageError
from sweep.workspace import open_workspace


@pytest.fixture
def place(tmp_path):
    return open_workspace(tmp_path / "w")


@pytest.fixture
def looked(monkeypatch, place, capsys):
    """`doctor` where only these things are looked at."""

    def at(*findings, json=False):
        for name in ("_names", "_optional", "_devices", "_workspace", "_storage", "_tracking"):
            monkeypatch.setattr(command, name, lambda workspace: iter(()))
        monkeypatch.setattr(command, "_packages", lambda workspace: iter(findings))
        return doctor(place, json), capsys.readouterr().out

    return at


FOUND = (
    Finding("git", "ok", "/usr/bin/git"),
    Finding("disk", "warning", "1.0 GB free at /", "free some space"),
    Finding("storage", "wrong", "s3://me:planted@b: no answer", "choose another"),
)


def test_findings_are_a_table_and_below_it_what_would_mend_them(looked):
    code, said = looked(*FOUND)
    assert code == 1
    assert said.splitlines() == [
        "ok       git      /usr/bin/git",
        "warning  disk     1.0 GB free at /",
        "WRONG    storage  s3://me:***@b: no answer",
        "disk: free some space",
        "storage: choose another",
    ]
    assert looked(*FOUND[:2])[0] == 0, "a warning stops nothing"


def test_findings_are_told_as_json_without_passwords(looked):
    code, said = looked(*FOUND, json=True)
    told = json.loads(said)
    assert code == 1
    assert [one["state"] for one in told] == ["ok", "warning", "wrong"]
    assert told[2]["found"] == "s3://me:***@b: no answer"


def test_a_check_that_can_not_be_made_for_want_of_a_package_is_a_finding(monkeypatch, place):
    def _tracking(workspace):
        raise ImportError("No module named 'mlflow'")
        yield

    (found,) = command._made(_tracking, place)
    assert (found.what, found.state, found.found) == (
        "tracking",
        "wrong",
        "can't be checked: No module named 'mlflow'",
    )


@pytest.mark.parametrize(
    ("needed", "there", "state", "fix"),
    [
        ("numpy>=2", "2.1", "ok", ""),
        ("numpy>=2", "1.26", "wrong", 'pip install "numpy>=2"'),
        ("numpy>=2", "3.0rc1", "ok", ""),
        ("numpy>=2", None, "wrong", 'pip install "numpy>=2"'),
    ],
)
def test_a_dependency_has_to_be_there_at_a_version_that_will_do(monkeypatch, place, needed, there, state, fix):
    def version(name):
        if name == "collapse-sweep":
            return "0.1"
        if there is None:
            raise metadata.PackageNotFoundError(name)
        return there

    monkeypatch.setattr(metadata, "requires", lambda name: [needed, "torchvision; extra == 'images'"])
    monkeypatch.setattr(metadata, "version", version)
    ours, found = command._packages(place)
    assert (ours.found, ours.state) == ("0.1", "ok")
    assert (found.what, found.state, found.found, found.fix) == ("numpy", state, there or "is missing", fix)


def test_a_source_tree_that_is_not_installed_is_told_with_the_way_to_install_it(monkeypatch, place):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    assert list(command._packages(place)) == [
        Finding("collapse-sweep", "wrong", "is not installed", "pip install -e . in its folder")
    ]


@pytest.mark.parametrize(("free", "state"), [(FREE, "ok"), (FREE - 1, "warning")])
def test_two_gigabytes_of_disk_and_of_memory_are_few(monkeypatch, place, free, state):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(command.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    memory = next(found for found in command._devices(place) if found.what == "memory")
    (disk,) = command._workspace(place)
    assert (memory.state, memory.found) == (disk.state, "2.0 GB free") == (state, "2.0 GB free")
    assert disk.found == f"2.0 GB free at {place.root.parent}", "of the folder that is there"
    assert (memory.fix == "") is (disk.fix == "") is (state == "ok")


def test_a_device_that_is_not_there_is_told(monkeypatch, place):
    monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", "abacus")
    found = {one.what: one for one in command._devices(place)}["device"]
    assert (found.state, found.fix) == ("wrong", "unset COLLAPSE_SWEEP_DEVICE")
    assert "abacus" in found.found


def test_a_store_is_tried_and_left_as_it_was(tmp_path, place):
    (found,) = command._storage(place)
    assert (found.state, found.found) == ("ok", f"{place.storage} can be written")
    assert list((tmp_path / "w" / "store").glob("probe/**/*.json")) == []
    (tmp_path / "file").touch()
    (found,) = command._storage(open_workspace(tmp_path / "w", str(tmp_path / "file" / "store")))
    assert (found.state, found.fix) == ("wrong", "choose a --storage that can be written")


def test_trackers_are_each_looked_at_and_a_database_that_is_yet_to_be_made_is_not(tmp_path):
    workspace = open_workspace(tmp_path / "w", None, "mlflow,csv://,jsonl://runs")
    own, wrong, right = command._tracking(workspace)
    assert (own.state, own.found) == ("ok", f"sqlite:///{tmp_path / 'w' / 'mlflow.db'} will be made by the first run")
    assert wrong.state == "wrong"
    assert wrong.found.startswith("--tracking-uri csv://: names no folder")
    assert (right.state, right.found) == ("ok", "jsonl://runs can be used")
    assert not (tmp_path / "w").exists()


def test_what_is_done_without_is_a_warning_with_the_problem_in_a_line():
    def fail():
        raise OSError("no\nfont")

    assert command._tried("figures", fail, "install fonts") == Finding(
        "figures", "warning", "OSError: no font", "install fonts"
    )
    assert command._tried("figures", lambda: "drawn", "install fonts") == Finding("figures", "ok", "drawn")


class Head:
    """A head that takes a job after it has refused some, and says how it ended."""

    def __init__(self, *refusals, code=0, status="FAILED", message=None):
        self.refusals, self.asked = list(refusals), []
        self.info = SimpleNamespace(driver_exit_code=code, status=status, message=message)

    def submit_job(self, **job):
        self.asked.append(job)
        if self.refusals:
            raise RuntimeError(self.refusals.pop(0))
        return "job7"

    def get_job_info(self, job):
        return self.info


@pytest.fixture
def asleep(monkeypatch):
    slept = []
    monkeypatch.setattr(submit.time, "sleep", slept.append)
    monkeypatch.setattr(submit.time, "monotonic", lambda: sum(slept))
    return slept


def test_a_head_that_has_just_been_started_is_waited_for(asleep, tmp_path):
    head = Head(*["No available agent to submit job"] * 3)
    assert submit._send(head, "http://h", "command", tmp_path, "toy") == "job7"
    assert asleep == [2.0] * 3
    assert head.asked[-1] == {
        "entrypoint": "command",
        "runtime_env": {"working_dir": str(tmp_path)},
        "metadata": {"study": "toy"},
    }


@pytest.mark.parametrize(
    ("refusals", "slept"), [(["the disk\nis full"], 0), (["No available agent"] * 99, 61)], ids=["full", "never ready"]
)
def test_a_head_that_takes_no_job_is_told_in_a_line(asleep, tmp_path, refusals, slept):
    with pytest.raises(UsageError) as refused:
        submit._send(Head(*refusals), "http://h", "command", tmp_path, "toy")
    said = " ".join(refusals[0].split())
    assert str(refused.value) == f"--address http://h: the head takes no job: {said}"
    assert len(asleep) == slept, "for two minutes"


def test_a_job_ends_as_its_run_did_and_one_without_an_end_says_why(capsys):
    assert submit._ended(Head(code=0), "job7") == 0
    assert submit._ended(Head(code=2), "job7") == 2
    assert submit._ended(Head(code=None, status="STOPPED", message="by hand"), "job7") == 1
    assert submit._ended(Head(code=None, status="FAILED"), "job7") == 1
    assert capsys.readouterr().err == "the job is STOPPED: by hand\nthe job is FAILED: no reason was given\n"

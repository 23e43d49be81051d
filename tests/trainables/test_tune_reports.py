"""What a trial reports besides its records: who is busy, what memory it took, which store it does not see."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trainables import Cell
from trainables.config import canonical_json
from trainables.families.base import DEVICE_CONTEXT
from trainables.recursion import Recursion
from trainables.store import Busy, open_store
from trainables.store.base import Holder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CELL = Cell.model_validate(
    {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 2}
)


@pytest.fixture(autouse=True)
def process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process keeps its own threads and device."""
    for name in ("COLLAPSE_SWEEP_THREADS", "COLLAPSE_SWEEP_DEVICE"):
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)


def trial(folder: Path, **config: Any) -> Any:
    from trainables.tune import CellTrial

    made = CellTrial.__new__(CellTrial)  # without Ray's bookkeeping: only what is ours
    made.setup({"cell": canonical_json(CELL.canonical()), "store": str(folder)} | config)
    return made


def raising(monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fail(self: Recursion, generation: int) -> None:
        raise problem

    monkeypatch.setattr(Recursion, "record", fail)


def test_a_busy_step_is_named_with_who_computes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, Busy("model", "abc", Holder("far", 7)))
    found = trial(tmp_path).step()
    assert found == {
        "cell": CELL.key,
        "record": None,
        "done": True,
        "busy": "process 7 on far",
        "held": ["model", "abc"],
    }


def test_a_card_whose_memory_does_not_do_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory.\nTried to allocate")
    raising(monkeypatch, problem)
    found = trial(tmp_path).step()
    assert "failure" not in found
    assert (found["cramped"]["generation"], found["cramped"]["reason"]) == (1, "OutOfMemoryError: CUDA out of memory.")
    assert found["cramped"]["final"] is False


def test_what_is_told_of_a_failure_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hush-hush-hush")
    raising(monkeypatch, ValueError("at https://me:secret@host/x\nand hush-hush-hush"))
    failure = trial(tmp_path).step()["failure"]
    assert failure["reason"] == "ValueError: at https://me:***@host/x"
    assert "hush" not in failure["details"]
    assert failure["details"].startswith("Traceback")
    raising(monkeypatch, ValueError())
    assert trial(tmp_path).step()["failure"]["reason"] == "ValueError"


def test_a_store_that_the_driver_has_begun_must_be_seen_here(tmp_path: Path) -> None:
    found = trial(tmp_path / "other", begun=True).step()
    assert found["broken"] == (
        f"node {socket.gethostname()} does not see the store at {tmp_path}/other; give --storage a URL, or mount the "
        "folder there"
    )
    open_store(str(tmp_path / "seen")).begin()  # type: ignore[attr-defined]
    assert trial(tmp_path / "seen", begun=True).step()["record"]
    assert trial(tmp_path / "new").step()["record"], "nobody has begun"


def test_the_last_generation_is_done_and_no_other(tmp_path: Path) -> None:
    made = trial(tmp_path)
    assert [made.step()["done"] for _ in range(2)] == [False, True]


def test_a_checkpoint_of_another_cell_is_not_gone_on_from(tmp_path: Path) -> None:
    made = trial(tmp_path / "store")
    made.step()
    made.save_checkpoint(str(tmp_path))
    file = tmp_path / "records.json"
    assert json.loads(file.read_text())["cell"] == CELL.key
    file.write_text(json.dumps(json.loads(file.read_text()) | {"cell": "another"}))
    fresh = trial(tmp_path / "store")
    fresh.load_checkpoint(str(tmp_path))
    assert json.loads(fresh.step()["record"])["generation"] == 1


def torch_with(initialised: bool, reserved: int, calls: list[str]) -> Any:
    def told(name: str) -> Any:
        return lambda *arguments: calls.append(name)

    cuda = SimpleNamespace(
        is_initialized=lambda: initialised,
        max_memory_reserved=lambda: reserved,
        empty_cache=told("empty"),
        reset_peak_memory_stats=told("reset"),
    )
    return SimpleNamespace(cuda=cuda, set_num_threads=lambda count: calls.append(f"threads {count}"))


@pytest.mark.parametrize(("initialised", "peak"), [(True, 5000 + DEVICE_CONTEXT), (False, None)])
def test_a_record_says_what_was_taken_of_a_card_where_one_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialised: bool, peak: float | None
) -> None:
    """Torch's own memory and what each process takes before it: 0.6 GiB."""
    assert DEVICE_CONTEXT / 2**30 == 0.6
    calls: list[str] = []
    made = trial(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", torch_with(initialised, 5000, calls))
    assert made.step().get("peak") == peak


def test_a_reused_process_takes_up_the_threads_and_the_device_of_its_next_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables import tune

    calls: list[str] = []
    monkeypatch.setattr(tune, "_GIVEN", None)
    monkeypatch.setitem(sys.modules, "torch", torch_with(True, 0, calls))
    tune.prepare_process(3, "cpu")
    assert (os.environ["COLLAPSE_SWEEP_THREADS"], os.environ["COLLAPSE_SWEEP_DEVICE"]) == ("3", "cpu")
    assert calls == ["threads 3", "empty", "reset"]
    tune.prepare_process(1, None)
    assert "COLLAPSE_SWEEP_DEVICE" not in os.environ, "the best there is, again"
    monkeypatch.setattr(tune, "_GIVEN", "cuda:1")
    tune.prepare_process(1, "cpu")
    assert os.environ["COLLAPSE_SWEEP_DEVICE"] == "cuda:1", "what the user said goes before what the study says"

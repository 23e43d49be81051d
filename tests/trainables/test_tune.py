"""A cell as a trial: the same records as in one process, and never an exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainables import Cell, CellFailed, run
from trainables.config import canonical_json
from trainables.recursion import Recursion
from trainables.store import Busy, StoreError
from trainables.store.base import Holder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
CELL = Cell.model_validate(
    {"family": {"kind": "gaussian"}, "policy": {"kind": "accumulate"}, "rows": 20, "generations": 3}
)


def trial(folder: Path, cell: Cell = CELL) -> Any:
    from trainables.tune import CellTrial

    made = CellTrial.__new__(CellTrial)  # without Ray's bookkeeping: only what is ours
    made.setup({"cell": canonical_json(cell.canonical()), "store": str(folder), "threads": 1})
    return made


def steps(made: Any) -> list[dict[str, Any]]:
    found = []
    while not (found and found[-1]["done"]):
        found.append(made.step())
    return found


def without_seconds(text: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(text).items() if name != "seconds"}


def test_a_trial_reports_what_a_recursion_in_one_process_yields(tmp_path: Path) -> None:
    reported = [without_seconds(result["record"]) for result in steps(trial(tmp_path / "a"))]
    alone = [without_seconds(record.model_dump_json()) for record in run(CELL)]
    assert reported == alone


def test_a_reused_process_takes_up_another_cell_from_its_beginning(tmp_path: Path) -> None:
    made, other = trial(tmp_path), CELL.model_copy(update={"seed": 5})
    steps(made)
    assert made.reset_config({"cell": canonical_json(other.canonical()), "store": str(tmp_path)}) is True
    results = steps(made)
    assert [json.loads(result["record"])["generation"] for result in results] == [1, 2, 3]
    assert {result["cell"] for result in results} == {other.key}


def test_a_process_that_can_take_up_no_other_cell_ends_and_the_cell_is_not_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is raised there is the cell's failure to Tune; after an accelerator's fault each call of it raises."""
    from ray.tune import Trainable

    made = trial(tmp_path)

    def refuse(threads: int, where: str | None) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    ended = list[int]()
    monkeypatch.setattr("trainables.tune.prepare_process", refuse)
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr(Trainable, "reset", lambda self, config, storage: self.reset_config(config))
    made.reset({"cell": canonical_json(CELL.canonical()), "store": str(tmp_path)}, None)
    assert ended == [1]


def test_a_checkpoint_holds_keys_and_records_and_nothing_else(tmp_path: Path) -> None:
    made = trial(tmp_path / "store")
    made.step()
    made.step()
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    made.save_checkpoint(str(folder))
    (file,) = folder.iterdir()
    held = json.loads(file.read_text())
    assert sorted(held) == ["cell", "records"]
    assert file.stat().st_size < 20_000
    fresh = trial(tmp_path / "store")
    fresh.load_checkpoint(str(folder))
    assert json.loads(fresh.step()["record"])["generation"] == 3


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (CellFailed(2, "the loss is nan"), {"failure": {"generation": 2, "reason": "the loss is nan", "final": True}}),
        (
            MemoryError("no room\nat all"),
            {"failure": {"generation": 1, "reason": "MemoryError: no room", "final": False}},
        ),
        (StoreError("disk full"), {"broken": "disk full"}),
        (Busy("model", "k", Holder("h", 7)), {"busy": "process 7 on h"}),
    ],
)
def test_whatever_goes_wrong_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, expected: dict[str, Any]
) -> None:
    def fail(self: Recursion, generation: int) -> None:
        raise problem

    monkeypatch.setattr(Recursion, "record", fail)
    result = trial(tmp_path).step()
    assert result["done"] is True
    assert result["record"] is None
    for name, value in expected.items():
        found = result[name]
        if isinstance(value, dict):
            details = found.pop("details")
            assert ("Traceback" in details) is not found["final"]
        assert found == value


def test_of_what_ray_says_of_a_dead_worker_the_reason_is_kept(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from sweep.ray_backend.tuner import _last_words

    said = tmp_path / "error.txt"
    said.write_text(
        "Failure # 1 (occurred at 2026-11-23_16-09-00)\nThe actor died unexpectedly.\n\tits worker was killed (OOM).\n"
    )
    assert _last_words(SimpleNamespace(error_file=str(said))) == "its worker was killed (OOM)."
    assert _last_words(SimpleNamespace(error_file=None)) == "no reason was given"


def test_what_goes_wrong_while_a_cell_is_taken_up_is_its_failure(tmp_path: Path) -> None:
    """An exception in `setup` is a worker's death to Ray, which starts another: three times, two minutes, in vain."""
    from trainables.tune import CellTrial

    made = CellTrial.__new__(CellTrial)
    broken = json.loads(canonical_json(CELL.canonical())) | {"rows": -1}
    made.setup({"cell": json.dumps(broken), "key": "abc", "store": str(tmp_path), "threads": 1})
    (result,) = steps(made)
    assert (result["cell"], result["done"], result["record"]) == ("abc", True, None)
    assert result["failure"]["generation"] == 1
    assert result["failure"]["reason"].startswith("ValidationError: ")
    assert result["failure"]["final"] is False

"""What the driver does with what trials report."""

import errno
import traceback
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune import TuneError

from sweep.errors import Interrupted, UsageError
from sweep.ray_backend import tuner
from trainables import Cell, Record, run
from trainables.store import StoreError

GAUSSIAN = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 10, "generations": 2}


def test_a_record_is_parsed_once_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune shows a result to the stopper, and a copy of it to the callback."""
    records = list(run(Cell.model_validate(GAUSSIAN)))
    parsed: list[str] = []
    whole = Record.model_validate_json

    def counted(text: str) -> Record:
        parsed.append(text)
        return whole(text)

    monkeypatch.setattr(Record, "model_validate_json", counted)
    judged, recorded = list[Record](), list[Record]()
    job = SimpleNamespace(key="key", stages=[None, None], done=0)
    board: Any = SimpleNamespace(
        jobs={"key": job},
        holds=lambda job: True,
        judge=lambda job, record: judged.append(record) or False,
        record=lambda job, record: recorded.append(record),
    )
    heard, slots = tuner._Heard(), SimpleNamespace(needs=None)
    pulse: Any = SimpleNamespace()
    stops, reports = tuner._Stops(board, heard), tuner._Reports(board, pulse, slots, heard, tuner._Deaths())  # type: ignore[arg-type]
    trial = SimpleNamespace()
    for record in records:
        result = {"cell": "key", "record": record.model_dump_json(), "done": False}
        assert stops("trial", result) is False
        reports.on_trial_result(1, [], trial, result.copy())
    assert judged == recorded == records
    assert len(parsed) == 2


def told_by_tune(cause: Exception) -> TuneError:
    """How Tune tells of what was raised within a callback of its own or of ours: as text."""
    try:
        try:
            raise cause
        except Exception:
            raise TuneError(traceback.format_exc())  # noqa: B904 - as Tune does
    except TuneError as problem:
        return problem


def test_a_store_that_breaks_while_the_board_reads_it_ends_the_run_as_one_that_breaks_in_a_worker() -> None:
    for problem in (told_by_tune(StoreError("/mnt/x: Input/output error")), StoreError("/mnt/x: Input/output error")):
        board: Any = SimpleNamespace(broken=None)
        with pytest.raises(Interrupted):
            tuner._conclude(problem, board)
        assert board.broken == "/mnt/x: Input/output error"


@pytest.mark.parametrize(
    "cause", [OSError(errno.ENOSPC, "No space left on device", "/tmp/ray/error.txt"), UsageError("no such server")]
)
def test_what_a_user_can_mend_is_not_told_as_a_fault_of_tune(cause: Exception) -> None:
    board: Any = SimpleNamespace(broken=None)
    with pytest.raises(type(cause)) as raised:
        tuner._conclude(told_by_tune(cause), board)
    assert raised.value is cause
    assert board.broken is None


def test_a_fault_of_the_program_is_told_as_it_is() -> None:
    fault, board = told_by_tune(ValueError("no such member")), SimpleNamespace()
    with pytest.raises(TuneError) as raised:
        tuner._conclude(fault, board)  # type: ignore[arg-type]
    assert raised.value is fault

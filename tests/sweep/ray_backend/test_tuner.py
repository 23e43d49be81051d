"""What the driver does with what trials report."""

from types import SimpleNamespace
from typing import Any

import pytest

from sweep.ray_backend import tuner
from trainables import Cell, Record, run

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

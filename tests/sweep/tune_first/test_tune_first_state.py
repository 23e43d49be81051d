"""Tuning first: chosen by validation loss alone, resumable from the store, frozen for all policies."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import Study, StudyError
from search_spaces.loading.study import study_from
from sweep.commands.status import status
from sweep.engine import open_board
from sweep.planning import plan_study
from sweep.reporting import findings_of
from sweep.scheduling import Board
from sweep.tune_first import presumed, settled, tuned
from sweep.tune_first.state import check_chosen, pending
from sweep.workspace import open_workspace
from tests.support.toys import Counting, drain
from trainables.families.closed_form.kde.family import Kde
from trainables.recursion import validate
from trainables.store import Store, open_store


def fair(samples: int = 5, family: str = "kde") -> Study:
    raw: dict[str, Any] = {
        "name": "fair",
        "cell": {"family": {"kind": family, "held_out": 60}, "rows": 30, "generations": 3},
        "space": {
            "family.data": {"grid": ["moons", "blobs"]},
            "family.bandwidth": {"loguniform": [0.01, 2.0]},
            "policy.kind": {"grid": ["replace", "accumulate"]},
            "seed": {"grid": [0, 1]},
        },
        "tune_first": {"params": ["bandwidth"], "on": "generation 1", "num_samples": samples},
    }
    return study_from(raw, "fair.yaml")


def tune(study: Study, store: Store) -> None:
    for point in pending(study, store):
        validate(point.cell, store)


def test_the_setting_with_the_least_validation_loss_is_frozen_for_all_policies(tmp_path: Path) -> None:
    study, store = fair(), open_store(str(tmp_path))
    assert settled(study, store).blocks == ()
    tune(study, store)
    for one in tuned(study, store):
        assert one.chosen is not None
        best = one.losses.index(min(loss for loss in one.losses if loss is not None))
        assert one.chosen == one.tuning.trials[best].values
    board = Board(store)
    board.admit(point for point in _points(settled(study, store)))
    widths = {(job.cell.family.data, job.cell.family.bandwidth) for job in board.jobs.values()}  # type: ignore[attr-defined]
    assert len(board.jobs) == 8
    assert len(widths) == 2


def test_the_test_rows_have_no_say_in_what_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other test rows, and even none at all, choose the same; other validation rows would not."""
    study = fair()
    plain, poisoned, turned = (open_store(str(tmp_path / name)) for name in ("a", "b", "c"))
    tune(study, plain)

    def refuse(self: Kde, *arguments: Any) -> Any:
        raise AssertionError("judged on the test rows")

    monkeypatch.setattr(Kde, "evaluate", refuse)
    monkeypatch.setattr(Kde, "_held_out", property(refuse))
    tune(study, poisoned)
    assert [(one.chosen, one.losses) for one in tuned(study, poisoned)] == [
        (one.chosen, one.losses) for one in tuned(study, plain)
    ]
    real = Kde.validate
    monkeypatch.setattr(Kde, "validate", lambda self, model: -real(self, model))
    tune(study, turned)
    assert [one.chosen for one in tuned(study, turned)] != [one.chosen for one in tuned(study, plain)]


def test_tuning_goes_on_where_it_stopped_and_is_extended(tmp_path: Path) -> None:
    study, store = fair(), open_store(str(tmp_path))
    cells = [point.cell for point in pending(study, store)]
    assert len(cells) == 10
    for cell in cells[:4]:
        validate(cell, store)
    assert [point.cell.key for point in pending(study, store)] == [cell.key for cell in cells[4:]]
    assert not any(one.done for one in tuned(study, store)[1:])
    tune(study, store)
    assert pending(study, store) == []
    assert len(pending(fair(samples=7), store)) == 4, "two more settings for each of two sizes"


def test_the_study_begins_with_the_models_that_were_tuned(tmp_path: Path) -> None:
    study, store = fair(), Counting(open_store(str(tmp_path)))
    tune(study, store)  # type: ignore[arg-type]
    store.computed.clear()
    board = Board(store)  # type: ignore[arg-type]
    board.admit(_points(settled(study, store)))  # type: ignore[arg-type]
    drain(board, store)
    fitted = sum(name.startswith("model/") for name in store.computed)
    assert fitted == 2 * (2 * 2 * 3 - 2) - 2, "generation 1 is shared by policies, and that of seed 0 was tuned"


def test_a_size_that_never_trains_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, store = fair(), open_store(str(tmp_path))
    real = Kde.validate
    monkeypatch.setattr(
        Kde, "validate", lambda self, model: math.nan if self.config.data == "blobs" else real(self, model)
    )
    tune(study, store)
    assert [one.chosen is None for one in tuned(study, store)] == [False, True]
    with pytest.raises(StudyError, match=r"diverged at every setting of family.data=blobs; give params other ranges"):
        check_chosen(study, store)


def test_what_can_not_be_tuned_is_refused_before_anything_runs(tmp_path: Path) -> None:
    raw = {
        "name": "g",
        "cell": {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}},
        "tune_first": {"params": {"estimator": {"grid": ["biased", "unbiased"]}}},
    }
    with pytest.raises(StudyError, match=r"^cell.family: gaussian has no validation rows to tune on$"):
        pending(study_from(raw, "g"), open_store(None))


def test_plan_board_and_report_show_the_tuning(tmp_path: Path) -> None:
    study, workspace = fair(), open_workspace(tmp_path, tracking_uri="none")
    store = open_store(workspace.storage)
    before = plan_study(study, store)
    assert (before.tuning, before.totals.cells) == (10, 8 + 10)
    assert open_board(study, workspace, store).jobs == {}
    assert len(_points(presumed(study, store))) == 8
    tune(study, store)
    after = plan_study(study, store)
    assert (after.tuning, after.totals.cells, after.totals.stored) == (0, 8, 2)
    board = open_board(study, workspace, store)
    assert len(board.jobs) == 8
    told = findings_of(study, workspace, board, store)
    assert len(told.lines) == 2
    assert told.lines[0].startswith("Tuned first data=moons: bandwidth=")
    assert len(json.loads(told.tags["tune_first"])) == 2
    assert len(json.loads(json.dumps(told.plain))["tune_first"]) == 10
    (section,) = told.sections
    assert section.exhibits[0].table["chosen"].sum() == 2


def test_status_tells_how_far_the_tuning_is_and_what_was_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, workspace = tmp_path / "fair.yaml", open_workspace(tmp_path / "w", tracking_uri="none")
    file.write_text(yaml.safe_dump(fair().canonical()))
    store = open_store(workspace.storage)
    for point in pending(fair(), store)[:6]:
        validate(point.cell, store)
    assert status(str(file), [], workspace, json=False) == 0
    said = capsys.readouterr().out
    assert "fair: tuning first: 6 of 10 fits of generation 1 are done; 4 cells wait for it" in said
    assert "Tuned first data=moons: bandwidth=" in said
    assert "Tuned first data=blobs: 1 of 5 settings are known." in said
    tune(fair(), store)
    assert status(str(file), [], workspace, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["tune_first"]["done"], told["tune_first"]["waiting"], len(told["cells"])) == (10, 0, 8)
    assert all(one["chosen"] for one in told["tune_first"]["sizes"])


def _points(study: Study) -> Any:
    from search_spaces.expansion import expand

    return expand(study)

"""What a study found beside its curves, and which records a report is made of."""

import json
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from sweep.reporting import replacing, tuned_lines
from sweep.reporting.findings import Findings
from sweep.reporting.report import _stamp, assess, stored, tracked
from sweep.scheduling import Board
from sweep.tracking import TAG
from sweep.tune_first import Tuned
from sweep.workspace import open_workspace
from tests.support.toys import drain, points, toy
from trainables.store import MemoryStore


def tuned(*losses, size=None, name=""):
    """Settings of a bandwidth of 1, 2, … that came to these validation losses."""
    trials = [SimpleNamespace(values={"family.bandwidth": float(n)}) for n in range(1, len(losses) + 1)]
    return Tuned(SimpleNamespace(trials=trials, size=size or {}), name, losses)


@pytest.mark.parametrize(
    ("losses", "chosen"),
    [
        ((0.5, 0.2, 0.9), 2.0),
        ((0.5, 0.2, 0.2), 2.0),  # the first of equals
        ((math.inf, 0.7, math.inf), 2.0),
        ((-1.0, -2.0, 3.0), 2.0),
        ((math.inf, math.inf, math.inf), None),
        ((0.5, None, 0.9), None),  # the one that is not known may be less
    ],
)
def test_the_setting_of_the_least_validation_loss_is_chosen_once_all_are_known(losses, chosen):
    found = tuned(*losses)
    assert found.chosen == (None if chosen is None else {"family.bandwidth": chosen})
    assert found.done is (None not in losses)


def test_a_tuning_is_told_by_what_was_chosen_or_how_far_it_is():
    size = {"family.data": "moons", "rows": 30}
    assert tuned_lines([tuned(0.51234, 0.2, size=size)]) == [
        "Tuned first data=moons, rows=30: bandwidth=2, validation loss 0.2, best of 2 settings."
    ]
    assert tuned_lines([tuned(0.51234, math.inf)]) == [
        "Tuned first: bandwidth=1, validation loss 0.5123, best of 2 settings."
    ]
    assert tuned_lines([tuned(0.5, None, None)]) == ["Tuned first: 1 of 3 settings are known."]


def test_json_tells_each_setting_and_no_infinity():
    plain = Findings([], [tuned(0.5, math.inf, size={"family.data": "moons"}, name="b"), tuned(None)]).plain
    rows = json.loads(json.dumps(plain, allow_nan=False))["tune_first"]
    first = {"block": "b", "size": {"family.data": "moons"}, "values": {"family.bandwidth": 1.0}, "loss": 0.5}
    assert rows[0] == first | {"chosen": True, "diverged": False}
    assert (rows[1]["loss"], rows[1]["diverged"], rows[1]["chosen"]) == (None, True, False)
    assert (rows[2]["loss"], rows[2]["diverged"], rows[2]["chosen"]) == (None, False, False)


def test_tags_name_what_was_chosen_and_fit_into_a_tag():
    search = {"search": "s", "best": ["x" * TAG]}
    tags = Findings([], [tuned(0.5, 0.2, size={"rows": 30}), tuned(None)], [search]).tags
    assert json.loads(tags["tune_first"]) == [{"size": {"rows": 30}, "values": {"family.bandwidth": 2.0}}]
    assert len(tags["collapse_sweep.search"]) == TAG
    assert Findings([]).tags == Findings([]).plain == {}
    assert Findings([]).lines == Findings([]).sections == []


def board_of(study, store):
    board = Board(store)
    board.admit(points(study))
    return board


def test_a_report_is_of_the_generations_that_the_study_asks_for():
    """The store holds five generations of three policies; the study asks for three of two."""
    store = MemoryStore()
    drain(board_of(toy(("replace", "accumulate", "accumulate_subsample"), generations=5), store), store)
    study = toy(("replace", "accumulate"))
    frame = stored(study, board_of(study, store), store)
    assert set(frame["policy"]) == {"replace", "accumulate"}
    assert sorted(frame["generation"].unique()) == [1, 2, 3]
    assert len(frame) == 4 * 3
    assert list(frame.index) == list(range(12))
    table = assess(frame, store)
    assert sorted(table[table["metric"] == "test_loss"]["policy"]) == ["accumulate", "replace"]


def test_runs_that_are_shown_nowhere_or_can_not_be_read_are_none(tmp_path):
    study, store = toy(), MemoryStore()
    for uri in ("none", f"csv://{tmp_path}/runs", f"sqlite:///{tmp_path}/none.db"):
        workspace = open_workspace(tmp_path / "w", tracking_uri=uri)
        assert tracked(study, board_of(study, store), workspace) is None


def test_files_take_others_places_only_when_all_are_written(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "old.csv").write_text("kept")
    (folder / "table.csv").write_text("first")

    def fail():
        with replacing(folder) as fresh:
            (fresh / "table.csv").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (folder / "table.csv").read_text() == "first"
    with replacing(folder) as fresh:
        (fresh / "table.csv").write_text("second")
        assert (folder / "table.csv").read_text() == "first"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"old.csv": "kept", "table.csv": "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["report"], "nothing is left beside it"


def test_a_stamp_is_of_every_figure_every_name_and_every_word():
    frame = pd.DataFrame({"test_loss": [1.0, 2.0], "policy": ["a", "b"]})
    stamp = _stamp(frame, "title", "command")
    assert stamp == _stamp(frame.copy(), "title", "command")
    others = [
        _stamp(frame.assign(test_loss=[1.0, 2.0 + 4e-16]), "title", "command"),
        _stamp(frame.rename(columns={"policy": "seed"}), "title", "command"),
        _stamp(frame.iloc[::-1], "title", "command"),
        _stamp(frame, "title", "comman"),
        _stamp(frame, "titlecommand", ""),
    ]
    assert len({stamp, *others}) == 6

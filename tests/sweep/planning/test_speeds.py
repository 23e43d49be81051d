"""Measured speeds: the one most like a make, and the file that keeps them by machine."""

import json
from types import SimpleNamespace

import pytest

from sweep.planning import speeds
from sweep.planning.speeds import Make, Speed, nearest
from sweep.scheduling import Job, Stage
from trainables import Cell

ONE = Speed(1e-9, None, 0.5, 3, "runs")


def make(family="language", title="gpt2 0.1M", parameters=100, variant="a"):
    return Make(family, title, parameters, variant)


def test_the_speed_of_the_make_itself_comes_first():
    own, other = Speed(1.0, 1.0, 1.0, 1, "store"), make(variant="b")
    assert nearest({other: ONE, make(): own}, make()) == (own, make())


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        ([make(parameters=90, title="x", variant="b"), make(parameters=500, variant="c")], "c"),
        ([make(parameters=240, title="x", variant="b"), make(parameters=50, title="y", variant="c")], "c"),
        ([make(parameters=190, title="x", variant="b"), make(parameters=50, title="y", variant="c")], "b"),
        ([make(parameters=0, title="x", variant="c"), make(parameters=9, title="x", variant="b")], "b"),
        ([make(family="vae", variant="b"), make(parameters=9999, title="x", variant="c")], "c"),
        ([make(variant="c"), make(variant="b")], "b"),
    ],
)
def test_else_that_of_the_same_size_or_of_the_nearest_of_its_family(known, chosen):
    found = nearest(dict.fromkeys(known, ONE), make())
    assert found is not None
    assert found[1].variant == chosen


def test_another_family_says_nothing():
    assert nearest({make(family="vae"): ONE}, make()) is None


def test_a_file_keeps_what_other_machines_and_makes_have(tmp_path, monkeypatch):
    path = tmp_path / "speeds.json"
    monkeypatch.setattr(speeds, "machine", lambda: "here")
    path.write_text(json.dumps({"there": [1], "broken": 2}))
    assert speeds.read(path) == {}
    speeds.write(path, {make(): ONE, make(variant="b"): ONE})
    faster = Speed(1e-10, 2e-10, 0.1, 9, "calibration")
    speeds.write(path, {make(): faster})
    assert speeds.read(path) == {make(): faster, make(variant="b"): ONE}
    assert json.loads(path.read_text()).keys() == {"there", "here"}


@pytest.mark.parametrize("text", ["", "[]", '{"here": [{"make": {}}]}', '{"here": 3}'])
def test_a_file_that_can_not_be_read_says_nothing_and_is_written_anew(tmp_path, monkeypatch, text):
    path = tmp_path / "speeds.json"
    monkeypatch.setattr(speeds, "machine", lambda: "here")
    path.write_text(text)
    assert speeds.read(path) == {}
    speeds.write(path, {make(): ONE})
    assert speeds.read(path) == {make(): ONE}


class Described:
    """A store of manifests alone."""

    def __init__(self, **held):
        self.held = held

    def describe(self, kind, key):
        return self.held.get(f"{kind}_{key}")


def manifest(run=None, **meta):
    return SimpleNamespace(meta=meta, made={} if run is None else {"run": run})


def record(fit, evaluate, run=None):
    return manifest(run, seconds={"fit": fit, "evaluate": evaluate})


def stage(number, batch="", flops=100.0, sampling=0.0):
    return Stage(f"m{number}", batch, str(number), flops, sampling)


def test_a_speed_is_the_median_of_its_generations():
    held = {f"record_{n}": record(fit, 1.0 * n) for n, fit in enumerate((900.0, 10.0, 30.0), 1)}
    found = speeds.observe({make(): [stage(n) for n in (1, 2, 3)]}, Described(**held))
    assert found == {make(): Speed(0.3, None, 2.0, 3, "store")}


def test_fits_and_samples_are_told_apart():
    held = {"record_1": record(90.0, 1.0), "batch_b": manifest(sample_seconds=5.0)}
    one = stage(1, "b", flops=100.0, sampling=10.0)
    assert speeds.observe({make(): [one]}, Described(**held))[make()] == Speed(1.0, 0.5, 1.0, 1, "store")
    real = {"record_1": record(90.0, 1.0), "batch_b": manifest()}
    assert speeds.observe({make(): [one]}, Described(**real))[make()].sample is None


def test_the_last_generations_of_many_count():
    held = {f"record_{n}": record(1.0 if n < 10 else 2.0, 1.0) for n in range(10 + speeds.ENOUGH)}
    found = speeds.observe({make(): [stage(n) for n in range(10 + speeds.ENOUGH)]}, Described(**held))[make()]
    assert (found.generations, found.fit) == (speeds.ENOUGH, 0.02)


def test_what_is_not_there_failed_or_was_made_elsewhere_says_nothing(monkeypatch):
    monkeypatch.setattr(speeds, "machine", lambda: speeds._name({"cpu": "this", "cores": 2, "gpus": []}))
    this, other = ({"cpu": cpu, "cores": 2, "gpus": []} for cpu in ("this", "other"))
    held = {
        **{"record_1": manifest(failed="the loss is nan"), "record_2": record(1.0, 1.0, "theirs")},
        **{"record_3": record(1.0, 1.0, "lost"), "provenance_theirs": manifest(hardware=other)},
    }
    stages = {make(): [stage(n) for n in (0, 1, 2, 3)]}
    assert speeds.observe(stages, Described(**held)) == {}
    ours = {"record_2": record(7.0, 1.0, "ours"), "provenance_ours": manifest(hardware=this)}
    assert speeds.observe(stages, Described(**held | ours))[make()].fit == 0.07


def test_a_study_that_ran_is_kept_for_plans_of_others(tmp_path, monkeypatch):
    monkeypatch.setattr(speeds, "machine", lambda: "here")
    cell = Cell.model_validate(
        {"family": {"kind": "linear", "dim": 3}, "policy": {"kind": "replace"}, "generations": 2, "rows": 20}
    )
    path, job = tmp_path / "speeds.json", Job(cell, "", {}, [stage(1), stage(2)], done=1)
    speeds.learn(path, [job], Described())
    assert not path.exists()
    speeds.learn(path, [job], Described(record_1=record(4.0, 0.5), record_2=record(9.0, 0.5)))
    (one, speed), *more = speeds.read(path).items()
    assert (one.family, one.title, one.parameters) == ("linear", "dim 3", cell.family.cost(20).parameters)
    assert (speed, more) == (Speed(0.04, None, 0.5, 1, "runs"), [])


def test_replicates_and_every_setting_make_a_make_of_its_own():
    def named(**fields):
        given = {"family": {"kind": "linear", "dim": 3}, "policy": {"kind": "replace"}, "generations": 2, "rows": 20}
        return speeds.make_of(Cell.model_validate(given | fields)).variant

    assert named() == named(policy={"kind": "accumulate"}, seed=4)
    assert len({named(), named(replicates=2), named(family={"kind": "linear", "dim": 3, "noise": 0.5})}) == 3

"""Measured speeds: the one most like a make, and the file that keeps them by machine."""

import json

import pytest

from sweep.planning import speeds
from sweep.planning.speeds import Make, Speed, nearest

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

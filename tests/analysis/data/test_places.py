"""Whose files a run may name, what is cut where a scheduler stopped, and which cells stand for others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data import compositions, is_own, representatives, samples
from analysis.data.censoring import cut_replicates, limits
from analysis.data.replicates import read, times_until, values_of
from analysis.data.stored_points import metrics_of
from trainables import Cell, Record
from trainables.recursion import Steps
from trainables.store import MemoryStore, Payload


def test_a_database_file_keeps_what_lies_below_its_folder(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    inside, outside = tmp_path / "my files" / "a", tmp_path.parent / "other"
    assert is_own(uri, str(inside))
    assert is_own(uri, inside.as_uri())
    assert not is_own(uri, outside.as_uri())
    assert not is_own(uri, f"{inside}/../../../other")
    assert not is_own(uri, f"file://{tmp_path}".replace("file:///", "file://host/"))
    assert not is_own(uri, "s3://bucket/a")
    (tmp_path / "way").symlink_to(outside)
    assert not is_own(uri, str(tmp_path / "way" / "a")), "a link leads out"


def group(*cells: tuple[str, str, str, int, str]) -> pd.DataFrame:
    """Rows of cells: key, configuration, policy, generations, status."""
    rows = [
        {"cell": key, "config": config, "policy": policy, "generation": n, "status": status}
        for key, config, policy, last, status in cells
        for n in range(1, last + 1)
    ]
    return pd.DataFrame(rows)


def test_a_group_is_judged_up_to_the_first_stop_and_no_other_group_is() -> None:
    frame = group(
        ("a", "x", "replace", 9, "done"),
        ("b", "x", "replace", 5, "stopped_early"),
        ("c", "x", "replace", 3, "stopped_early"),
        ("d", "x", "replace", 2, "failed"),
        ("e", "x", "accumulate", 9, "done"),
        ("f", "y", "replace", 9, "done"),
    )
    assert limits(frame) == {"a": 3, "b": 3, "c": 3, "d": 3}
    held = {key: {"loss": np.zeros((2, 9))} for key in "ae"}
    assert {k: v["loss"].shape for k, v in cut_replicates(held, frame).items()} == {"a": (2, 3), "e": (2, 9)}
    assert limits(frame[frame["status"] != "stopped_early"]) == {}


def shown(*cells: tuple[str, str, str, int, int]) -> pd.DataFrame:
    """Cells of families: family, configuration, policy, seed, generations."""
    rows = [
        {"family": family, "config": config, "policy": policy, "seed": seed, "generation": n}
        | {"cell": f"{family}{config}{policy}{seed}", "cell_config": "{}"}
        for family, config, policy, seed, last in cells
        for n in range(1, last + 1)
    ]
    return pd.DataFrame(rows)


def test_the_lowest_seed_that_got_furthest_stands_for_its_policy() -> None:
    frame = shown(
        ("f", "x", "replace", 2, 5), ("f", "x", "replace", 1, 5), ("f", "x", "replace", 0, 4),
        ("f", "y", "replace", 0, 9), ("g", "z", "mix", 3, 1),
    )  # fmt: skip
    found = representatives(frame, 1)
    assert found["cell"].tolist() == ["fxreplace1", "gzmix3"]
    assert found["generation"].tolist() == [5, 1]
    assert representatives(frame, 2)["cell"].tolist() == ["fxreplace1", "fyreplace0", "gzmix3"]
    assert representatives(frame.drop(columns="cell_config"), 1).empty


CELL = Cell.model_validate(
    {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 5, "replicates": 2}
)
TEXT = json.dumps(CELL.canonical())


def store(*generations: int, **tensors: np.ndarray) -> MemoryStore:
    """Records of a cell; each figure has a row a replicate and a column a generation."""
    held = MemoryStore()
    for n in generations:
        meta = {"composition": {"rows_by_batch": {"0": 5, str(n): 15}}}
        payload = Payload(meta=meta, tensors={name: v[:, n - 1] for name, v in tensors.items()}, files={"a.txt": b"x"})
        held.once("record", Steps(CELL).step(n).record, lambda payload=payload: payload)
    return held


def one(generations: int = 5) -> pd.DataFrame:
    frame = shown(("f", "x", "replace", 0, generations))
    return frame.assign(cell_config=TEXT, replicates=2, left=1.0, real_fraction=0.25, corpus_rows=20.0)


FIGURE = np.array([[3.0, 2.0, 1.0, 1.0, 1.0], [3.0, 3.0, 3.0, 2.0, 2.0]])


def test_replicates_are_stacked_by_generation_where_every_record_is_there() -> None:
    held = store(1, 2, 3, 4, 5, left=FIGURE, odd=np.zeros((3, 5)))
    found = values_of(CELL, 5, held)
    assert list(found) == ["left"], "a figure of another number of recursions is none of theirs"
    np.testing.assert_array_equal(found["left"], FIGURE)
    assert values_of(CELL, 5, store(1, 2, 4, 5, left=FIGURE)) == {}
    assert values_of(CELL, 0, held) == {}
    assert list(read(one(), held)) == ["fxreplace0"]
    assert read(one(), held, limit=5) != {}
    assert read(one(), held, limit=4) == {}
    assert read(one().assign(replicates=1), held) == {}
    assert read(one().drop(columns="cell_config"), held) == {}


def test_a_figure_is_reached_in_the_first_generation_that_has_it() -> None:
    found = times_until(one(), store(1, 2, 3, 4, 5, left=FIGURE), "left", 1.0)
    assert found.to_numpy().tolist() == [["x", "replace", 0, 0, 3, True], ["x", "replace", 0, 1, 5, False]]
    nowhere = times_until(one(), store(1, 2, 3, 4, 5, left=FIGURE), "absent", 1.0)
    assert nowhere.empty
    assert list(nowhere.columns) == ["config", "policy", "seed", "replicate", "time", "reached"]


def test_corpora_are_the_records_or_the_frames() -> None:
    found = compositions(one(2), store(1, 2))
    assert found.to_numpy().tolist() == [
        ["f", "replace", 1, 0, 5.0, True], ["f", "replace", 1, 1, 15.0, True],
        ["f", "replace", 2, 0, 5.0, True], ["f", "replace", 2, 2, 15.0, True],
    ]  # fmt: skip
    without = compositions(one(1), None)
    assert without.to_numpy().tolist() == [["f", "replace", 1, 0, 5.0, False], ["f", "replace", 1, 1, 15.0, False]]
    assert compositions(one(1).assign(real_fraction=np.nan), None).empty
    assert not compositions(one(2), MemoryStore())["audited"].any()


@pytest.mark.parametrize(
    ("generations", "asked", "places"),
    [(5, 3, [1, 3, 5]), (5, 2, [1, 5]), (4, 3, [1, 2, 4]), (1, 3, [1]), (2, 3, [1, 2])],
)
def test_samples_are_of_the_first_the_last_and_evenly_spaced_generations(
    generations: int, asked: int, places: list[int]
) -> None:
    found = samples(one(generations), store(1, 2, 3, 4, 5), generations=asked)
    assert [(s.config, s.policy, s.generation) for s in found] == [("x", "replace", n) for n in places]
    assert found[0].files == {"a.txt": b"x"}
    assert samples(one(generations), MemoryStore()) == []


def test_a_generation_shows_its_figures_by_name() -> None:
    composition = {
        "duplicates": 3, "rejected": {"first": 2, "second": 4}, "weight_by_batch": {"0": 0.25, "-1": 0.5, "2": 0.25}
    }  # fmt: skip
    record = Record(
        generation=2, test_loss=0.5, metrics={"left": 7.0}, corpus_rows=30, real_fraction=0.1,
        model="m", composition=composition, seconds={"fit": 1.5},
    )  # fmt: skip
    assert metrics_of(record) == {
        "test_loss": 0.5, "corpus_rows": 30.0, "real_fraction": 0.1, "left": 7.0, "seconds.fit": 1.5,
        "composition.duplicates": 3.0, "composition.rejected": 6.0, "composition.real_weight": 0.75,
    }  # fmt: skip

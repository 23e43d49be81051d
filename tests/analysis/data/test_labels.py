"""How configurations are named and sorted."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from analysis.data import CellRun, Points, configurations, in_order, order, short, tidy, title, titles
from analysis.data.labels import natural
from tests.support import simulated
from trainables import Cell


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    base = {"family": "linear", "architecture": "", "size": "dim 10"}
    return pd.DataFrame([base | {"config": f"c{n}"} | row for n, row in enumerate(rows)])


def test_only_what_tells_configurations_apart_is_named() -> None:
    noisy = [{"family.noise": noise, "family.estimator": "ols", "family.ridge": noise} for noise in (0.3, 1.0)]
    found = configurations(frame(*noisy))
    assert found["hyperparameters"].tolist() == ["noise=0.3", "noise=1"]
    sizes = [{"size": size, "family.noise": noise} for size, noise in (("dim 10", 1.0), ("dim 5", 2.0))]
    assert configurations(frame(*sizes))["hyperparameters"].tolist() == ["", ""]


def test_close_numbers_have_as_many_digits_as_tell_them_apart() -> None:
    """As a search draws them; three digits would name the first two alike."""
    found = configurations(frame(*({"family.noise": noise} for noise in (1.0001, 1.0002, 2.0, 0.1 + 0.2, 0.3))))
    told = found["hyperparameters"].loc[[f"c{n}" for n in range(5)]].tolist()
    assert told[:3] == ["noise=1.0001", "noise=1.0002", "noise=2"]
    assert len(set(told)) == 5


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(1.0, 3, "1"), (0.30005, 4, "0.3"), (None, 3, ""), (True, 3, "True")]
)
def test_a_value_in_few_characters(value: object, digits: int, text: str) -> None:
    assert short(value, digits) == text


def test_close_policies_are_not_one() -> None:
    """Of 50 shares drawn between 0.1 and 1, two are the same in three digits three times of four."""
    runs, points = [], Points()
    for ratio in (0.3001, 0.3002, 0.5):
        cell = simulated.cell({"kind": "linear"}, {"kind": "ratio_mix", "ratio": ratio}, 0)
        runs.append(CellRun(str(ratio), simulated.tags("s", cell), json.dumps(cell)))
        points.add(str(ratio), "test_loss", 1, 1.0)
    assert set(tidy(runs, points)["policy"]) == {f"ratio_mix(ratio={ratio})" for ratio in (0.3001, 0.3002, 0.5)}


def labels(*policies: dict[str, Any]) -> list[str]:
    runs, points = [], Points()
    for number, policy in enumerate(policies):
        cell = simulated.cell({"kind": "linear"}, policy, number)
        runs.append(CellRun(str(number), simulated.tags("s", cell), json.dumps(cell)))
        points.add(str(number), "test_loss", 1, 1.0)
    return tidy(runs, points).sort_values("seed")["policy"].tolist()


def test_composed_policies_are_named_by_the_parts_that_differ() -> None:
    """The whole lists, of 600 characters, left no room for a picture, and MLflow refused them."""
    pool = {"source": "pool", "how": "subsample", "times": 0.5, "rows": None, "weight": 1.0}
    latest = {"source": "latest", "how": "first", "times": 0.5, "rows": None, "weight": 2.0}
    one, other = ({"kind": "compose", "corpus": [pool | {"times": times}, latest]} for times in (0.5, 0.25))
    assert labels(one, other) == ["compose(corpus.0.times=0.5)", "compose(corpus.0.times=0.25)"]
    shorter = {"kind": "compose", "corpus": [pool]}
    assert labels(one, shorter)[1] == "compose"
    assert len(set(labels(one, other, shorter))) == 3


def test_where_much_differs_a_name_says_as_little_as_tells_policies_apart() -> None:
    base = {"kind": "compose", "sample": {"times": 1.0, "power": 0.0, "decay": 1.0, "edit": None}}
    kept = {"rule": "top", "judge": "first", "candidates": 2.0, "temperature": 1.0, "level": 0.1}
    assert labels(base, base | {"keep": kept}) == ["compose", "compose(keep.rule=top)"]
    assert labels(base | {"keep": kept}, base | {"keep": kept | {"judge": "own"}}) == [
        "compose(keep.judge=first)",
        "compose(keep.judge=own)",
    ]


def test_a_family_is_told_apart_from_itself_alone() -> None:
    rows = [{"family.noise": 1.0}, {"family": "gaussian", "family.noise": 2.0}]
    assert configurations(frame(*rows))["hyperparameters"].tolist() == ["", ""]


def test_configurations_stand_in_the_order_of_their_numbers() -> None:
    sizes = ["dim 100", "dim 5", "dim 10"]
    found = configurations(frame(*({"size": size} for size in sizes)))
    assert found["size"].tolist() == ["dim 5", "dim 10", "dim 100"]
    assert found.index.tolist() == ["c1", "c2", "c0"]
    table = pd.DataFrame({"config": ["c0", "c1", "c2", "c1"], "n": range(4)})
    assert in_order(table, found)["n"].tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize(
    "texts",
    [
        ["0.4M", "1M", "12M", "1B"],
        ["dim 5", "dim 10"],
        ["999K", "1M"],
        ["noise=1e-5", "noise=0.001", "noise=2"],
        ["a", "b", "b1", "b2", "b10"],
    ],
)
def test_texts_sort_as_people_read_them(texts: list[str]) -> None:
    mixed = texts[::-1]
    mixed.sort(key=natural)
    assert mixed == texts


def test_a_title_is_what_there_is() -> None:
    names = configurations(frame({"architecture": "gpt2", "size": "0.1M"}, {"size": ""}))
    assert titles(names) == {"c0": "linear · gpt2 · 0.1M", "c1": "linear"}
    assert [title(row) for _, row in names.iterrows()] == list(titles(names).values())


def test_no_frame_has_no_configurations() -> None:
    assert configurations(frame({}).iloc[:0]).empty


def test_policies_stand_as_registered_their_variants_beside_them_and_strangers_last() -> None:
    given = ["zebra", "accumulate", "replace(n=2)", "replace", "aardvark", "accumulate"]
    assert order(given) == ["replace", "replace(n=2)", "accumulate", "aardvark", "zebra"]


ANCHOR = {"kind": "weighted_fresh", "weight": 0.5}


def named(*populations: dict[str, Any]) -> list[str]:
    runs, points = [], Points()
    base = {"family": {"kind": "linear"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 1}
    for number, population in enumerate(populations):
        held = Cell.model_validate(base | {"population": population}).canonical()
        runs.append(CellRun(str(number), simulated.tags("s", held) | {"cell": str(number)}, json.dumps(held)))
        points.add(str(number), "test_loss", 1, 1.0)
    return configurations(tidy(runs, points))["hyperparameters"].tolist()


def test_members_are_called_anchored_where_there_is_an_anchor() -> None:
    graphs = [{"graph": "ring"}, {"graph": "star"}]
    assert named(*graphs) == ["population.graph=ring", "population.graph=star"]
    ring = {"graph": "ring", "anchor": ANCHOR}
    assert named(graphs[0], ring | {"anchored": (1,)}, ring | {"anchored": (2,)}) == [
        "",
        "population.anchor.kind=weighted_fresh, population.anchored=[1]",
        "population.anchor.kind=weighted_fresh, population.anchored=[2]",
    ]

"""Tables: what is read is what is there, rows are held out by content, and bad ones get one line."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from trainables import Cell
from trainables.recursion import check_data
from trainables.sources.tables import TABLES, Simulated, load

EMBEDDED = [kind for kind in TABLES if kind not in ("simulated", "table")]


def source(kind="table", **fields):
    return TABLES.get(kind)(**fields)


def frame(rows=200, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(rows)
    return pd.DataFrame(
        {
            "x": x,
            "colour": rng.choice(["blue", "green", "red"], rows),
            "target": np.where(rng.random(rows) < 1 / (1 + np.exp(-x)), "yes", "no"),
        }
    )


def written(folder, table, name="table.csv"):
    path = folder / name
    table.to_parquet(path) if name.endswith("parquet") else table.to_csv(path, index=False)
    return str(path)


@pytest.mark.parametrize("kind", EMBEDDED)
def test_embedded_tables_are_what_they_were(kind):
    found = load(source(kind), counts=False)
    assert found.train.x.shape[1] == source(kind).columns + 1
    assert set(found.train.labels.tolist()) == {0, 1}
    rows = [part.rows for part in (found.train, found.validation, found.test)]
    assert rows[0] / sum(rows) == pytest.approx(0.7, abs=0.08)


def test_diabetes_is_counts_too():
    found = load(source("diabetes"), counts=True)
    assert 25 <= found.train.labels.min() < found.train.labels.max() <= 346


def test_text_is_one_hot_and_numbers_are_standardised(tmp_path):
    table = frame()
    found = load(source(path=written(tmp_path, table)), counts=False)
    assert found.names == ("x", "colour=green", "colour=red")
    assert np.allclose(found.train.x[:, 0], 1)
    assert np.allclose(found.train.x[:, 1:].mean(axis=0), 0, atol=1e-12)
    assert np.allclose(found.train.x[:, 1:].std(axis=0), 1)
    assert sum(part.labels.sum() for part in (found.train, found.validation, found.test)) == (
        (table["target"] == "yes").sum()
    )


def test_formats_are_alike_and_order_does_not_matter(tmp_path):
    table = frame()
    paths = [
        written(tmp_path, table),
        written(tmp_path, table, "table.parquet"),
        written(tmp_path, table, "table.csv.gz"),
        written(tmp_path, table.iloc[::-1], "back.csv"),
    ]
    found = [load(source(path=path), counts=False) for path in paths]
    for other in found[1:]:
        held = [np.sort(splits.test.x[:, 1]) for splits in (found[0], other)]
        assert np.allclose(*held)
    assert len({str(source(path=path).identity()["digest"]) for path in paths}) == 4


def test_equal_rows_lie_on_one_side(tmp_path):
    table = pd.concat([frame(100)] * 3)
    found = load(source(path=written(tmp_path, table)), counts=False)
    sides = [{tuple(row) for row in part.x.round(9)} for part in (found.train, found.validation, found.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]


def test_gaps_are_dropped_or_filled(tmp_path):
    table = frame()
    table.loc[:9, "x"] = np.nan
    table.loc[5:12, "colour"] = None
    path = written(tmp_path, table)
    dropped = load(source(path=path, missing="drop"), counts=False)
    assert sum(part.rows for part in (dropped.train, dropped.validation, dropped.test)) == 187
    filled = load(source(path=path, missing="mean"), counts=False)
    assert filled.names == ("x", "colour=blue", "colour=green", "colour=red")
    assert sum(part.rows for part in (filled.train, filled.validation, filled.test)) == 200
    assert sum((part.x[:, 1] == 0).sum() for part in (filled.train, filled.validation, filled.test)) == 10


def spoilt(what):
    table = frame()
    match what:
        case "constant":
            table["one"] = 1.0
        case "one word":
            table["colour"] = "red"
        case "one class":
            table["target"] = "yes"
        case "three classes":
            table["target"] = table["colour"]
        case "text among numbers":
            table["x"] = table["x"].astype(object)
            table.loc[3, "x"] = "n/k"
        case "names":
            table["colour"] = [f"name {n}" for n in range(len(table))]
        case "empty column":
            table["nothing"] = np.nan
        case "gaps":
            table.loc[:4, "x"] = np.nan
        case "three rows":
            table = table.iloc[:3]
        case "no target":
            table = table.rename(columns={"target": "y"})
        case "no features":
            table = table[["target"]]
        case "infinite":
            table.loc[0, "x"] = np.inf
        case "no labels":
            table["target"] = np.nan
        case "infinite target":
            table["target"] = np.where(table["target"] == "yes", np.inf, 0)
        case "vast":
            table["x"] *= 1e200
        case "a held-out row has it":
            table["colour"] = ["red" if n == 6 else "blue" for n in range(len(table))]  # which is held out
        case "dates":
            table["colour"] = [f"2026-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(len(table))]
    return table


BAD = {
    "constant": "column 'one' is 1 in every row",
    "one word": "column 'colour' is 'red' in every row",
    "one class": "the target 'target' is 'yes' in every row; two classes are needed",
    "three classes": r"source.positive: the target 'target' has 3 values \(blue, green, red\)",
    "text among numbers": "column 'x' holds 'n/k' among numbers",
    "names": "column 'colour' holds 200 different texts where numbers or at most 50 categories are needed",
    "empty column": "column 'nothing' has no value in any row",
    "gaps": r"source.missing: 5 of 200 rows have gaps, most in 'x' \(5\); say `drop`",
    "three rows": "table has 3 rows; at least 24 are needed",
    "no target": "source.target: no column 'target' among x, colour, y",
    "no features": "no column beside the target",
    "infinite": "column 'x' holds infinite values",
    "no labels": "no row has a value of the target",
    "infinite target": "source.target: 'target' holds infinite values",
    "vast": "column 'x' holds numbers too large to be squared",
    "a held-out row has it": r"column 'colour=red' is the same in all \d+ training rows; leave it out",
    "dates": "column 'colour' holds 200 different texts",
}


@pytest.mark.parametrize("what", BAD)
def test_bad_tables_get_one_line(tmp_path, what):
    with pytest.raises(ValueError, match=BAD[what]) as problem:
        load(source(path=written(tmp_path, spoilt(what))), counts=False)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"positive": "maybe"}, "source.positive: the target 'target' is never 'maybe', but no, yes"),
        ({"drop": ["size"]}, "source.drop: no column 'size' among x, colour, target"),
    ],
)
def test_settings_that_the_table_has_not(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        load(source(path=written(tmp_path, frame()), **fields), counts=False)


@pytest.mark.parametrize(
    ("column", "counts", "message"),
    [
        ([[0], [1]], False, "source.target: 'target' holds values of type ndarray, which name no class"),
        ([True, False], True, "source.target: 'target' holds True, which is no count"),
        (["2026-01-01", "2026-01-02"], True, r"source.target: 'target' holds Timestamp\(.*\), which is no count"),
    ],
)
def test_targets_that_are_no_labels(tmp_path, column, counts, message):
    table = frame()
    values = pd.Series([column[n % 2] for n in range(len(table))])
    table["target"] = pd.to_datetime(values) if isinstance(column[0], str) else values
    with pytest.raises(ValueError, match=message):
        load(source(path=written(tmp_path, table, "table.parquet")), counts=counts)


@pytest.mark.parametrize("what", ["copied", "all but copied", "summed"])
def test_a_column_that_follows_from_others_is_refused_but_for_a_penalty(tmp_path, what):
    table = frame()
    if what == "copied":
        table["again"] = 3 * table["x"] - 2
    elif what == "all but copied":
        table["again"] = table["x"] + 1e-7 * np.random.default_rng(0).standard_normal(len(table))
    else:
        table["again"] = (table["colour"] == "red") * 1 + (table["colour"] == "green") * 2
    fields = {"kind": "glm", "source": {"kind": "table", "path": written(tmp_path, table)}}
    cell = {"policy": {"kind": "replace"}, "rows": 50, "generations": 1}
    message = r"source: column '(again|colour=.*)' follows from those before it in all \d+ training rows; leave it out"
    with pytest.raises(ValueError, match=message):
        check_data(Cell.model_validate(cell | {"family": fields}))
    check_data(Cell.model_validate(cell | {"family": fields | {"penalty": 1.0}}))


@pytest.mark.parametrize(("value", "shown"), [("many", "'yes'|'no'"), (-1, "-1"), (0.5, "0.5")])
def test_counts_are_whole_numbers(tmp_path, value, shown):
    table = frame()
    if value != "many":
        table["target"] = 2.0
        table.loc[5, "target"] = value
    with pytest.raises(ValueError, match=rf"source.target: 'target' holds .*({shown}).*, which is no count"):
        load(source(path=written(tmp_path, table)), counts=True)


def test_every_split_has_rows_enough(tmp_path):
    with pytest.raises(ValueError, match=r"30 rows of table give \d+ for training, \d for validation, . for test"):
        load(source(path=written(tmp_path, frame(30))), counts=False)


def test_unreadable_files_get_one_line(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    for name in ("empty.csv", "bad.parquet", "absent.csv"):
        with pytest.raises(ValueError, match=r"source\.path: ") as problem:
            load(source(path=str(tmp_path / name)), counts=False)
        assert "\n" not in str(problem.value)


@pytest.mark.parametrize("what", ["text among numbers", "three rows", "a held-out row has it"])
def test_the_command_says_so_and_ends_with_2(tmp_path, what):
    written(tmp_path, spoilt(what))
    (tmp_path / "cell.yaml").write_text(
        "family: {kind: glm, source: {kind: table, path: table.csv}}\npolicy: {kind: replace}\nrows: 50\n"
    )
    command = [sys.executable, "-m", "sweep", "trial", str(tmp_path / "cell.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("collapse-sweep: ")
    assert done.stderr.count("\n") == 1


def test_simulated_rows_are_named_by_every_field():
    assert Simulated(correlation=0.5).identity() != Simulated().identity()

"""Splits of tables: rows by their content alone, features by the training rows, and which follow from others."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.preprocessing import StandardScaler

from trainables.sources.tables import Split, Splits, load
from trainables.sources.tables.embedded import BreastCancer, Diabetes, Wine
from trainables.sources.tables.files import TableFile
from trainables.sources.tables.simulated import Simulated


def frame(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.normal(3, 2, rows), "b": rng.integers(0, 5, rows), "target": rng.integers(0, 2, rows)}
    )


def written(path: Path, table: pd.DataFrame) -> TableFile:
    table.to_csv(path, index=False)
    return TableFile(path=str(path))


def place(row: Any) -> float:
    """The first eight bytes of a hash of a row's numbers, as a share of all."""
    data = struct.pack(f"<{len(row)}d", *row)
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") / 2**64


def test_a_row_is_held_out_by_the_hash_of_its_numbers_and_its_label(tmp_path: Path) -> None:
    """Below 0.2 to test, below 0.3 to validate on, the others to train."""
    table = frame()
    found = load(written(tmp_path / "t.csv", table), counts=False)
    read = pd.read_csv(tmp_path / "t.csv").to_numpy(float)
    places = np.array([place(row) for row in read])
    sides = {
        "test": places < 0.2,
        "validation": (places >= 0.2) & (places < 0.3),
        "train": places >= 0.3,
    }
    mean, spread = read[sides["train"], :2].mean(0), read[sides["train"], :2].std(0)
    for name, side in sides.items():
        part = getattr(found, name)
        assert part.rows == side.sum()
        np.testing.assert_allclose(part.x[:, 1:], (read[side, :2] - mean) / spread, atol=1e-12)
        assert (part.x[:, 0] == 1).all()
        assert part.labels.tolist() == read[side, 2].tolist()


def test_shares_held_out_are_those_asked_for(tmp_path: Path) -> None:
    source = written(tmp_path / "t.csv", frame(4000)).model_copy(update={"test": 0.35, "validation": 0.05})
    found = load(source, counts=False)
    rows = np.array([found.test.rows, found.validation.rows, found.train.rows]) / 4000
    assert rows == pytest.approx([0.35, 0.05, 0.6], abs=0.03)


def test_a_row_stays_on_its_side_whatever_is_added_or_in_which_order_it_stands(tmp_path: Path) -> None:
    table = frame()
    more = pd.concat([frame(100, seed=1), table]).sample(frac=1, random_state=0)
    labels = []
    for number, some in enumerate((table, more)):
        source = written(tmp_path / f"{number}.csv", some.assign(mark=some["a"]))
        found = load(source.model_copy(update={"drop": ("mark",)}), counts=False)
        raw = np.sort(pd.read_csv(source.path)["a"])
        mean, spread = found.test.x[:, 1].mean(), found.test.x[:, 1].std()
        labels.append((found.test.rows, len(raw), mean, spread))
    sides = [{place(row) for row in some.to_numpy(float)} for some in (table, more)]
    assert sides[0] < sides[1]
    assert labels[0][0] == sum(p < 0.2 for p in sides[0])
    assert labels[1][0] == sum(p < 0.2 for p in sides[1])


def test_minus_nothing_is_nothing(tmp_path: Path) -> None:
    """Rows that are equal numbers lie on one side, whatever their sign of zero."""
    table = frame().assign(b=lambda t: t["b"] * 0.0 + (t.index % 2))
    signed = table.assign(b=np.where(table["b"] == 0, -0.0, table["b"]))
    plain, other = (load(written(tmp_path / f"{n}.csv", t), counts=False) for n, t in enumerate((table, signed)))
    assert np.array_equal(plain.test.x, other.test.x)


@pytest.mark.parametrize("source", [BreastCancer(), Diabetes(), Wine()])
def test_features_are_scikit_learns_of_the_training_rows(source: Any) -> None:
    """Their held-out rows by the same mean and deviation: standardising again with those of training is a no-op."""
    found = load(source, counts=False)
    scaler = StandardScaler().fit(found.train.x[:, 1:])
    np.testing.assert_allclose(scaler.mean_, 0, atol=1e-12)
    np.testing.assert_allclose(scaler.scale_, 1, rtol=1e-12)
    assert np.abs(found.test.x[:, 1:].mean(0)).max() > 1e-3


def test_wine_and_tumours_have_the_classes_that_their_authors_counted() -> None:
    """71 wines of the second grower of 178; 357 benign tumours of 569."""
    for source, ones, rows in ((Wine(), 71, 178), (BreastCancer(), 357, 569)):
        parts = [getattr(load(source, counts=False), name) for name in ("train", "validation", "test")]
        assert sum(part.rows for part in parts) == rows
        assert sum(int(part.labels.sum()) for part in parts) == ones


def test_half_of_the_patients_lie_above_the_median() -> None:
    parts = [getattr(load(Diabetes(), counts=False), name) for name in ("train", "validation", "test")]
    assert sum(int(part.labels.sum()) for part in parts) == 221


def test_a_gap_is_filled_with_the_mean_of_the_training_rows(tmp_path: Path) -> None:
    table = frame()
    table.loc[::7, "a"] = np.nan
    found = load(written(tmp_path / "t.csv", table).model_copy(update={"missing": "mean"}), counts=False)
    parts = (found.train, found.validation, found.test)
    assert sum((part.x[:, 1] == 0).sum() for part in parts) == table["a"].isna().sum()
    known = found.train.x[found.train.x[:, 1] != 0, 1]
    assert known.mean() == pytest.approx(0, abs=1e-12)
    assert known.std() == pytest.approx(1)


def splits(x: np.ndarray) -> Splits:
    part = Split(np.column_stack([np.ones(len(x)), x]), np.zeros(len(x)))
    return Splits(part, part, part, tuple(f"x{number}" for number in range(x.shape[1])))


def white(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / x.std(0)


@pytest.mark.parametrize(("size", "name"), [(1e-7, "x2"), (1e-5, None)])
def test_a_feature_that_all_but_follows_from_those_before_it_is_named(size: float, name: str | None) -> None:
    """Its own deviation given the others counts, and a millionth is the border."""
    rng = np.random.default_rng(0)
    a, b, e = rng.normal(size=(3, 300))
    assert splits(white(np.column_stack([a, b, a - 2 * b + size * e]))).repeated == name


def test_the_first_of_several_is_named_and_a_constant_is_one_before_them_all() -> None:
    rng = np.random.default_rng(0)
    x = white(rng.normal(size=(50, 2)))
    assert splits(np.column_stack([x, x[:, 1], x[:, 0]])).repeated == "x2"
    assert splits(np.column_stack([np.ones(50), x])).repeated == "x0"
    assert splits(x).repeated is None


def test_fewer_rows_than_columns_are_too_few_to_tell() -> None:
    assert splits(np.ones((3, 3))).repeated is None
    assert splits(np.ones((4, 3))).repeated == "x0"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (23, "source: table has 23 rows; at least 24 are needed"),
        (24, r"source: 24 rows of table give \d+ for "),
    ],
)
def test_twenty_four_rows_are_the_least_and_each_part_needs_eight(tmp_path: Path, rows: int, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        load(written(tmp_path / "t.csv", frame(rows)), counts=False)


@pytest.mark.parametrize(
    ("rows", "refused"), [((8, 8, 8), False), ((7, 8, 9), True), ((8, 7, 9), True), ((9, 8, 7), True)]
)
def test_each_part_has_eight_rows_at_least(tmp_path: Path, rows: tuple[int, int, int], refused: bool) -> None:
    """Rows for training, validation and test, chosen by where their hashes put them."""
    table = frame(1000)
    places = np.array([place(row) for row in pd.read_csv(written(tmp_path / "x.csv", table).path).to_numpy(float)])
    sides = places >= 0.3, (places >= 0.2) & (places < 0.3), places < 0.2
    chosen = np.concatenate([np.flatnonzero(side)[:count] for side, count in zip(sides, rows, strict=True)])
    source = written(tmp_path / "t.csv", table.iloc[chosen])
    if not refused:
        assert load(source, counts=False).train.rows == 8
        return
    with pytest.raises(ValueError, match=r"^source: 24 rows of table give ") as problem:
        load(source, counts=False)
    shown = f"{rows[0]} for training, {rows[1]} for validation, {rows[2]} for test"
    assert str(problem.value) == f"source: 24 rows of table give {shown}; each needs at least 8"


def test_training_rows_of_one_class_are_refused(tmp_path: Path) -> None:
    """The one row of the other class is held out."""
    table = frame().assign(target=0)
    for row in range(len(table)):
        numbers = [*pd.read_csv(written(tmp_path / "x.csv", table).path).to_numpy(float)[row, :2], 1.0]
        if place(numbers) < 0.2:
            break
    table.loc[row, "target"] = 1
    with pytest.raises(ValueError, match=r"^source: all \d+ training rows are of one class$"):
        load(written(tmp_path / "t.csv", table), counts=False)


def test_names_of_sources_are_their_fields_and_content(tmp_path: Path) -> None:
    source = written(tmp_path / "t.csv", frame())
    assert {"digest", "reader", "target"} <= source.identity().keys()
    assert "path" not in source.identity()
    for field, value in {"test": 0.3, "validation": 0.2, "missing": "drop", "positive": "1", "drop": ("a",)}.items():
        assert source.model_copy(update={field: value}).identity() != source.identity()
    assert source.digest().startswith("csv-")
    assert len({str(s.identity()) for s in (BreastCancer(), Diabetes(), Wine())}) == 3


@pytest.mark.parametrize(
    ("field", "value"), [("dim", 0), ("dim", 1001), ("correlation", 1.0), ("correlation", -1.0), ("signal", -0.1)]
)
def test_simulated_rows_have_borders(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        Simulated.model_validate({field: value})
    assert Simulated(dim=7).columns == 7
    for name, other in {"dim": 6, "inputs": "signs", "correlation": 0.1, "signal": 2.0, "intercept": 1.0}.items():
        assert Simulated.model_validate({name: other}).identity() != Simulated().identity()

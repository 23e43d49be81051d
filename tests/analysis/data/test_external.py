"""Someone else's tables go through the same verdicts, or are refused in one line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.data import IDENTITY, parse_columns
from analysis.verdicts.paired import differences
from analysis.verdicts.robustness import assess

COLUMNS = {"generation": "Iteration", "test_loss": "Squared Error", "policy": "Setting", "seed": "Repeat", "rows": "N"}


def published(runs: int = 20, generations: int = 30) -> pd.DataFrame:
    """A table as follow-up studies publish them: generations from 0, one row per run and iteration."""
    rng = np.random.default_rng(0)
    n = np.arange(1, generations + 1)
    parts = []
    for setting, law in (("Replace", n * 1.0), ("Accumulate", np.cumsum(1 / n**2))):
        for rows in (10, 100):
            for repeat in range(runs):
                noise = 1 + 0.05 * rng.standard_normal(generations)
                parts.append(
                    pd.DataFrame(
                        {
                            "Run": f"{setting[0]}{rows}-{repeat}",
                            "Setting": setting,
                            "N": rows,
                            "Repeat": repeat,
                            "Iteration": n - 1,
                            "Squared Error": law / rows * noise,
                            "Trace": 0.99**n,
                            "Sigma": 1.0,
                            "Note": ["x"] * generations,
                        }
                    )
                )
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_published_table_is_judged(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"runs.{ending}"
    table = published()
    if ending == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if ending == "tsv" else ",", index=False)
    frame = analysis.load(path, columns=COLUMNS)
    assert list(frame.columns[: len(IDENTITY)]) == list(IDENTITY)
    assert len(frame) == len(table)
    assert (frame["generation"].min(), frame["generation"].max()) == (1, 30)
    assert frame["cell"].nunique() == 80
    assert frame["config"].nunique() == 2
    assert frame["Trace"].notna().all()
    assert set(frame["study"]) == {"runs"}
    found = assess(frame).set_index(["hyperparameters", "policy"])["verdict"]
    assert found["rows=10", "Replace"] == found["rows=100", "Replace"] == "collapses"
    assert found["rows=10", "Accumulate"] == found["rows=100", "Accumulate"] == "levels off"
    assert (differences(frame)["pairs"] == 20).all()


def test_runs_without_seeds_are_never_paired(tmp_path: Path) -> None:
    published().drop(columns="Repeat").to_csv(tmp_path / "runs.csv", index=False)
    columns = {k: v for k, v in COLUMNS.items() if k != "seed"} | {"run": "Run"}
    frame = analysis.load(tmp_path / "runs.csv", columns=columns)
    assert frame["cell"].nunique() == 80
    assert differences(frame).empty
    assert (assess(frame)["runs"] == 20).all()


def test_mapped_hyperparameters_tell_runs_apart(tmp_path: Path) -> None:
    published().rename(columns={"N": "n_samples"}).to_csv(tmp_path / "runs.csv", index=False)
    columns = {k: v for k, v in COLUMNS.items() if k != "rows"}
    with pytest.raises(ValueError, match=r"generation: 1200 rows repeat a generation of the same run.*family\.NAME"):
        analysis.load(tmp_path / "runs.csv", columns=columns)
    frame = analysis.load(tmp_path / "runs.csv", columns=columns | {"family.n_samples": "n_samples"})
    assert set(frame["family.n_samples"]) == {10, 100}
    assert frame["config"].nunique() == 2


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    published(2, 4).to_csv(path, index=False)
    with pytest.raises(
        ValueError, match=r"columns\.test_loss: runs\.csv has no column 'Squared Eror'; did you mean 'Squared Error'"
    ):
        analysis.load(path, columns=COLUMNS | {"test_loss": "Squared Eror"})
    with pytest.raises(ValueError, match=r"columns\.policy: runs\.csv has no such column; name it"):
        analysis.load(path, columns={"generation": "Iteration", "test_loss": "Squared Error"})
    with pytest.raises(ValueError, match="test_loss: the column holds something that is no number"):
        analysis.load(path, columns=COLUMNS | {"test_loss": "Note"})
    with pytest.raises(ValueError, match=r"absent\.csv: no such file"):
        analysis.load(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match="columns: 'loss' is not OURS=THEIRS"):
        parse_columns(["loss"])
    assert parse_columns(["test_loss=Squared Error"]) == {"test_loss": "Squared Error"}

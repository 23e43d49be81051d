"""Published runs of others through `collapse-sweep report FILE`: loaded whole, and judged by the same rules."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sweep.cli import app

COLUMNS = {
    "run": "run_id",
    "policy": "Setting",
    "generation": "Model-Fitting Iteration",
    "test_loss": "Squared Error of Fit Mean (Numerical)",
    "trace_ratio": "Trace of Fit Cov / Trace of Init Cov (Numerical)",
    "rows": "Num. Samples per Iteration",
}
"""What Kazdan et al. 2024 call them in the histories they publish of their Gaussian runs."""


def histories(runs: int, rows: int) -> pd.DataFrame:
    """A table in their layout: the mean's random walk under replacement, with steps that shrink as 1/n when data
    accumulate (FIELD: R_n = n and Σ1/i²), for two dimensions and three sample sizes."""
    rng = np.random.default_rng(0)
    settings = [(s, d, n) for s in ("Replace", "Accumulate") for d in (1, 10) for n in (10, 100, 316)]
    short, longer = divmod(rows, runs)
    parts = []
    for number in range(runs):
        setting, dim, size = settings[number % len(settings)]
        n = np.arange(1, short + (number < longer) + 1)
        shrink = 1 / n if setting == "Accumulate" else np.ones(len(n))
        mean = np.cumsum(rng.standard_normal((len(n), dim)) / np.sqrt(size) * shrink[:, None], axis=0)
        part = {
            "run_id": f"run{number:04d}",
            "Setting": setting,
            "Data Dimension": dim,
            "Num. Samples per Iteration": float(size),
            "Model-Fitting Iteration": n - 1,
            "Squared Error of Fit Mean (Numerical)": (mean**2).sum(axis=1),
            "Trace of Fit Cov / Trace of Init Cov (Numerical)": np.exp(-np.cumsum(shrink**2) / size),
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def report(path: Path, workspace: Path, *more: str, columns: dict[str, str] = COLUMNS):
    pairs = [word for ours, theirs in columns.items() for word in ("--column", f"{ours}={theirs}")]
    return CliRunner().invoke(app, ["report", str(path), *pairs, "--workspace", str(workspace), *more])


@pytest.mark.slow
def test_published_gaussian_runs_load_and_are_judged(tmp_path: Path) -> None:
    """688 runs and 76,400 rows, as many as are published; every configuration is judged as theory has it."""
    table = histories(runs=688, rows=76_400)
    assert (len(table), table["run_id"].nunique()) == (76_400, 688)
    table.to_parquet(tmp_path / "histories.parquet")
    result = report(tmp_path / "histories.parquet", tmp_path / "w", "--json")
    assert result.exit_code == 0, result.output
    rows = pd.DataFrame(json.loads(result.stdout)["robustness"])
    losses = rows[rows["metric"] == "test_loss"]
    assert len(losses) == 12
    assert losses["seeds"].sum() == 688
    replace, accumulate = (losses[losses["policy"] == policy] for policy in ("Replace", "Accumulate"))
    assert (replace["verdict"] == "collapses").sum() >= 3, "in ten dimensions"
    assert set(replace["verdict"]) <= {"collapses", "rises"}, "a squared random walk in one dimension is told by few"
    assert set(accumulate["verdict"]) <= {"stable", "levels off", "rises", "undecided"}
    assert (accumulate["p_levels"] < 0.05).sum() >= 3
    picture = tmp_path / "w/reports/imported/histories/curves-imported.svg"
    assert not re.search(r"mathdefault|\$", picture.read_text(encoding="utf-8")), "tick labels are plain numbers"


def test_a_wrong_mapping_is_told_in_one_line(tmp_path: Path) -> None:
    histories(runs=12, rows=120).to_csv(tmp_path / "h.csv", index=False)
    result = report(tmp_path / "h.csv", tmp_path / "w", columns=COLUMNS | {"policy": "Seting"})
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Setting" in result.stderr


def test_two_files_of_one_name_have_two_reports_and_options_of_studies_are_refused(tmp_path: Path) -> None:
    for folder, rows in (("a", 20), ("b", 40)):
        (tmp_path / folder).mkdir()
        histories(runs=2, rows=rows).to_csv(tmp_path / folder / "h.csv", index=False)
    for folder in ("a", "b", "a"):
        assert report(tmp_path / folder / "h.csv", tmp_path / "w").exit_code == 0
    made = sorted((tmp_path / "w" / "reports" / "imported").glob("*/source.txt"))
    assert [path.read_text().strip() for path in made] == [str(tmp_path / "a" / "h.csv"), str(tmp_path / "b" / "h.csv")]
    refused = report(tmp_path / "a" / "h.csv", tmp_path / "w", "-o", "rows=3")
    assert refused.exit_code == 2
    assert "-o rows=3: changes a study, and" in refused.stderr


def simple(path: Path, column: str, values: list[float], first: int = 1, step: int = 1) -> Path:
    lines = [f"generation,policy,seed,{column}"]
    lines += [
        f"{first + step * n},replace,{seed},{value + 0.003 * seed * (-1) ** n}"
        for seed in range(3)
        for n, value in enumerate(values)
    ]
    path.write_text("\n".join(lines))
    return path


def head(workspace: Path, name: str) -> str:
    page = (workspace / f"reports/imported/{name}/report.html").read_text(encoding="utf-8")
    return html.unescape(page.partition("<body>")[2].partition('class="answer')[0])


@pytest.mark.parametrize(
    ("column", "values", "first", "step", "more", "said"),
    [
        ("test_loss", [1 + 0.1 * n for n in range(8)], 0, 1, (), ["counted from 1 here; the file's first is 0"]),
        ("test_loss", [1 + 0.1 * n for n in range(8)], 1, 10, (), ["numbered in steps of 10; verdicts do not"]),
        (
            "accuracy",
            [0.9 - 0.08 * n for n in range(8)],
            0,
            1,
            ("--worse", "lower"),
            ["test_loss: is minus accuracy, of which less is worse", "counted from 1 here; the file's first is 0"],
        ),
    ],
)
def test_whoever_reads_the_page_is_told_what_the_terminal_says(
    tmp_path: Path, column: str, values: list[float], first: int, step: int, more: tuple[str, ...], said: list[str]
) -> None:
    path = simple(tmp_path / "runs.csv", column, values, first, step)
    result = report(path, tmp_path / "w", *more, columns={"test_loss": column})
    assert result.exit_code == 0, result.output
    told = [line.partition(": ")[2] for line in result.stderr.splitlines() if line.startswith(("note:", "warning:"))]
    assert len(told) == len(said)
    for line, expected in zip(told, said, strict=True):
        assert expected in line
        assert line in head(tmp_path / "w", "runs")


def test_a_table_of_losses_from_generation_1_needs_no_word(tmp_path: Path) -> None:
    path = simple(tmp_path / "runs.csv", "test_loss", [1 + 0.1 * n for n in range(8)])
    result = report(path, tmp_path / "w", columns={"test_loss": "test_loss"})
    assert not result.stderr
    assert "1 configuration × 1 policy × 3 seeds: 3 cells, 24 generations" in head(tmp_path / "w", "runs")


@pytest.mark.parametrize("column", ["accuracy", "val_acc", "win_rate", "rougeL", "r2", "reward", "metric"])
def test_no_word_is_said_of_a_figure_of_which_nobody_knows_which_way_is_worse(tmp_path: Path, column: str) -> None:
    """0.90 -> 0.34 was "stable" beside a warning."""
    path = simple(tmp_path / "runs.csv", column, [0.9 - 0.08 * n for n in range(8)])
    result = report(path, tmp_path / "w", columns={"test_loss": column})
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert f"test_loss={column}: " in result.stderr
    assert "say --worse lower, else --worse higher" in result.stderr
    assert not (tmp_path / "w/reports/imported").exists()
    for worse, words in (("lower", {"collapses", "rises"}), ("higher", {"stable"})):
        said = report(path, tmp_path / "w", "--worse", worse, "--json", columns={"test_loss": column})
        assert {row["verdict"] for row in json.loads(said.stdout)["robustness"]} <= words


def test_a_loss_between_0_and_1_that_falls_is_a_loss(tmp_path: Path) -> None:
    path = simple(tmp_path / "runs.csv", "dice_loss", [0.9 - 0.08 * n for n in range(8)])
    result = report(path, tmp_path / "w", columns={"test_loss": "dice_loss"})
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "--column test_loss: runs.csv has no such column; name it (test_loss=…); it has: generation, policy, "),
        ({"test_loss": "acuracy"}, "--column test_loss: runs.csv has no column 'acuracy'; did you mean 'accuracy'?"),
        ({"test_loss": ""}, "--column 'test_loss=' is not OURS=THEIRS"),
    ],
)
def test_a_mapping_that_is_wrong_is_named_by_its_option(tmp_path: Path, columns: dict[str, str], said: str) -> None:
    path = simple(tmp_path / "runs.csv", "accuracy", [0.5, 0.6])
    result = report(path, tmp_path / "w", columns=columns)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"collapse-sweep: {said}")

"""Someone else's tables go through the same verdicts, or are refused in one line."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.data import IDENTITY, parse_columns, renumbered, set_aside, spacing, suspicion
from analysis.definitions import cases
from analysis.report import ReportContext, build_report
from analysis.verdicts import Thresholds
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


def few() -> pd.DataFrame:
    """Two policies, three runs each, ten generations."""
    rows = [
        {
            "policy": policy,
            "seed": seed,
            "generation": n,
            "loss": 1.0 + seed / 50 + (n / 5 if policy == "Replace" else 0),
        }
        for policy in ("Replace", "Accumulate")
        for seed in range(3)
        for n in range(1, 11)
    ]
    return pd.DataFrame(rows)


LOSS = {"test_loss": "loss"}


@pytest.mark.parametrize(
    ("name", "options", "before", "encoding"),
    [
        ("a.csv", {"sep": ";"}, "", "utf-8"),
        ("a.csv", {"sep": ";", "decimal": ","}, "", "utf-8"),
        ("a.csv", {"sep": "\t"}, "", "utf-8"),
        ("a.tsv", {"sep": ","}, "", "utf-8"),
        ("A.CSV", {}, "# made on Friday; by hand, twice\n\n", "utf-8"),
        ("a.csv", {"index": True}, "", "utf-8-sig"),
        ("a.csv", {}, "", "utf-16"),
        ("a.csv.gz", {"sep": ";"}, "", "utf-8"),
    ],
)
def test_every_dialect_is_the_same_table(
    tmp_path: Path, name: str, options: dict[str, object], before: str, encoding: str
) -> None:
    few().to_csv(tmp_path / "plain.csv", index=False)
    text = (before + few().to_csv(**{"index": False, **options})).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    pd.testing.assert_frame_equal(
        analysis.load(tmp_path / name, columns=LOSS, study="s"),
        analysis.load(tmp_path / "plain.csv", columns=LOSS, study="s"),
    )


def test_a_file_that_is_no_table_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("policy,generation,loss\nmüde,1,2\n".encode("latin-1"))
    (tmp_path / "ragged.csv").write_text("policy,generation,loss\na,1,2\na,1,2,3,4\n")
    (tmp_path / "no.parquet").write_text("no")
    (tmp_path / "empty.csv").write_text("")
    for name, said in (
        ("latin.csv", "latin.csv: is not UTF-8 text"),
        ("ragged.csv", r"ragged.csv: can't be read as a table \(.*line 3"),
        ("no.parquet", "no.parquet: can't be read as a table"),
        ("empty.csv", "empty.csv: can't be read as a table"),
    ):
        with pytest.raises(ValueError, match=said) as told:
            analysis.load(tmp_path / name, columns=LOSS)
        assert "\n" not in str(told.value)
    few().to_csv(tmp_path / "few.csv", index=False)
    with pytest.raises(ValueError, match="it has: policy, seed, generation, loss"):
        analysis.load(tmp_path / "few.csv")


@pytest.mark.parametrize("name", ["policy", "rows", "seed"])
def test_what_belongs_to_a_run_does_not_change_within_it(tmp_path: Path, name: str) -> None:
    table = few().assign(run=lambda t: t["policy"] + t["seed"].astype(str), rows=100)
    table.loc[7, name] = "Replace-then-mix" if name == "policy" else 7
    table.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(ValueError, match=f"{name}: changes within run 'Replace0'"):
        analysis.load(tmp_path / "runs.csv", columns=LOSS)


def test_rows_that_differ_between_runs_are_configurations(tmp_path: Path) -> None:
    table = few().assign(run=lambda t: t["policy"] + t["seed"].astype(str), rows=lambda t: 100 + t["seed"])
    table.to_csv(tmp_path / "runs.csv", index=False)
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS)
    assert frame["config"].nunique() == 3
    assert len(assess(frame)) == 6


def test_lists_that_nobody_mapped_are_left_out(tmp_path: Path) -> None:
    few().assign(samples=[[1, 2]] * 60, where=[{"x": 1}] * 60).to_parquet(tmp_path / "runs.parquet")
    frame = analysis.load(tmp_path / "runs.parquet", columns=LOSS)
    assert not {"samples", "where", "family.samples"} & set(frame.columns)
    with pytest.raises(ValueError, match="test_loss: the column holds lists or structures"):
        analysis.load(tmp_path / "runs.parquet", columns={"test_loss": "samples"})


def test_an_accuracy_that_falls_is_no_loss_that_falls(tmp_path: Path) -> None:
    """From 0.90 to 0.34 was "stable"."""
    table = few()
    table["acc"] = 0.9 + table["seed"] / 100 - table["generation"] * (0.056 * (table["policy"] == "Replace"))
    table.to_csv(tmp_path / "runs.csv", index=False)
    found = assess(analysis.load(tmp_path / "runs.csv", columns={"test_loss": "acc"}, worse="lower"))
    verdict = found.set_index("policy")["verdict"]
    growth = found.set_index("policy")["growth"]
    assert growth["Replace"] == pytest.approx(0.056)
    assert verdict["Replace"] in ("collapses", "rises")
    assert verdict["Accumulate"] not in ("collapses", "rises")
    doubtful = assess(analysis.load(tmp_path / "runs.csv", columns={"test_loss": "acc"}))
    assert set(doubtful["verdict"]) == {"undecided"}
    assert doubtful["reason"].str.contains("better when it is larger").all()
    asked = analysis.assess(tmp_path / "runs.csv", columns={"test_loss": "acc"}, worse="lower")
    assert asked.set_index("policy")["verdict"].to_dict() == verdict.to_dict()
    with pytest.raises(ValueError, match="worse: 'up' is neither higher nor lower"):
        analysis.load(tmp_path / "runs.csv", columns={"test_loss": "acc"}, worse="up")


@pytest.mark.parametrize(
    ("worse", "claims"),
    [("lower", {"replace collapses": 1, "accumulate beats replace": 1}),
     ("higher", {"replace collapses": 0, "accumulate beats replace": 0})],
)  # fmt: skip
def test_nothing_is_claimed_from_python_either_of_a_figure_that_may_be_better_when_larger(
    tmp_path: Path, worse: str, claims: dict[str, int]
) -> None:
    """An accuracy that replace loses was "accumulate does not beat replace" in 1 of 1."""
    table = few()
    table["policy"] = table["policy"].str.lower()
    table["acc"] = 0.9 + table["seed"] / 1000 - table["generation"] * (0.056 * (table["policy"] == "replace"))
    table.to_csv(tmp_path / "runs.csv", index=False)
    doubtful = analysis.load(tmp_path / "runs.csv", columns={"test_loss": "acc"})
    for judged in (lambda: build_report(doubtful, tmp_path / "r", "x"), lambda: cases(doubtful, Thresholds())):
        with pytest.raises(ValueError, match=r"test_loss=acc: .*say --worse lower, else --worse higher .*`worse=`"):
            judged()
    assert not (tmp_path / "r").exists()
    known = analysis.load(tmp_path / "runs.csv", columns={"test_loss": "acc"}, worse=worse)
    held = ReportContext(known, "x").claims.set_index("claim")["holds"]
    assert {claim: held[claim] for claim in claims} == claims
    build_report(known, tmp_path / "r", "x")


@pytest.mark.parametrize(
    ("column", "suspect"),
    [("val_acc", True), ("Test Accuracy", True), ("log likelihood", True),
     ("neg_log_likelihood", False), ("nll", False), ("loss", False), ("F1", True), ("Squared Error", False),
     ("valAccuracy", True), ("test/top1", True), ("pass@1", True), ("ELBO", True), ("neg_elbo", False), ("NLL", False),
     ("mean_ap_loss", False), ("logLoss", False), ("error_rate", False), ("1-ssim", True),
     ("win rate", True), ("log prob", True), ("BERTScore", True), ("rougeL", True), ("rouge1", True), ("bleu4", True),
     ("top10", True), ("hits@10", True), ("r_squared", True), ("macro_auc", True), ("testaccuracy", True),
     ("success_rate", True), ("dice_loss", False), ("top1_error", False), ("FID score", False), ("em_distance", False)],
)  # fmt: skip
def test_a_name_that_suggests_more_is_better_is_told(column: str, suspect: bool) -> None:
    assert bool(suspicion({"test_loss": column})) is suspect


@pytest.mark.parametrize(
    ("start", "step", "said"),
    [(0.9, -0.1, "between 0 and 1 and falls, from 0.9 to 0.5 in the mean"),
     (-90.0, -5.0, "below 0 and falls, from -90"), (0.1, 0.1, ""), (0.9, -0.005, ""), (90.0, -5.0, ""),
     (-90.0, 5.0, "")],
)  # fmt: skip
def test_values_that_suggest_more_is_better_are_told(tmp_path: Path, start: float, step: float, said: str) -> None:
    rows = [f"{n},{start + step * n},replace,{seed}" for n in range(5) for seed in range(3)]
    (tmp_path / "runs.csv").write_text("\n".join(["generation,metric,policy,seed", *rows]))
    mapping = {"test_loss": "metric"}
    found = suspicion(mapping, analysis.load(tmp_path / "runs.csv", columns=mapping))
    assert (said in found) if said else not found
    assert not found or found.endswith(", say --worse lower")


def numbered(path: Path, step: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(n * step, 1 + 0.16 * n + 0.02 * rng.standard_normal(), "replace", s) for s in range(8) for n in range(10)]
    pd.DataFrame(rows, columns=["generation", "test_loss", "policy", "seed"]).to_csv(path, index=False)
    return analysis.load(path)


def test_verdicts_do_not_depend_on_how_generations_are_numbered(tmp_path: Path) -> None:
    frames = {step: numbered(tmp_path / "runs.csv", step) for step in (1, 10, 100)}
    tables = {step: assess(frame).iloc[0] for step, frame in frames.items()}
    assert {(row["verdict"], round(row["ratio"], 9)) for row in tables.values()} == {
        ("collapses", round(tables[1]["ratio"], 9))
    }
    assert tables[100]["growth"] == pytest.approx(tables[1]["growth"] / 100)
    assert spacing(frames[1]) == ""
    assert spacing(frames[100]).startswith("generation: numbered in steps of 100; ")


@pytest.mark.parametrize(("first", "said"), [(0, "the file's first is 0"), (1, ""), (7, "the file's first is 7")])
def test_it_is_said_where_a_file_counts_from_elsewhere_than_1(tmp_path: Path, first: int, said: str) -> None:
    rows = [(first + n, 1 + 0.1 * n, "replace", seed) for seed in range(3) for n in range(8)]
    table = pd.DataFrame(rows, columns=["generation", "test_loss", "policy", "seed"])
    table.to_csv(tmp_path / "runs.csv", index=False)
    frame = analysis.load(tmp_path / "runs.csv")
    assert sorted(set(frame["generation"])) == list(range(1, 9))
    assert renumbered(frame).endswith(said)
    assert bool(renumbered(frame)) is bool(said)


def test_generations_are_whole_numbers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^generation: 0\.1 is no whole number"):
        numbered(tmp_path / "runs.csv", 0.1)


def test_a_loss_that_is_no_number_is_divergence_and_an_empty_place_is_not(tmp_path: Path) -> None:
    lines = ["generation,loss,policy,seed,lr,note"]
    for seed in range(5):
        for generation in range(1, 11):
            loss = f"{1 + 0.01 * ((7 * seed + 3 * generation) % 5)}"
            broken = "nan" if seed < 2 and generation >= 8 else loss
            lines.append(f"{generation},{broken},replace,{seed},0.1,nan")
            lines.append(f"{generation},{'' if generation == 9 else loss},accumulate,{seed},nan,NA")
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    frame = analysis.load(tmp_path / "runs.csv", columns={"test_loss": "loss"})
    table = assess(frame)
    words = dict(zip(table["policy"], table["verdict"], strict=True))
    assert "diverged" in words["replace"]
    assert "diverged" not in words["accumulate"]
    assert np.isinf(frame.loc[frame["policy"] == "replace", "test_loss"]).sum() == 6


def test_close_hyperparameters_are_two_configurations(tmp_path: Path) -> None:
    """They differ in the fifth digit; as one configuration, runs of one were those of the other's seeds."""
    rows = [(p, s, rate, g, 1.0) for p in "ab" for s in range(2) for rate in (0.0010001, 0.0010002) for g in (1, 2)]
    path = tmp_path / "close.csv"
    pd.DataFrame(rows, columns=["policy", "seed", "family.rate", "generation", "test_loss"]).to_csv(path, index=False)
    frame = analysis.load(path)
    assert frame.groupby("config")["family.rate"].nunique().tolist() == [1, 1]
    assert assess(frame)["hyperparameters"].unique().tolist() == ["rate=0.0010001", "rate=0.0010002"]


def test_what_follows_from_the_policy_does_not_keep_policies_apart(tmp_path: Path) -> None:
    """A second name of the policy, or a share that one policy alone has, would be a configuration for each policy."""
    real = {"Replace": 0.0, "Accumulate": 0.5}
    table = few().assign(method=lambda t: t["policy"].str.upper(), real_share=lambda t: t["policy"].map(real), lr=0.1)
    table.to_csv(tmp_path / "runs.csv", index=False)
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS)
    assert frame["config"].nunique() == 1
    assert not {"method", "real_share", "family.real_share"} & set(frame.columns)
    assert "family.lr" in frame
    assert (differences(frame)["pairs"] == 3).all()
    assert set_aside(frame).startswith("method follows from the policy; real_share follows from the policy: no hyper")
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS | {"family.share": "real_share"})
    assert frame["config"].nunique() == 2


@pytest.mark.parametrize(
    "day", ["2026-03-{:02d}", "2026-03-01 10:{:02d}:00", "{:02d}/03/2026", "2026-03-{:02d}T10:00Z"]
)
def test_dates_of_seeds_are_no_hyperparameter(tmp_path: Path, day: str) -> None:
    table = few().assign(started=lambda t: [day.format(seed + 1) for seed in t["seed"]])
    table.to_csv(tmp_path / "runs.csv", index=False)
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS)
    assert (assess(frame)["runs"] == 3).all()
    assert set_aside(frame) == (
        "started holds dates: no hyperparameter here; to make it one, map it (--column family.started=started)"
    )
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS | {"family.started": "started"})
    assert frame["config"].nunique() == 3


def test_words_and_numbers_of_seeds_are_hyperparameters_as_before(tmp_path: Path) -> None:
    named = {
        "version": lambda t: [f"v1.{seed}" for seed in t["seed"]],
        "checkpoint": lambda t: [f"2026-03-{seed + 1:02d}-small" for seed in t["seed"]],
    }
    table = few().assign(lr=lambda t: 0.1 * (t["seed"] + 1), **named)
    table.to_csv(tmp_path / "runs.csv", index=False)
    frame = analysis.load(tmp_path / "runs.csv", columns=LOSS)
    assert {"family.lr", "family.version", "family.checkpoint"} <= set(frame.columns)
    assert set_aside(frame) == ""


@pytest.mark.parametrize("index", [["policy", "seed", "generation"], ["generation"]])
def test_an_index_that_parquet_keeps_is_among_the_columns(tmp_path: Path, index: list[str]) -> None:
    plain, kept = few(), few().set_index(index)
    plain.to_parquet(tmp_path / "plain.parquet")
    kept.to_parquet(tmp_path / "kept.parquet")
    one, other = (assess(analysis.load(tmp_path / f"{n}.parquet", columns=LOSS)) for n in ("plain", "kept"))
    pd.testing.assert_frame_equal(one.drop(columns="config"), other.drop(columns="config"))


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean", "string", "int64[pyarrow]"])
def test_what_nullable_types_miss_is_missing(tmp_path: Path, kind: str) -> None:
    """`pd.NA` ended a report with a traceback: "boolean value of NA is ambiguous"."""
    half = few()
    half["run"] = half["policy"] + half["seed"].astype(str)
    half["lr"] = pd.Series("1" if kind == "string" else 1, half.index).astype(kind)
    table = pd.concat([half, half.assign(run=half["run"] + " without", lr=half["lr"].mask(half["lr"].notna()))])
    assert table["lr"].isna().sum() == len(half)
    table.to_parquet(tmp_path / "runs.parquet", index=False)
    frame = analysis.load(tmp_path / "runs.parquet", columns=LOSS)
    assert frame.groupby(frame["family.lr"].isna())["config"].nunique().tolist() == [1, 1]
    assert frame["config"].nunique() == 2
    assert (assess(frame)["runs"] == 3).all()


def test_a_line_that_is_missed_once_is_a_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [("replace", seed, n, 1 + n / 2 + 0.05 * rng.standard_normal()) for seed in range(5) for n in range(1, 11)]
    table = pd.DataFrame(rows, columns=["policy", "seed", "generation", "test_loss"])
    table[(table["seed"] != 1) | (table["generation"] != 4)].to_csv(tmp_path / "runs.csv", index=False)
    (found,) = assess(analysis.load(tmp_path / "runs.csv")).itertuples()
    assert (found.verdict, found.runs, found.generations, found.short) == ("collapses", 5, 10, 0)
    assert "jumped" not in found.reason
    assert "share" not in found.reason

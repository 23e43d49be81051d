"""What the store adds to a report, on recursions that were really run: replicates, corpora, samples."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data import CellRun, Points, store_records, tidy
from analysis.data.replicates import read
from analysis.report import ReportContext, build_report
from analysis.report.sections import composition, gallery
from analysis.stats import fit
from analysis.verdicts.evidence import REPLICATES
from analysis.verdicts.robustness import assess
from trainables import Cell, run
from trainables.store import MemoryStore, Payload, Store

POLICIES = ("replace", "accumulate", "accumulate_subsample")


def ran(
    store: Store,
    families: list[dict[str, object]],
    rows: int,
    generations: int,
    replicates: int,
    policies: tuple[str, ...] = POLICIES,
    seeds: int = 1,
) -> pd.DataFrame:
    """Run every family under every policy, and log what the sweep would log."""
    runs, points = [], Points()
    for family in families:
        for policy, seed in itertools.product(policies, range(seeds)):
            data = {"family": family, "policy": {"kind": policy}, "rows": rows, "generations": generations}
            cell = Cell.model_validate(data | {"replicates": replicates, "seed": seed})
            for record in run(cell, store):
                figures = {"test_loss": record.test_loss, "corpus_rows": record.corpus_rows}
                figures |= {"real_fraction": record.real_fraction} | record.metrics
                for name, value in figures.items():
                    points.add(cell.key, name, record.generation, float(value))
            tags = {"study": "s", "cell": cell.key, "family": cell.family.kind, "policy": policy, "seed": str(seed)}
            tags |= {"size": cell.family.size_label(), "status": "done"}
            runs.append(CellRun(cell.key, tags, json.dumps(cell.canonical())))
    return tidy(runs, points)


@pytest.fixture(scope="module")
def study() -> ReportContext:
    store = MemoryStore()
    families: list[dict[str, object]] = [{"kind": "linear", "dim": 10, "noise": 1.0}, {"kind": "gaussian", "dim": 1}]
    return ReportContext(ran(store, families, rows=100, generations=20, replicates=1000), "toys", store=store)


def test_replicates_have_the_logged_means(study: ReportContext) -> None:
    held = read(study.frame, study.store)  # type: ignore[arg-type]
    assert set(held) == set(study.frame["cell"])
    for key, own in study.frame.groupby("cell"):
        assert held[key]["test_loss"].shape == (1000, 20)
        np.testing.assert_allclose(held[key]["test_loss"].mean(axis=0), own["test_loss"])


def test_too_many_records_are_left_in_the_store(study: ReportContext) -> None:
    assert read(study.frame, study.store, limit=10) == {}  # type: ignore[arg-type]


def test_the_toys_get_the_verdicts_of_their_closed_forms(study: ReportContext) -> None:
    found = study.assessment
    assert set(found["basis"]) == {REPLICATES}
    words = found.set_index(["family", "metric", "policy"])["verdict"]
    for policy, bounded in zip(POLICIES, (False, True, True), strict=True):
        for family, metric in (("linear", "test_loss"), ("gaussian", "trace_ratio")):
            word = words[family, metric, policy]
            assert (word in {"stable", "levels off"}) if bounded else (word == "collapses"), (family, policy, word)
    assert (found.loc[found["theory_z"].notna(), "theory_z"].abs() < 4).all()


def test_one_recursion_is_undecided_without_its_replicates(study: ReportContext) -> None:
    apart = study.frame.assign(replicates=1).drop(columns=[c for c in study.frame if c.endswith("_se")])
    assert set(assess(apart)["verdict"]) == {"undecided"}


def test_corpora_are_the_audited_ones(study: ReportContext) -> None:
    found = store_records.compositions(study.frame, study.store)
    assert found["audited"].all()
    own = found[(found["family"] == "linear") & (found["generation"] == 5)]
    by_batch = {policy: dict(zip(rows["batch"], rows["rows"], strict=True)) for policy, rows in own.groupby("policy")}
    assert by_batch["replace"] == {4: 100}
    assert by_batch["accumulate"] == dict.fromkeys(range(5), 100)
    assert sum(by_batch["accumulate_subsample"].values()) == pytest.approx(100)
    without = store_records.compositions(study.frame, None)
    real = without[(without["policy"] == "accumulate") & (without["family"] == "linear") & (without["generation"] == 5)]
    assert real.set_index("batch")["rows"].to_dict() == {0: 100, 1: 400}


class _Pictured(MemoryStore):
    """A store whose records hold samples, whatever the family."""

    def get(self, kind: str, key: str) -> Payload | None:
        files = {"samples.txt": b"once <upon> a time", "samples.png": b"\x89PNG"}
        return Payload(meta={"composition": {"rows_by_batch": {"0": 1}}}, files=files) if kind == "record" else None


def test_samples_are_shown_as_pictures_and_escaped_as_text(study: ReportContext) -> None:
    shown = ReportContext(study.frame, "x", store=_Pictured())
    section = gallery.build(shown)
    assert section is not None
    assert section.html.count("<figure>") == 2 * 3 * 3
    assert section.html.count('src="data:image/png;base64,') == 18
    assert gallery.build(ReportContext(study.frame, "x")) is None
    assert gallery.build(study) is None
    assert "&lt;upon&gt;" in gallery._file("samples.txt", b"once <upon> a time")


def test_composition_is_drawn_for_each_family(study: ReportContext) -> None:
    section = composition.build(study)
    assert section is not None
    assert [p.name for p in section.pictures] == ["composition-gaussian", "composition-linear"]


def test_straight_growth_is_not_bent_by_errors_that_add_up() -> None:
    """A recursion's errors are carried on from generation to generation; AICc alone called 5 of 16 a power of 0.99."""
    store = MemoryStore()
    frame = ran(store, [{"kind": "linear", "dim": 10, "noise": 1.0}], 100, 20, 1000, ("replace",), seeds=16)
    found = [fit(held["test_loss"], np.arange(1, 21)) for held in read(frame, store).values()]
    named = [law.law for law in found if law is not None]
    assert len(named) == 16
    assert named.count("linear") >= 15, named


@pytest.mark.slow
def test_the_whole_report_is_made(study: ReportContext, tmp_path: Path) -> None:
    paths = build_report(study.frame, tmp_path, "toys", store=study.store)
    text = paths["report.html"].read_text(encoding="utf-8")
    for anchor in ("claims", "verdicts", "curves", "pairs", "definitions", "growth", "survival", "composition"):
        assert f'id="{anchor}"' in text
    laws = pd.read_csv(paths["growth.csv"]).set_index(["family", "policy"])["law"]
    assert laws["linear", "replace"] == "linear"
    assert laws["linear", "accumulate"] == "bounded"

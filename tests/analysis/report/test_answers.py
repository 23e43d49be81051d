"""Answers in plain words, one grammar for every case, and what corpora held."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analysis.report import ReportContext
from analysis.report.opening import answers_of, facts_of
from analysis.report.opening.answers import sentence, sure
from analysis.report.opening.corpora import GENERATIONS, kept, strips
from analysis.report.opening.overview import _shown as lines_of
from analysis.report.opening.overview import quantiles, relative
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE, UNDECIDED, Thresholds
from tests.support import simulated

LIMITS = Thresholds()


def entries(*rows: dict[str, object]) -> pd.DataFrame:
    held = {
        "verdict": RISES, "growth_relative": 0.07, "p_holm": 0.001, "runs": 5, "generations": 20, "margin": 0.02,
        "first": -2.0, "detectable": 0.1, "needed_runs": 0, "needed_generations": 0,
    }  # fmt: skip
    return pd.DataFrame([held | row for row in rows])


def words(*verdicts: str, **more: object) -> pd.DataFrame:
    return entries(*({"verdict": word} | more for word in verdicts))


@pytest.mark.parametrize(
    ("policy", "start"),
    [
        ("replace", "Replacing "),
        ("accumulate", "Accumulating "),
        ("accumulate_subsample", "Accumulating at a fixed size "),
        ("replace_multiple", "Replacing by several batches "),
        ("sliding_window", "Keeping a sliding window "),
        ("sliding_window(window=2)", "The policy sliding_window(window=2) "),
    ],
)
def test_policies_are_called_by_what_they_do(policy: str, start: str) -> None:
    assert sentence(policy, words(STABLE), LIMITS) == f"{start}kept held-out loss from growing in 1 of 1 configuration."


def test_growth_is_told_by_its_middle_and_its_ends() -> None:
    rows = entries(*({"growth_relative": share, "verdict": COLLAPSES} for share in (0.01, 0.02, 0.5)))
    assert "by 2 % of the first loss a generation (median; 1 % to 50 %): shown to be" in sentence("x", rows, LIMITS)
    alike = entries(*({"growth_relative": share} for share in (0.0101, 0.0102)))
    assert "by 1 % of the first loss a generation: " in sentence("x", alike, LIMITS)
    gone = entries({"verdict": DIVERGED, "growth_relative": 9.0})
    assert sentence("x", gone, LIMITS) == (
        "The policy x raised held-out loss in 1 of 1 configuration: went to infinity or to no number in 1."
    )


def test_bounds_are_told_from_the_surest_to_the_least_sure() -> None:
    rows = words(RISES, SLOW, LEVELS, COLLAPSES, DIVERGED, needed_runs=7, needed_generations=30)
    said = sentence("x", rows, LIMITS)
    assert said.endswith(
        ": went to infinity or to no number in 1, shown to be without bound in 1, shown to level off in 1, "
        "by less than the margin in 1, not clear yet whether it levels off in 1 "
        "(about 30 generations or 7 recursions would tell)."
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (({"generations": 5},), "too short to tell where it leads in 1 (it takes at least 1 more generation)."),
        (({"generations": 5}, {"generations": 3}), "in 2 (it takes at least 3 more generations)."),
        (({"generations": 5}, {"needed_runs": 1200}), "levels off in 2 (about 1,200 recursions would tell)."),
        (({"needed_runs": 9}, {"needed_runs": 0}), "levels off in 2 (it takes far more generations or seeds)."),
        (({"needed_generations": 9}, {"needed_generations": 12}), "levels off in 2 (about 12 generations would tell)."),
    ],
    ids=str,
)
def test_what_would_tell_is_of_all_rises_that_are_long_enough(rows: tuple[dict[str, object], ...], said: str) -> None:
    assert sentence("x", entries(*rows), LIMITS).endswith(said)


def test_what_is_not_known_comes_last_and_in_other_words_where_more_is_said() -> None:
    few, unknown = {"verdict": UNDECIDED, "runs": 2}, {"verdict": UNDECIDED}
    assert sentence("x", entries(unknown, unknown), LIMITS) == (
        "The policy x neither raised held-out loss for certain nor kept it from growing, in 2 of 2 configurations."
    )
    assert sentence("x", entries({"verdict": STABLE}, unknown, few), LIMITS) == (
        "The policy x kept held-out loss from growing in 1 of 3 configurations; "
        "in 1 of 3 configurations growth is neither shown nor excluded; "
        "in 1 of 3 configurations 3 recursions are not done yet."
    )


def test_how_sure_is_said_of_each_kind_of_word() -> None:
    rows = entries({"verdict": COLLAPSES, "runs": 1200}, {"verdict": RISES, "p_holm": 0.06}, {"verdict": STABLE},
                   {"verdict": UNDECIDED}, {"verdict": UNDECIDED, "runs": 1}, {"verdict": DIVERGED})  # fmt: skip
    assert sure(rows, LIMITS) == (
        "How sure: 95% intervals over 1 to 1,200 independent recursions; "
        "growth is above 0 in 1 of 2 even with all entries taken together (Holm); "
        "any rise over the whole run is below 1 % of the first loss where it is stable; "
        "growth of 5 % of the first loss a generation would have been seen; "
        "nothing is decided below 3 recursions."
    )
    assert sure(words(STABLE, margin=np.nan), Thresholds(confidence=0.9)) == (
        "How sure: 90% intervals over 5 independent recursions."
    )


@pytest.mark.parametrize(
    ("held", "tone"),
    [((STABLE, LEVELS), "good"), ((STABLE, UNDECIDED), "open"), ((SLOW, UNDECIDED), "warn"), ((RISES,), "warn"),
     ((COLLAPSES, STABLE), "bad"), ((DIVERGED, RISES), "bad")],
)  # fmt: skip
def test_an_answer_has_the_tone_of_its_worst_word(held: tuple[str, ...], tone: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    study = ReportContext(simulated.study({("a", "replace", 0): np.ones(4)}), "x")
    monkeypatch.setitem(study.__dict__, "assessment", words(*held).assign(policy="replace", metric="test_loss"))
    assert [answer.tone for answer in answers_of(study)] == [tone]


def test_recursions_that_separated_are_not_told_as_healthy(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """The sentence was "Replacing ." in the tone of health."""
    rows = words(SEPARATED, STABLE, UNDECIDED)
    assert sentence("replace", rows, LIMITS) == (
        "Replacing kept held-out loss from growing in 1 of 3 configurations; "
        "ended on labels that a model fits perfectly in 1 of 3 configurations; "
        "in 1 of 3 configurations growth is neither shown nor excluded."
    )
    study = ReportContext(simulated.study({("a", "replace", 0): np.ones(4)}), "x")
    monkeypatch.setitem(study.__dict__, "assessment", words(SEPARATED).assign(policy="replace", metric="test_loss"))
    (answer,) = answers_of(study)
    assert (answer.tone, answer.sentence) == (
        "bad", "Replacing ended on labels that a model fits perfectly in 1 of 1 configuration."
    )  # fmt: skip


def corpora(sizes: list[float], real: list[float], cells: int = 1) -> ReportContext:
    frame = simulated.study({("a", "replace", seed): np.ones(len(sizes)) for seed in range(cells)})
    place = frame["generation"] - 1
    rows = frame.assign(corpus_rows=np.array(sizes)[place], real_fraction=np.array(real)[place])
    return ReportContext(rows, "x")


@pytest.mark.parametrize(
    ("sizes", "real", "said"),
    [
        ([100, 100], [1, 0], "held no real row and were no larger than the first"),
        ([100, 100], [1, 0.0004], "held no real row and were no larger than the first"),
        ([100, 250], [1, 0.4], "held every real row and were 2.5 times as large as the first"),
        ([100, 300], [1, 0.5], "held every real row and fresh ones and were 3 times as large as the first"),
        ([100, 50], [1, 0.25], "held 12 % as many real rows as the first and were 0.5 times as large as the first"),
        ([100, 100.4], [1, 0.5], "held 50 % as many real rows as the first and were no larger than the first"),
    ],
)
def test_what_is_left_of_real_data_is_said_in_words(sizes: list[float], real: list[float], said: str) -> None:
    assert kept(corpora(sizes, real), "replace") == f"its last corpora {said}"


def test_recursions_that_ended_early_say_nothing_of_the_last_corpora() -> None:
    study = corpora([100, 50, 25], [1, 1, 1], cells=2)
    frame = study.frame[(study.frame["seed"] == 0) | (study.frame["generation"] < 3)]
    assert kept(ReportContext(frame, "x"), "replace").endswith("0.25 times as large as the first")
    assert kept(ReportContext(frame[frame["generation"] == 1], "x"), "replace") == "", "one generation is the first"
    assert kept(ReportContext(frame.assign(real_fraction=np.nan), "x"), "replace") == ""


def test_a_strip_has_bars_up_to_thirty_the_first_and_the_last_among_them() -> None:
    sizes = [10.0 * n for n in range(1, 46)]
    strip = strips(corpora(sizes, [1 / n for n in range(1, 46)]))["replace"]
    assert (strip.family, strip.most, len(strip.bars)) == ("linear", 450, GENERATIONS)
    assert [bar.generation for bar in strip.bars][::29] == [1, 45]
    assert strip.bars[-1].real == pytest.approx(10 / 450)
    assert strip.bars[-1].real + strip.bars[-1].synthetic == pytest.approx(1)
    assert strip.bars[0].synthetic == pytest.approx(0)
    assert len(strips(corpora(sizes[:30], [0.5] * 30))["replace"].bars) == 30
    assert strips(corpora([0.0, 0.0], [1, 1])) == {}


def test_facts_are_of_what_was_run() -> None:
    few = {("a", policy, seed): np.ones(3) for policy in ("replace", "accumulate") for seed in range(2)}
    said = dict(facts_of(ReportContext(simulated.study(few), "x")).terms)
    assert said["Size"] == "1 configuration × 2 policies × 2 seeds: 4 cells, 12 generations"
    assert said["Recursions"] == "2 independent ones in each entry"
    assert said["Data"] == "linear: drawn from a known distribution"
    one = {("a", "replace", 0): np.ones(1500)}
    said = dict(facts_of(ReportContext(simulated.study(one), "x")).terms)
    assert said["Size"] == "1 configuration × 1 policy × 1 seed: 1 cell, 1,500 generations"
    assert said["Generations"] == "1,500"


def test_data_are_named_without_their_folders_and_four_at_most() -> None:
    frame = simulated.study({(f"dim {i}", "replace", 0): np.ones(2) for i in range(6)})
    configs = {config: i for i, config in enumerate(dict.fromkeys(frame["cell_config"]))}
    sources = [{"kind": "file", "path": "/data/one.txt"}, {"kind": "hub", "name": "org/two/"}, {"kind": "mnist"},
               {"path": 3, "repository": "a/b"}, {"kind": "x"}, {"kind": "y"}]  # fmt: skip
    named = frame["cell_config"].map(
        lambda text: json.dumps({"family": {"kind": "linear", "source": sources[configs[text]]}})
    )
    said = dict(facts_of(ReportContext(frame.assign(cell_config=named), "x")).terms)["Data"]
    assert said == "linear: file one.txt, hub two, mnist, b and 2 more"


def test_warnings_count_what_did_not_run_to_its_end() -> None:
    frame = simulated.study({("a", "replace", seed): np.ones(2) for seed in range(8)})
    status = {0: "failed", 1: "failed", 2: "failed, to be tried again", 3: "stopped_early", 4: "failed", 5: "failed"}
    reasons = {0: "memory", 1: "memory", 2: "disk", 4: "nan", 5: "zap"}
    marked = frame.assign(status=frame["seed"].map(status).fillna("done"), reason=frame["seed"].map(reasons).fillna(""))
    failed, stopped = facts_of(ReportContext(marked, "x")).warnings
    assert failed.startswith("5 cells failed: memory (2); ")
    assert failed.endswith("; earlier generations are included.")
    assert failed.count("(") == 3, "the three most frequent reasons"
    assert stopped.startswith("A scheduler stopped 1 cell early; each policy")
    assert facts_of(ReportContext(frame, "x")).warnings == ()


def test_of_many_configurations_change_is_relative_to_the_first_generation() -> None:
    table = pd.DataFrame(
        {"config": ["a", "a", "b", "b", "c", "c"], "policy": "p", "generation": [2, 1, 1, 2, 1, 2],
         "mean": [3.0, 2.0, -4.0, -2.0, 0.0, 1.0]}
    )  # fmt: skip
    found = relative(table).set_index(["config", "generation"])["change"]
    assert [found["a", 2], found["b", 2], found["a", 1]] == [0.5, 0.5, 0.0]
    assert np.isnan(found["c", 2])
    middle = quantiles(pd.DataFrame({"generation": 1, "change": np.arange(11.0)}))
    assert middle.loc[1].tolist() == [1.0, 5.0, 9.0]


def test_of_more_than_a_hundred_and_twenty_lines_evenly_spaced_ones_are_drawn() -> None:
    own = pd.DataFrame({"config": [f"{i:03d}" for i in range(239)], "generation": 1, "change": np.arange(239.0)[::-1]})
    drawn = lines_of(own)
    assert len(set(drawn)) == 120
    assert drawn[::119] == ["238", "000"], "the least and the most"
    assert len(lines_of(own.iloc[:120])) == 120

"""What sections of a report tabulate and say, from tables that are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.report import ReportContext, tables
from analysis.report.sections import (
    claims,
    curves,
    definitions,
    pairs,
    parallel,
    scaling,
    specification,
    survival,
    verdicts,
)
from analysis.verdicts import Thresholds
from sweep.commands.report import print_table
from tests.support import simulated

FRAME = simulated.study(
    {("dim 10", policy, seed): np.ones(4) for policy in ("replace", "accumulate") for seed in (0, 1)}
)


def study(limits: Thresholds | None = None, **held: Any) -> ReportContext:
    """A study of which these parts are given."""
    found = ReportContext(FRAME, "x", limits or Thresholds())
    found.__dict__.update(held)
    return found


CLAIMS = pd.DataFrame(
    {
        "claim": ["replace collapses", "accumulate beats replace"], "configurations": [4, 8], "holds": [3, 2],
        "refuted": [1, 2], "undecided": [0, 4], "share": [0.75, 0.25], "share_low": [0.3, 0.07],
        "share_high": [0.95, 0.59], "weakest": ["linear · dim 10", ""], "weakest_effect": [np.inf, np.nan],
        "weakest_verdict": ["diverged", ""],
    }
)  # fmt: skip


def test_a_share_has_an_interval_only_where_nothing_is_undecided() -> None:
    shown = claims._claims(CLAIMS).shown
    assert shown["holds in"].tolist() == ["75% [30%, 95%]", "25% to 75%"]
    assert shown[["weakest configuration", "its effect", "its verdict"]].to_numpy().tolist() == [
        ["linear · dim 10", "inf", "diverged"], ["", "", ""]
    ]  # fmt: skip


def test_how_often_and_what_would_have_been_seen_is_said() -> None:
    loss = {"metric": "test_loss", "runs": [3, 5, 3], "detectable": [0.02, 0.06, np.nan], "first": [-1.0, 2.0, 1.0]}
    assert claims._text(study(assessment=pd.DataFrame(loss))) == [
        "Each configuration and policy was run 3 to 5 times independently. At the spread seen, a growth of 2.50% of "
        "the first loss per generation (median over entries; 3.00% in the noisiest) would be found with 80 % power."
    ]
    alike = pd.DataFrame(loss).assign(runs=4, detectable=np.nan)
    assert claims._text(study(assessment=alike)) == ["Each configuration and policy was run 4 times independently."]


def test_heterogeneity_is_shown_as_what_it_is() -> None:
    found = pd.DataFrame(
        {"family": "linear", "policy": "replace", "configurations": 4, "growth": 0.5, "growth_low": 0.4,
         "growth_high": 0.6, "pooled": 0.45, "pooled_low": np.nan, "pooled_high": np.nan, "tau": 0.1234,
         "i2": [0.876, np.nan], "p_heterogeneity": [1e-9, np.nan]}
    )  # fmt: skip
    shown = claims._between(found).shown
    assert shown.iloc[0].tolist() == [
        "linear", "replace", 4, "+0.50 [+0.40, +0.60]", "0.45", "0.123", "88%", "< 0.0001"
    ]  # fmt: skip
    assert shown.iloc[1][["I²", "p (homogeneity)"]].tolist() == ["", ""]


def counts(*words: tuple[str, str, int, int, int, int]) -> pd.DataFrame:
    """Family, policy, number of the definition, met, not met, undecided."""
    held = pd.DataFrame(words, columns=["family", "policy", "number", "met", "not met", "undecided"])
    return held.assign(definition=held["number"].map({1: "catastrophic_increase", 7: "lost_tail"}), threshold=2.0)


def test_the_matrix_counts_words_in_chips_and_leaves_out_what_does_not_occur() -> None:
    markup = definitions._matrix(counts(("<f>", "replace", 7, 0, 0, 0), ("<f>", "replace", 1, 3, 0, 1)))
    row = markup[markup.index("<tbody>") :]
    assert "<b>&lt;f&gt;</b> replace" in row
    first, second = row.split("<td>")[1:]
    assert first.startswith('<span class="chip bad">met 3</span> <span class="chip open">undecided 1</span></td>')
    assert second.startswith('<span class="note">not supported</span></td>')
    assert "<th scope=col>1 catastrophic increase of risk<small>κ, factor of the first loss: 2</small></th>" in markup


def test_the_matrix_as_a_table_has_policies_in_rows_and_definitions_in_columns() -> None:
    shown = definitions._shown(counts(("f", "replace", 1, 3, 0, 1), ("f", "replace", 7, 0, 0, 0)))
    assert shown.to_dict("records") == [
        {"family": "f", "policy": "replace", "1 catastrophic increase": "met 3, not met 0, undecided 1",
         "7 lost tail": "not supported"}
    ]  # fmt: skip


def test_pairs_say_who_diverged_and_leave_out_columns_without_a_word() -> None:
    rows = {
        "family": "f", "architecture": "", "size": "", "hyperparameters": "", "metric": "test_loss",
        "policy": ["accumulate", "fresh_mix"], "other": "replace", "pairs": 4, "diverged": [0, 1],
        "other_diverged": [2, 1], "growth": [0.5, np.nan], "growth_low": [0.4, np.nan], "growth_high": [0.6, np.nan],
        "last": 1.0, "last_low": 0.5, "last_high": 1.5, "p_holm": [0.01, np.nan],
    }  # fmt: skip
    shown = pairs.shown(pd.DataFrame(rows))
    assert list(shown.columns) == ["family", "metric", "pair", "pairs", "growth", "last", "diverged", "p (Holm)"]
    assert shown["pair"].tolist() == ["accumulate − replace", "fresh_mix − replace"]
    assert shown["diverged"].tolist() == ["2 of replace", "1 of fresh_mix, 1 of replace"]
    assert shown[["growth", "last", "p (Holm)"]].to_numpy().tolist() == [
        ["+0.50 [+0.40, +0.60]", "+1.0 [+0.5, +1.5]", "0.01"], ["", "+1.0 [+0.5, +1.5]", ""]
    ]  # fmt: skip
    calm = pairs.shown(pd.DataFrame(rows).assign(diverged=0, other_diverged=0))
    assert "diverged" not in calm


def laws(fitted: float) -> pd.DataFrame:
    """Two ladders of two generations; of the second so large a share is fitted."""
    alpha = [0.4, 0.3, 0.5, np.nan if fitted < 1 else 0.5]
    if fitted == 0:
        alpha[2] = np.nan
    rows = {"ladder": [0, 0, 1, 1], "family": "f", "architecture": "", "policy": ["replace"] * 2 + ["accumulate"] * 2,
            "configs": "a b", "generation": [1, 2, 1, 2], "sizes": 5, "cells": 10}  # fmt: skip
    table = pd.DataFrame(rows).assign(verdict=["", "changes"] * 2)
    for name, values in (("alpha", alpha), ("floor", 2.0), ("alpha_change", [0, -0.1, 0, 0.0]), ("floor_change", 0.0)):
        table = table.assign(
            **{name: values, f"{name}_low": np.array(values) - 0.05, f"{name}_high": np.array(values) + 0.05}
        )
    return table


def test_ladders_of_which_less_than_half_is_fitted_are_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for fitted, ladders in ((0.5, [0, 1]), (0.0, [0])):
        monkeypatch.setattr(scaling.size_ladders, "laws", lambda *_, fitted=fitted: laws(fitted))
        section = scaling.build(study())
        assert section is not None
        assert section.exhibits[0].table["ladder"].unique().tolist() == ladders
        said = " ".join(section.text)
        assert ("No law of this form fits 1 ladders: f accumulate." in said) == (len(ladders) == 1)
    monkeypatch.setattr(scaling.size_ladders, "laws", lambda *_: laws(0.0).query("ladder == 1"))
    alone = scaling.build(study())
    assert alone is not None
    assert (list(alone.exhibits), list(alone.pictures)) == ([], [])


def test_a_scaling_law_shows_no_change_of_its_first_generation_and_what_was_rejected() -> None:
    shown = scaling._shown(laws(0.5))
    assert list(shown.columns) == [
        "family", "policy", "generation", "sizes", "cells", "α", "E", "α change", "E change", "definition 5"
    ]  # fmt: skip
    assert shown["α"].tolist() == [
        "+0.40 [+0.35, +0.45]",
        "+0.30 [+0.25, +0.35]",
        "+0.50 [+0.45, +0.55]",
        "rejected",
    ]
    assert shown["α change"].tolist() == ["", "−0.10 [−0.15, −0.05]", "", "+0.00 [−0.05, +0.05]"]


def test_a_median_that_is_not_reached_is_said_and_its_bound_only_where_cells_were_stopped() -> None:
    rows = {"family": "f", "event": "e", "policy": ["replace", "accumulate"], "recursions": 8, "collapsed": 4,
            "censored": 4, "ended_early": 1, "stopped": [0, 0], "median": [7.0, np.inf], "median_low": [5.0, np.inf],
            "p_logrank": 0.0123}  # fmt: skip
    shown = survival._shown(pd.DataFrame(rows))
    assert shown["median"].tolist() == ["7", "not reached"]
    assert shown.columns[-2:].tolist() == ["median", "p (log-rank)"]
    assert "of these ended early" in shown
    stopped = survival._shown(pd.DataFrame(rows | {"stopped": [0, 2]}))
    assert stopped[["of these stopped", "median, bound"]].to_numpy().tolist() == [[0, "5"], [2, "not reached"]]


def test_how_to_read_the_table_counts_what_holds_after_each_correction() -> None:
    table = pd.DataFrame(
        {"p_rise": [0.001, 0.02, 0.04, np.nan], "p_bh": [0.004, 0.03, 0.06, np.nan],
         "p_holm": [0.004, 0.06, 0.06, np.nan], "verdict": ["collapses", "rises", "stable", "undecided"],
         "verdict_alone": ["collapses", "collapses", "stable", "undecided"], "generations": 6}
    )  # fmt: skip
    read = verdicts._reading(study(assessment=table))
    assert read[2] == (
        "Entries that grow, of 4: 3 at p < 0.05 each by itself, 2 at that false discovery rate (Benjamini–Hochberg), "
        "1 at that family-wise error (Holm)."
    )
    assert read[1].endswith(
        "The margin is a rise over the run of 1.41 standard deviations of a recursion's change from one generation to "
        "the next, whatever the level of the loss (column `margin`). Nothing is decided below 3 recursions, and no law "
        "below 6 generations. “Collapses” and “levels off” hold over all rows of the table together (Holm); 1 of these "
        "4 would have another word by itself (column `verdict_alone`)."
    )
    other = verdicts._reading(study(Thresholds(absolute=0.25, corrected=False), assessment=table))[1]
    assert "The margin is a rise of 0.25 over the run, in the metric's own unit." in other
    assert other.endswith("Words are not corrected for the number of rows.")
    legend = verdicts._legend(study(Thresholds(confidence=0.9), assessment=table))
    assert legend.startswith("Growth of the metric per generation with its 90% interval. ▲ collapses: it grows, and")
    assert [word for word in ("diverged", "levels off") if word in legend] == []


def searched(count: int, **columns: Any) -> ReportContext:
    """Configurations of a search, one seed each."""
    frame = simulated.study({(f"dim {i}", "replace", 0): np.ones(2) for i in range(count)})
    number = frame["size"].str.removeprefix("dim ").astype(int)
    return ReportContext(frame.assign(**{f"family.{name}": number.map(value) for name, value in columns.items()}), "x")


def test_many_numbers_are_shown_in_quarters_and_few_as_they_are() -> None:
    six = searched(6, rate=lambda i: i / 10)
    ranked = six.frame.drop_duplicates("config").sort_values("family.rate")["config"].tolist()
    assert specification.choices(six, "linear", ranked)["size"].tolist() == [f"dim {i}" for i in range(6)]
    eight = searched(8, rate=lambda i: float(i), few=lambda i: 2.0 * (i // 3), word=lambda i: "abcdefgh"[i])
    ranked = eight.frame.drop_duplicates("config").sort_values("family.rate")["config"].tolist()
    table = specification.choices(eight, "linear", ranked)
    assert table["rate"].tolist() == ["0 to 1.8"] * 2 + ["1.8 to 3.5"] * 2 + ["3.5 to 5.2"] * 2 + ["5.2 to 7"] * 2
    assert table["few"].tolist() == ["0", "0", "0", "2", "2", "2", "4", "4"]
    assert "word" not in table, "it tells what the size tells"


def test_heights_of_parallel_coordinates_are_linear_logarithmic_or_words_in_order() -> None:
    from analysis.report import style

    with style.figure("x") as figure:
        axes = figure.subplots()

        def drawn(*values: Any) -> tuple[list[float], list[str]]:
            before = len(axes.texts)
            heights = parallel._heights(axes, 0, pd.Series(values))
            return [round(float(h), 4) for h in heights], [text.get_text() for text in axes.texts[before:]]

        assert drawn(1.0, 3.0, 2.0) == ([0.0, 1.0, 0.5], ["1", "3"])
        assert drawn(1.0, 30.0, 15.5) == ([0.0, 1.0, 0.5], ["1", "30"])
        assert drawn(1.0, 100.0, 10.0) == ([0.0, 1.0, 0.5], ["1", "100"])
        assert drawn(0.0, 100.0, 10.0) == ([0.0, 1.0, 0.1], ["0", "100"])
        assert drawn("b", "c", "a") == ([0.5, 1.0, 0.0], ["a", "b", "c"])
        assert drawn(*"abcdefg")[1] == ["a", "g"], "of more than six words the ends"
        assert drawn(0.0, 1.0, np.inf) == ([0.0, round(1 / 1.12, 4), 1.0], ["0", "1", "diverged"])
        assert drawn(2.0, 2.0) == ([0.0, 0.0], ["2", "2"])


def test_of_many_configurations_curves_are_shown_evenly_by_their_largest_growth() -> None:
    many = searched(25)
    growth = {config: float(i) for i, config in enumerate(many.names.index)}
    table = pd.DataFrame({"config": list(growth) * 2, "metric": "test_loss", "growth_relative": 0.0})
    table["growth_relative"] = [*growth.values(), *[-1.0] * 25]
    many.__dict__["assessment"] = table
    ((family, metric, _),) = many.curves
    chosen = curves._chosen(many, family, metric)
    places = [int(growth[c]) for c in chosen]
    assert places == [round(i * 24 / 11) for i in range(12)]
    few = searched(12)
    assert curves._chosen(few, family, metric) == [str(c) for c in few.names.index]


@pytest.mark.parametrize(
    ("words", "generations", "said"),
    [
        (["stable", "stable"], [2, 6], "“stable” from 2"),
        (["stable", "stable", "grows slowly"], [3, 5, 4],
         "“grows slowly” from 4, “stable” from 3 to 5"),
        (["rises", "undecided", "diverged", "stable"], [2, 2, 2, 6], ""),
    ],
)  # fmt: skip
def test_it_is_said_how_few_generations_a_word_is_from(words: list[str], generations: list[int], said: str) -> None:
    """Two generations and three noisy seeds can be "stable"."""
    table = pd.DataFrame({"verdict": words, "generations": generations})
    whole = f"Of few generations: {said}; whether there is a bound is told from 6 on." if said else ""
    assert tables.few_generations(table) == whole
    assert verdicts._legend(study(assessment=table)).endswith(whole)


def test_a_terminal_says_it_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(1, 0.1, (3, 3))
    frame = simulated.study({("a", "replace", seed): noise[seed] for seed in range(3)})
    print_table(ReportContext(frame, "x", Thresholds(absolute=9.0)).assessment)
    assert capsys.readouterr().out.splitlines()[-1].startswith("Of few generations: “stable” from 3; ")

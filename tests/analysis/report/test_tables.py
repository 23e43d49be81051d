"""Tables for people: numbers, intervals, entries, and the same table as text, Markdown, LaTeX and files."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from analysis.report import tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (math.nan, ""),
        (True, "True"),
        (0, "0"),
        (-7, "-7"),
        (2.0, "2"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (0.00012345, "0.000123"),
        (12.345, "12.3"),
        (math.inf, "inf"),
        ("as it is", "as it is"),
    ],
)
def test_a_number_has_three_significant_digits(value: object, text: str) -> None:
    assert tables.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.1, "10 %"),
        (0.0999, "10 %"),
        (0.0123, "1.2 %"),
        (-0.0123, "−1.2 %"),
        (-0.5, "−50 %"),
        (12.5, "1,250 %"),
        (0.0, "0 %"),
    ],
)
def test_a_share_is_in_per_cent_with_two_digits_or_all(share: float, text: str) -> None:
    assert tables.percent(share) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0001, "0.0001"), (0.000099, "< 0.0001"), (0.0, "< 0.0001"), (0.04567, "0.046"), (1.0, "1"), (math.nan, "")],
)
def test_a_tiny_p_value_is_a_bound(p: float, text: str) -> None:
    assert tables.probability(p) == text


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        ((1.0, 0.95, 1.05), "+1.00 [+0.95, +1.05]"),
        ((1.0, 0.5, 1.5), "+1.0 [+0.5, +1.5]"),
        ((5.0, -5.0, 15.0), "+5 [−5, +15]"),
        ((3.0, 3.0, 3.0), "+3.0000 [+3.0000, +3.0000]"),
        ((1e-5, 0.0, 9e-5), "+1.00e−05 [+0.00e+00, +9.00e−05]"),
        ((1e-4, 0.0, 1e-4), "+0.00010 [+0.00000, +0.00010]"),
        ((0.0, -9999999.0, 9999999.0), "+0 [−9999999, +9999999]"),
        ((0.0, -1e7, 1.0), "+0.00e+00 [−1.00e+07, +1.00e+00]"),
        ((0.25, math.nan, math.nan), "0.25"),
        ((math.nan, math.nan, math.nan), ""),
    ],
    ids=str,
)
def test_an_interval_has_two_digits_of_its_width(bounds: tuple[float, float, float], text: str) -> None:
    assert tables.interval(*bounds) == text


def test_an_interval_of_a_level_has_no_plus_signs() -> None:
    assert tables.interval(1.0, -0.5, 2.5, sign="-") == "1.0 [−0.5, 2.5]"
    assert tables.between("2", "2") == "2"
    assert tables.between("2", "10") == "2 to 10"


def row(**changed: object) -> SimpleNamespace:
    held = {"growth": 0.5, "growth_low": 0.4, "growth_high": 0.6, "ratio": 2.0, "verdict": "collapses", "stopped": 0}
    return SimpleNamespace(**held | {"generations": 9, "theory_growth": math.nan, "theory_z": math.nan} | changed)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "+0.50 [+0.40, +0.60] ×2 ▲ collapses"),
        ({"ratio": math.nan}, "+0.50 [+0.40, +0.60] ▲ collapses"),
        ({"verdict": "undecided"}, "+0.50 [+0.40, +0.60] ×2 ○ undecided"),
        ({"stopped": 3}, "+0.50 [+0.40, +0.60] ×2 ▲ collapses (3 of its cells stopped early: 9 generations)"),
        ({"theory_growth": 0.4567}, "+0.50 [+0.40, +0.60] ×2 ▲ collapses (theory 0.457)"),
        ({"theory_growth": 0.4, "theory_z": -2.04}, "+0.50 [+0.40, +0.60] ×2 ▲ collapses (theory 0.4, z -2.0)"),
    ],
    ids=str,
)
def test_an_entry_says_growth_ratio_word_and_what_must_be_known_beside(changed: dict[str, object], text: str) -> None:
    assert tables.entry(row(**changed)) == text


def test_no_two_kinds_of_word_share_a_symbol() -> None:
    assert {word: tables.SYMBOLS[word] for word in ("rises", "grows slowly", "levels off", "stable")} == {
        "rises": "△", "grows slowly": "△", "levels off": "■", "stable": "■"
    }  # fmt: skip
    assert len({tables.SYMBOLS[word] for word in ("diverged", "separated", "collapses", "rises", "stable")}) == 5
    assert "undecided" not in tables.SYMBOLS


def assessment() -> pd.DataFrame:
    """Two configurations in an order that is not the alphabet's; one has no accumulate, and a second metric."""
    rows = [
        ("b", "dim 5", "test_loss", "accumulate", 0.1),
        ("b", "dim 5", "test_loss", "replace", 0.2),
        ("b", "dim 5", "a_metric", "replace", 0.3),
        ("a", "dim 10", "test_loss", "replace", 0.4),
    ]
    held = [
        vars(row(growth=g, growth_low=g - 0.05, growth_high=g + 0.05))
        | {"config": c, "size": s, "metric": m, "policy": p}
        for c, s, m, p, g in rows
    ]
    names = {"family": "linear", "architecture": "", "hyperparameters": "", "unit": ""}
    return pd.DataFrame(held).assign(**names)


def test_the_wide_table_has_a_row_a_configuration_and_metric_and_a_column_a_policy() -> None:
    wide = tables.robustness(assessment())
    assert list(wide.columns) == ["family", "size", "metric", "replace", "accumulate"], (
        "names that are empty are left out"
    )
    assert wide[["size", "metric"]].to_numpy().tolist() == [
        ["dim 5", "a_metric"], ["dim 5", "test_loss"], ["dim 10", "test_loss"]
    ]  # fmt: skip
    assert wide["accumulate"].tolist() == ["", "+0.10 [+0.05, +0.15] ×2 ▲ collapses", ""]
    assert "unit" in tables.robustness(assessment().assign(unit="nats"))
    assert list(tables.robustness(assessment().iloc[:0]).columns) == ["family"]


def test_the_narrow_table_has_a_row_a_policy_held_out_loss_first() -> None:
    found = tables.narrow(assessment())
    assert found[["configuration", "metric", "policy", "growth"]].to_numpy().tolist() == [
        ["linear · dim 5", "test_loss", "replace", "+0.20 [+0.15, +0.25]"],
        ["linear · dim 5", "test_loss", "accumulate", "+0.10 [+0.05, +0.15]"],
        ["linear · dim 5", "a_metric", "replace", "+0.30 [+0.25, +0.35]"],
        ["linear · dim 10", "test_loss", "replace", "+0.40 [+0.35, +0.45]"],
    ]
    assert set(found["verdict"]) == {"▲ collapses"}
    assert "metric" not in tables.narrow(assessment().query("metric == 'test_loss'"))
    assert list(tables.narrow(assessment().iloc[:0]).columns) == ["policy"]


SMALL = pd.DataFrame({"name": ["a|b", "two\nlines"], "value": [0.123456, np.nan], "n": [3, 4]})


def test_markdown_has_a_head_a_rule_and_no_cell_that_breaks_a_row() -> None:
    assert tables.markdown(SMALL) == (
        "| name | value | n |\n| --- | --- | --- |\n| a\\|b | 0.123 | 3 |\n| two lines |  | 4 |\n"
    )


def test_latex_has_rules_a_comment_and_every_special_character_escaped() -> None:
    text = tables.latex(pd.DataFrame({"a_b": ["50 % & $x$ #1 {y} ~^\\", "≤ “α”…"]}), "what it is")
    lines = text.splitlines()
    assert lines[0] == "% what it is"
    assert lines[3:7:3] == [r"\toprule", r"\raggedright 50 \% \& \$x\$ \#1 \{y\} \textasciitilde{}\textasciicircum{}"
                            r"\textbackslash{} \tabularnewline"]  # fmt: skip
    assert lines[4] == r"\raggedright a\_\allowbreak{}b \tabularnewline"
    assert lines[7:] == [r"\raggedright $\leq$ ``$\alpha$''\dots{} \tabularnewline", r"\bottomrule", r"\end{tabular}}"]
    assert tables.latex(SMALL).startswith("{")


def test_columns_share_a_line_by_their_longest_words_and_the_roots_of_their_texts() -> None:
    """Words of 5 and 10 letters and a space each leave 66 − 17; texts of 9 and 36 letters share it as 3 to 6."""
    cells = [["abcde", "0123456789"], ["abcd efgh", "0123456789 " * 3 + "xyz"]]
    widths = [6 + 49 * 3 / 9, 11 + 49 * 6 / 9]
    assert tables.shares(cells) == pytest.approx([0.95 * w / sum(widths) for w in widths])
    crowded = tables.shares([["x" * 50, "y" * 50]])
    assert crowded == pytest.approx([0.475, 0.475]), "nothing is left to share"
    broken = tables.shares([["a_b=c,d", "xxx"]])
    assert broken[0] == pytest.approx(0.95 * (2 + 60 * 7**0.5 / (7**0.5 + 3**0.5)) / 66), "lines may end after these"


def test_files_hold_full_precision_and_what_is_shown_to_people(tmp_path: Path) -> None:
    shown, column = pd.DataFrame({"shown": ["s"]}), pd.DataFrame({"column": ["c"]})
    table = pd.DataFrame({"value": [1 / 3]})
    paths = tables.write(table, tmp_path, "name", shown, column)
    assert sorted(paths) == ["name.csv", "name.md", "name.parquet", "name.tex"]
    assert pd.read_csv(paths["name.csv"])["value"].item() == 1 / 3
    assert pd.read_parquet(paths["name.parquet"])["value"].item() == 1 / 3
    assert paths["name.md"].read_text() == "| shown |\n| --- |\n| s |\n"
    assert "column" in paths["name.tex"].read_text()
    plain = tables.write(table, tmp_path, "plain", shown)
    assert "shown" in plain["plain.tex"].read_text()
    assert "0.333" in tables.write(table, tmp_path, "bare")["bare.md"].read_text()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 130, 160, 200])
def test_no_word_of_a_terminals_table_is_broken(width: int) -> None:
    cell = "+5.47e−05 [+4.89e−05, +6.05e−05] ×1.68 ■ levels off (theory 0.0367, z +0.1)"
    policies = ("replace", "accumulate", "accumulate_subsample")
    names = {"family": ["gaussian"], "size": ["dim 1"], "metric": ["trace_ratio"], "unit": ["nats per generation"]}
    lines = tables.render(pd.DataFrame(names | {policy: [cell] for policy in policies}), width).splitlines()
    assert max(map(len, lines)) <= width
    words = Counter(word for line in lines for word in line.split() if set(word) - set("─·"))
    assert all(words[word] == 3 for word in cell.split()), words
    assert all(words[policy] == 1 for policy in policies)
    assert words["trace_ratio"] == 1


def test_what_fits_in_no_table_is_told_row_by_row_with_empty_entries_left_out() -> None:
    held = pd.DataFrame({"family": ["vae", "kde"], "size": ["", "9"], "replace": ["▲ collapses", ""], "b": ["", "○ x"]})
    assert [line.rstrip() for line in tables.render(held, width=20).splitlines()] == [
        "vae",
        "  replace  ▲",
        "           collapses",
        "kde · 9",
        "  b  ○ x",
    ]


def test_a_terminals_table_wraps_and_has_no_colours() -> None:
    text = tables.render(pd.DataFrame({"a": ["word " * 20], "b": ["▲ collapses"]}), width=40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("word") == 20
    assert "\x1b" not in text

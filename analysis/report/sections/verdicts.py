"""Section: the robustness table and how to read it."""

from __future__ import annotations

from analysis.report import tables
from analysis.report.context import Exhibit, ReportContext, Section
from analysis.report.page import verdict_table
from analysis.verdicts import EXPLAINED, WORDS, Thresholds


def build(study: ReportContext) -> Section | None:
    """The robustness table; how to read it is folded."""
    found = study.assessment
    if found.empty:
        return None
    exhibit = Exhibit(
        "robustness",
        "Every figure behind the table: growth, ratio, seeds, adjusted p-values, power, theory.",
        found,
        tables.robustness(found),
        tables.narrow(found),
    )
    return Section(
        "verdicts",
        "Robustness table",
        [_legend(study)],
        (),
        [exhibit],
        verdict_table(found),
        _reading(study),
    )


def _legend(study: ReportContext) -> str:
    """What an entry is, and what the words mean that occur."""
    held = set(study.assessment["verdict"])
    words = " ".join(f"{tables.SYMBOLS.get(word, '○')} {word}: {EXPLAINED[word]}." for word in WORDS if word in held)
    few = tables.few_generations(study.assessment, study.thresholds)
    what = f"Growth of the metric per generation with its {study.thresholds.confidence:.0%} interval."
    return " ".join(part for part in (what, words, few) if part)


def _reading(study: ReportContext) -> list[str]:
    limits, found = study.thresholds, study.assessment
    below = found["p_holm"] < 1 - limits.confidence
    controlled = found["p_bh"] < 1 - limits.confidence
    rising = found["p_rise"] < 1 - limits.confidence
    return [
        "An entry is the growth of the metric per generation (least-squares slope) with its "
        f"{limits.confidence:.0%} interval over independent recursions, the ratio of last to first value, a verdict.",
        "Bounded laws are approaches with a time constant of at most half the run (or that of 5 % real data), n^−p "
        "with p ≥ ½, Σ1/i² and lines that end by 75 % of the run; diverging ones ln n, Σ1/i, n^p, lines, exponentials "
        "and lines that start late. The column `excluded` names the families of laws that are excluded whole. "
        f"{_margin(limits)} Nothing is decided below {limits.min_runs} recursions, and no law below "
        f"{limits.min_generations} generations. {_correction(study)}",
        f"Entries that grow, of {len(found)}: {int(rising.sum())} at p < {1 - limits.confidence:.2g} each by itself, "
        f"{int(controlled.sum())} at that false discovery rate (Benjamini–Hochberg), {int(below.sum())} at that "
        "family-wise error (Holm).",
    ]


def _margin(limits: Thresholds) -> str:
    if limits.absolute is not None:
        return f"The margin is a rise of {limits.absolute:g} over the run, in the metric's own unit."
    return (
        f"The margin is a rise over the run of {limits.margin:.2f} standard deviations of a recursion's change from "
        "one generation to the next, whatever the level of the loss (column `margin`)."
    )


def _correction(study: ReportContext) -> str:
    found = study.assessment
    if not study.thresholds.corrected:
        return "Words are not corrected for the number of rows."
    changed = int((found["verdict"] != found["verdict_alone"]).sum())
    return (
        f"“Collapses” and “levels off” hold over all rows of the table together (Holm); {changed or 'none'} of these "
        f"{len(found)} would have another word by itself (column `verdict_alone`)."
    )

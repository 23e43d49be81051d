"""Section: the robustness table and how to read it."""

from __future__ import annotations

from analysis.report import tables
from analysis.report.context import Exhibit, Section, Study
from analysis.verdicts import WORDS


def build(study: Study) -> Section | None:
    """The robustness table, and the sentence that sums it up."""
    from analysis.report.page import verdict_table

    found = study.assessment
    if found.empty:
        return None
    exhibit = Exhibit(
        "robustness",
        "Every figure behind the table: growth, ratio, seeds, adjusted p-values, power, theory.",
        found,
        tables.robustness(found),
    )
    return Section(
        "verdicts", "Robustness table", [_summary(study), *_reading(study)], (), [exhibit], verdict_table(found)
    )


def _summary(study: Study) -> str:
    """How many configurations have which verdict, by policy, of held-out loss."""
    loss = study.assessment[study.assessment["metric"] == "test_loss"]
    parts = []
    for policy, rows in loss.groupby("policy", sort=True):
        counts = rows["verdict"].value_counts()
        said = [f"{word} in {counts[word]}" for word in WORDS if word in counts]
        parts.append(f"{policy}: {', '.join(said)} of {len(rows)} configurations")
    return "; ".join(parts) + "."


def _reading(study: Study) -> list[str]:
    limits, found = study.thresholds, study.assessment
    below = found["p_holm"] < 1 - limits.confidence
    controlled = found["p_bh"] < 1 - limits.confidence
    rising = found["p_rise"] < 1 - limits.confidence
    return [
        "An entry is the growth of the metric per generation (least-squares slope) with its "
        f"{limits.confidence:.0%} interval over independent recursions, the ratio of last to first value, a verdict. "
        f"▲ collapses: it grows, and does not level off as Σ1/i² does (or ends more than {limits.factor:g} times as "
        "bad as it began). △ rises: it grows, but these generations can't tell whether to a bound. ■ stable: growth is "
        f"at most {limits.margin:.1%} of the first value per generation and {limits.whole:.0%} in all, or the curve "
        f"has levelled off (second half at most {limits.late_share:.1%} of the rise). ○ undecided: none could be "
        f"shown, or there are fewer than {limits.min_runs} recursions.",
        f"Of {len(found)} entries {int(rising.sum())} grow at p < {1 - limits.confidence:.2g} each by themselves, "
        f"{int(controlled.sum())} at that false discovery rate (Benjamini–Hochberg), {int(below.sum())} at that "
        "family-wise error (Holm).",
    ]

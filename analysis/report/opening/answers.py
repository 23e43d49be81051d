"""One answer a policy, in plain words: did it keep held-out loss from growing, how sure is that, and why.

Every figure is one of the robustness table's. The table's words are told apart: growth without bound is claimed only
where every bounded law is excluded, and what only more generations could tell is called so, never "no evidence".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.data import order
from analysis.report import style, tables
from analysis.report.context import ReportContext
from analysis.report.opening.corpora import Strip, kept, strips
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE, UNDECIDED, Thresholds

if TYPE_CHECKING:
    import pandas as pd

_DOING = {
    "replace": "Replacing", "accumulate": "Accumulating", "accumulate_subsample": "Accumulating at a fixed size",
    "replace_multiple": "Replacing by several batches", "sliding_window": "Keeping a sliding window",
}  # fmt: skip
_GREW = (DIVERGED, COLLAPSES, RISES, SLOW, LEVELS)


@dataclass(frozen=True)
class Answer:
    """What a study says of one policy.

    Attributes:
        policy: its label.
        sentence: what it did to held-out loss, in how many configurations.
        sure: what the sentence rests on.
        why: what its corpora held; empty where the records do not say.
        tone: `good`, `bad`, `warn` or `open`, by the worst word.
        look: its colour and marker.
        strip: its corpora; None where the records do not say.
    """

    policy: str
    sentence: str
    sure: str
    why: str
    tone: str
    look: style.Look
    strip: Strip | None


def answers_of(study: ReportContext) -> list[Answer]:
    """Of every policy whose held-out loss is judged, in the order of legends."""
    loss = study.loss
    if loss.empty:
        return []
    looks, held = style.looks(loss["policy"]), strips(study)
    found = []
    for policy in order(loss["policy"]):
        rows, why = loss[loss["policy"] == policy], kept(study, policy)
        found.append(
            Answer(
                policy,
                sentence(policy, rows, study.thresholds),
                sure(rows, study.thresholds),
                f"Why: {why}." if why else "",
                _tone(set(rows["verdict"])),
                looks[policy],
                held.get(policy),
            )
        )
    return found


def sentence(policy: str, rows: pd.DataFrame, limits: Thresholds) -> str:
    """What a policy did to held-out loss.

    Args:
        policy: its label.
        rows: its entries of the assessment, one per configuration.
        limits: they were judged by.
    """
    grew, kept_ = rows[rows["verdict"].isin(_GREW)], int((rows["verdict"] == STABLE).sum())
    few = int(_few(rows, limits).sum())
    open_ = int((rows["verdict"] == UNDECIDED).sum()) - few
    of, parts = f"of {len(rows)} configuration{'' if len(rows) == 1 else 's'}", []
    if kept_:
        parts.append(f"kept held-out loss from growing in {kept_} {of}")
    if len(grew):
        what = "raised it" if parts else "raised held-out loss"
        parts.append(f"{what} in {len(grew)} {of}{_by(grew)}{_bounds(grew, limits)}")
    if lost := int((rows["verdict"] == SEPARATED).sum()):
        parts.append(f"ended on labels that a model fits perfectly in {lost} {of}")
    if open_:
        parts.append(_open(open_, of, bool(parts)))
    if few:
        least = f"{limits.min_runs} recursions are not done yet"
        parts.append(f"in {few} {of} {least}" if parts else f"can't be judged yet: in {few} {of} {least}")
    return f"{_DOING.get(policy, f'The policy {policy}')} {'; '.join(parts)}."


def sure(rows: pd.DataFrame, limits: Thresholds) -> str:
    """What the words rest on: recursions, confidence, and how they stand with all entries judged together."""
    level = 1 - limits.confidence
    said = [
        f"How sure: {limits.confidence:.0%} intervals over "
        f"{tables.between(f'{rows.runs.min():,}', f'{rows.runs.max():,}')} independent recursions"
    ]
    grew = rows[rows["verdict"].isin(_GREW) & (rows["verdict"] != DIVERGED)]
    if len(grew):
        firm = int((grew["p_holm"] < level).sum())
        said.append(f"growth is above 0 in {firm} of {len(grew)} even with all entries taken together (Holm)")
    flat = rows[rows["verdict"] == STABLE]
    margin = (flat["margin"] / flat["first"].abs()).max()
    if len(flat) and margin == margin:
        share = tables.percent(margin)
        said.append(f"any rise over the whole run is below {share} of the first loss where it is stable")
    few = _few(rows, limits)
    unknown = rows[(rows["verdict"] == UNDECIDED) & ~few]
    least = (unknown["detectable"] / unknown["first"].abs()).max()
    if len(unknown) and least == least:
        said.append(f"growth of {tables.percent(least)} of the first loss a generation would have been seen")
    if few.any():
        said.append(f"nothing is decided below {limits.min_runs} recursions")
    return "; ".join(said) + "."


def _few(rows: pd.DataFrame, limits: Thresholds) -> pd.Series[bool]:
    """Entries of which nothing can be said for want of recursions."""
    return (rows["verdict"] == UNDECIDED) & (rows["runs"] < limits.min_runs)


def _open(count: int, of: str, more: bool) -> str:
    """How often nothing could be shown."""
    if more:
        return f"in {count} {of} growth is neither shown nor excluded"
    return f"neither raised held-out loss for certain nor kept it from growing, in {count} {of}"


def _by(grew: pd.DataFrame) -> str:
    """How fast, as a share of the first loss; what diverged has no rate."""
    share = grew.loc[grew["verdict"] != DIVERGED, "growth_relative"].dropna()
    if share.empty:
        return ""
    middle = f", by {tables.percent(share.median())} of the first loss a generation"
    least, most = tables.percent(share.min()), tables.percent(share.max())
    return middle if least == most else f"{middle} (median; {least} to {most})"


def _bounds(grew: pd.DataFrame, limits: Thresholds) -> str:
    """What is known of where it leads."""
    counts = grew["verdict"].value_counts()
    phrases = (
        (DIVERGED, "went to infinity or to no number in {}"),
        (COLLAPSES, "shown to be without bound in {}"),
        (LEVELS, "shown to level off in {}"),
        (SLOW, "by less than the margin in {}"),
        (RISES, f"{_short(grew[grew['verdict'] == RISES], limits)} in {{}}"),
    )
    said = [phrase.format(counts[word]) for word, phrase in phrases if word in counts]
    return f": {', '.join(said)}{_more(grew[grew['verdict'] == RISES], limits)}"


def _short(rows: pd.DataFrame, limits: Thresholds) -> str:
    """Why a rise could not be told from one that levels off."""
    if len(rows) and (rows["generations"] < limits.min_generations).all():
        return "too short to tell where it leads"
    return "not clear yet whether it levels off"


def _more(rows: pd.DataFrame, limits: Thresholds) -> str:
    """What would tell, where that is known."""
    if rows.empty:
        return ""
    short = rows[rows["generations"] < limits.min_generations]
    if len(short) == len(rows):
        lack = limits.min_generations - int(short["generations"].min())
        return f" (it takes at least {lack} more generation{'' if lack == 1 else 's'})"
    known = [
        f"{int(rows[column].max()):,} {noun}"
        for column, noun in (("needed_generations", "generations"), ("needed_runs", "recursions"))
        if (rows.loc[rows["generations"] >= limits.min_generations, column] > 0).all()
    ]
    return f" (about {' or '.join(known)} would tell)" if known else " (it takes far more generations or seeds)"


def _tone(words: set[str]) -> str:
    for tone, members in (("bad", {DIVERGED, SEPARATED, COLLAPSES}), ("warn", {RISES, SLOW}), ("open", {UNDECIDED})):
        if words & members:
            return tone
    return "good"

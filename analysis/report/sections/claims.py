"""Section: in which share of configurations each claim holds, and how much configurations differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.report import tables
from analysis.report.context import Exhibit, ReportContext, Section
from analysis.verdicts import claims

if TYPE_CHECKING:
    import pandas as pd


def build(study: ReportContext) -> Section | None:
    """Two tables: claims, and the mean over configurations with its heterogeneity, per family."""
    found = study.claims
    if found.empty:
        return None
    differ = between(study)  # nothing where every first loss is 0, whose growth is no share of it
    shown = [_claims(found), *([] if differ.empty else [_between(differ)])]
    return Section("claims", "Does it hold?", _text(study), (), shown)


def between(study: ReportContext) -> pd.DataFrame:
    """`claims.overall` of each family's held-out loss."""
    import pandas as pd

    parts = []
    for family, metric, curves in study.judged:
        if metric.name == "test_loss":
            table = claims.overall(claims.effects(curves), study.seed, study.thresholds.confidence)
            table.insert(0, "family", family)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _claims(found: pd.DataFrame) -> Exhibit:
    shown = found[["claim", "configurations", "holds", "refuted", "undecided"]].copy()
    shares = found[["share", "share_low", "share_high"]].itertuples(index=False, name=None)
    most = (found["holds"] + found["undecided"]) / found["configurations"]
    shown["holds in"] = [
        f"{s:.0%} [{low:.0%}, {high:.0%}]" if s == best else f"{s:.0%} to {best:.0%}"
        for (s, low, high), best in zip(shares, most, strict=True)
    ]
    shown["weakest configuration"] = found["weakest"]
    shown["its effect"] = found["weakest_effect"].map(tables.number)
    shown["its verdict"] = found["weakest_verdict"]
    caption = (
        "Share of configurations in which each claim holds, with Wilson's interval; where some are undecided, from "
        "what is shown to what may yet be, and no interval: more generations or seeds would decide them. The weakest "
        "configuration is the one nearest to the contrary: its effect is growth per generation as "
        "a share of the first loss, or for “beats” the difference of growth; inf where it, and of a pair it alone, "
        "diverged."
    )
    return Exhibit("claims", caption, found, shown)


def _between(found: pd.DataFrame) -> Exhibit:
    shown = found[["family", "policy", "configurations"]].copy()
    for name, label in (("growth", "mean growth"), ("pooled", "random effects")):
        columns = found[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False, name=None)
        shown[label] = [tables.interval(*values) for values in columns]
    shown["τ"] = found["tau"].map(tables.number)
    shown["I²"] = found["i2"].map(lambda v: f"{v:.0%}" if v == v else "")
    shown["p (homogeneity)"] = found["p_heterogeneity"].map(tables.probability)
    caption = (
        "Growth per generation as a share of the first loss, over configurations. Mean growth: hierarchical bootstrap "
        "(configurations, then seeds), no interval below 4 configurations. Random effects: inverse-variance weights, "
        "Paule–Mandel τ², Hartung–Knapp interval. τ is the standard deviation of true growth between configurations, "
        "I² the share of the variation that is not seed noise. Configurations in which a recursion diverged have no "
        "growth and are left out."
    )
    return Exhibit("heterogeneity", caption, found, shown)


def _text(study: ReportContext) -> list[str]:
    loss = study.assessment[study.assessment["metric"] == "test_loss"]
    runs, low = loss["runs"], int(loss["runs"].min())
    size = f"{low}" if low == int(runs.max()) else f"{low} to {int(runs.max())}"
    detectable = (loss["detectable"] / loss["first"].abs()).dropna()
    text = f"Each configuration and policy was run {size} times independently."
    if len(detectable):
        text += (
            " At the spread seen, a growth of "
            f"{detectable.median():.2%} of the first loss per generation (median over entries; "
            f"{detectable.max():.2%} in the noisiest) would be found with 80 % power."
        )
    return [text]

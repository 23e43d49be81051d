"""Section: which hyperparameters growth depends on, where a study varies them enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from analysis.report import style, tables
from analysis.report.context import Exhibit, Picture, ReportContext, Section
from analysis.stats import importance

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def build(study: ReportContext) -> Section | None:
    """Importances per family; nothing below twelve configurations."""
    import pandas as pd

    loss = study.assessment[study.assessment["metric"] == "test_loss"]
    parts = []
    for family, own in loss.groupby("family", sort=True):
        runs = study.frame[study.frame["family"] == family].drop_duplicates("config")
        known = runs[["config", *(c for c in runs.columns if c in ("rows", "replicates") or c.startswith("family."))]]
        growth = own["growth_relative"].mask(own["diverged"] > 0, np.inf)
        effects = own[["config", "policy", "architecture", "size"]].assign(growth=growth).merge(known, on="config")
        table = importance.importances(effects, study.seed)
        if not table.empty:
            table.insert(0, "family", family)
            parts.append(table)
    if not parts:
        return None
    found = pd.concat(parts, ignore_index=True)
    text = [
        "What shuffling one hyperparameter costs a random forest that predicts growth (as a share of the first loss) "
        "from all of them, on configurations it was not fitted to, in units of the variance of growth. “Between "
        "policies” is the same for how far the policies of a configuration lie apart: what the policy's effect depends "
        "on. Where R² is near or below 0 the forest predicts nothing, and the importances say nothing. PED-ANOVA fits "
        "no model: it compares the quarter of configurations that grow least with all, one hyperparameter at a time; "
        "its shares sum to 100 %. Configurations in which a recursion diverged are among all there; the forest leaves "
        "them out, and says nothing where fewer than twelve others are left.",
    ]
    exhibit = Exhibit("importance", "Permutation importance with standard errors over folds.", found, _shown(found))
    known = found[found["importance"].notna()]
    pictures = [_picture(str(family), own) for family, own in known.groupby("family", sort=True)]
    return Section("importance", "What growth depends on", text, pictures, [exhibit])


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    shown = found[["family", "policy", "parameter"]].copy()
    columns = found[["importance", "low", "high"]].itertuples(index=False, name=None)
    shown["importance"] = [tables.interval(*values) for values in columns]
    shown["PED-ANOVA"] = found["ped_anova"].map("{:.0%}".format)
    shown["R²"] = found["r2"].map(lambda v: f"{v:.2f}" if v == v else "")
    shown["configurations"] = found["configurations"]
    shown["diverged"] = found["diverged"]
    return shown


def _picture(family: str, own: pd.DataFrame) -> Picture:
    caption = f"{family}: importance of hyperparameters for growth, by policy (whiskers: 95 % over folds)."
    rows = own["parameter"].nunique()
    return Picture(f"importance-{family}", caption, own, lambda f: _paint(f, own), 7.2, 1.3 + 0.38 * rows)


def _paint(figure: Figure, own: pd.DataFrame) -> None:
    axes = figure.subplots()
    ranked = own.groupby("parameter")["importance"].max().sort_values(ascending=False).index
    place = {name: i for i, name in enumerate(ranked)}
    looks = style.looks(own["policy"])
    for number, (policy, look) in enumerate(looks.items()):
        line = own[own["policy"] == policy]
        shift = (number - (len(looks) - 1) / 2) * 0.7 / len(looks)
        y = [place[p] + shift for p in line["parameter"]]
        error = [line["importance"] - line["low"], line["high"] - line["importance"]]
        axes.errorbar(
            line["importance"],
            y,
            xerr=error,
            color=look.color,
            marker=look.marker,
            linestyle="",
            label=policy,
            linewidth=1,
        )
    axes.set_yticks(range(len(ranked)), list(ranked))
    axes.invert_yaxis()
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.set_xlabel("importance (share of the variance of growth)")
    figure.legend(loc="outside upper left", ncols=min(4, len(looks)))

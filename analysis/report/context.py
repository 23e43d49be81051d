"""What a report is made of: a study's frame with everything that is computed of it once, and its sections."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analysis.data import Metric, censoring, configurations, metrics, replicates, titles
from analysis.definitions import Case, cases
from analysis.stats import Curves, curves_of, places
from analysis.verdicts import Replicates, Thresholds, claims, paired, robustness

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.report.charts import Panel
    from trainables.store import Store


@dataclass(frozen=True)
class ReportContext:
    """A study as its report sees it.

    Attributes:
        frame: as `analysis.load` gives it.
        title: of the report.
        thresholds: of every verdict.
        store: for replicates, samples and corpora; None leaves these out.
        command: what makes this report again.
        seed: of every resampling.
        description: what is asked, in a line.
        made: the day of the report.
        notes: what a reader must know of the frame beside its figures.
    """

    frame: pd.DataFrame
    title: str
    thresholds: Thresholds = field(default_factory=Thresholds)
    store: Store | None = None
    command: str = ""
    seed: int = 0
    description: str = ""
    made: date = field(default_factory=date.today)
    notes: tuple[str, ...] = ()

    @cached_property
    def common(self) -> pd.DataFrame:
        """The frame that is judged: without generations that only some cells reached because others were stopped."""
        return censoring.cut(self.frame)

    @cached_property
    def whole_replicates(self) -> Replicates:
        """Replicates' values by cell and metric, of every generation."""
        return {} if self.store is None else replicates.read(self.frame, self.store)

    @cached_property
    def replicates(self) -> Replicates:
        """Replicates' values of the generations that are judged."""
        return censoring.cut_replicates(self.whole_replicates, self.frame)

    @cached_property
    def assessment(self) -> pd.DataFrame:
        """`robustness.assess` of the study."""
        return robustness.assess(self.common, self.thresholds, self.replicates)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """`paired.differences` of the study."""
        return paired.differences(self.common, self.thresholds, self.replicates)

    @property
    def loss(self) -> pd.DataFrame:
        """The assessment's rows on held-out loss; empty where nothing has two generations."""
        return self.assessment[self.assessment["metric"] == "test_loss"] if len(self.assessment) else self.assessment

    @cached_property
    def claims(self) -> pd.DataFrame:
        """`claims.summary` of the study."""
        return claims.summary(self.assessment, self.differences, self.names, self.thresholds.confidence)

    @cached_property
    def names(self) -> pd.DataFrame:
        """Names of configurations, by `config`."""
        return configurations(self.frame)

    @cached_property
    def titles(self) -> dict[str, str]:
        """One line per configuration, by `config`."""
        return titles(self.names)

    @cached_property
    def cases(self) -> list[Case]:
        """What the definitions judge."""
        return cases(self.common, self.thresholds, self.replicates, self.seed)

    @cached_property
    def judged(self) -> list[tuple[str, Metric, Curves]]:
        """Family, metric and curves of everything that is judged."""
        return _judged(self.common, self.replicates)

    @cached_property
    def curves(self) -> list[tuple[str, Metric, pd.DataFrame]]:
        """Family, metric and `summary` of everything that is judged."""
        return [(family, metric, summary(curves, self.thresholds.confidence)) for family, metric, curves in self.judged]

    @cached_property
    def recursions(self) -> list[tuple[str, Metric, Curves]]:
        """The same as far as each recursion went, for what knows of censoring."""
        return _judged(self.frame, self.whole_replicates)


def summary(curves: Curves, confidence: float) -> pd.DataFrame:
    """Mean, interval and theory per configuration, policy and generation.

    The interval is Student's over recursions; of cells known by mean and standard error only, it is the normal one
    of their pooled standard error.
    """
    import pandas as pd
    from scipy import stats

    parts = []
    for (config, policy), rows in places(curves):
        held = np.isfinite(curves.values[rows])
        count = held.sum(axis=0)
        keep = count > 0
        own = pd.DataFrame({"config": config, "policy": policy, "generation": curves.generations, "runs": count})[keep]
        values, errors, theory = (part[rows][:, keep] for part in (curves.values, curves.errors, curves.theory))
        n = count[keep]
        mean = np.nansum(values, axis=0) / n
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / (n - 1) / n)
            half = spread * stats.t.ppf((1 + confidence) / 2, np.maximum(n - 1, 1))
            pooled = np.sqrt((errors**2).sum(axis=0)) / n * stats.norm.ppf((1 + confidence) / 2)
            half = np.where(np.isfinite(pooled), pooled, half)
            known = np.isfinite(theory).sum(axis=0)
            closed = np.where(known > 0, np.nansum(theory, axis=0) / known, np.nan)
        parts.append(own.assign(mean=mean, low=mean - half, high=mean + half, theory=closed))
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return table


def _judged(frame: pd.DataFrame, replicates: Replicates) -> list[tuple[str, Metric, Curves]]:
    found = []
    for family, part in frame.groupby("family", sort=True):
        for metric in metrics.judged(str(family), frame):
            held = {cell: values[metric.name] for cell, values in replicates.items() if metric.name in values}
            found.append((str(family), metric, curves_of(part, metric.name, held)))
    return found


@dataclass(frozen=True)
class Picture:
    """A plot that can be drawn anew.

    Attributes:
        name: file name without ending.
        caption: one or two sentences; says what to read off it.
        data: everything the plot shows, one row per mark.
        paint: draws on an empty figure.
        width: inches.
        height: inches.
        chart: the same to hover over and pick from, a panel each; the page shows it where scripts run. None by default.
    """

    name: str
    caption: str
    data: pd.DataFrame
    paint: Callable[[Figure], None]
    width: float = 7.2
    height: float = 3.2
    chart: Sequence[Panel] = ()

    def __post_init__(self) -> None:
        """A name may hold words of a stranger's table: no part of it may lead out of the report's folder."""
        object.__setattr__(self, "name", re.sub(r"[^A-Za-z0-9._-]+", "-", self.name)[:120])


@dataclass(frozen=True)
class Exhibit:
    """A table: `table` in full precision for files, `shown` for people, `column` for a column of a paper where that
    needs another layout."""

    name: str
    caption: str
    table: pd.DataFrame
    shown: pd.DataFrame
    column: pd.DataFrame | None = None


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes:
        name: anchor.
        title: heading.
        text: paragraphs.
        pictures: plots.
        exhibits: tables.
        html: markup of its own, already escaped; for what is neither plot nor table.
        notes: paragraphs that are folded: how to read it.
        folded: whether the whole part is.
    """

    name: str
    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    exhibits: Sequence[Exhibit] = ()
    html: str = ""
    notes: Sequence[str] = ()
    folded: bool = True

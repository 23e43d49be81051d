"""What a study's configurations came to under each policy: curves with intervals, and the verdict on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trainables.lineage import make_key

if TYPE_CHECKING:
    import pandas as pd

LOSS = "test_loss"
_NAMES = ("family", "architecture", "size", "hyperparameters", "policy")
_STATISTICS = ("growth", "growth_low", "growth_high", "ratio", "seeds", "runs", "diverged")


@dataclass(frozen=True)
class Summary:
    """One configuration under one policy.

    Attributes:
        key: names it within the study.
        title: for people: configuration and policy.
        tags: family, architecture, size, hyperparameters, policy; `verdict` and `reason` of the held-out loss, or of
            the first metric that is judged; `verdict.METRIC` of every one.
        curves: by metric and generation the mean over recursions, as `METRIC_low` and `METRIC_high` its interval.
        statistics: growth per generation of the held-out loss with its interval, ratio, seeds, recursions.
    """

    key: str
    title: str
    tags: Mapping[str, str]
    curves: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)


def summarise(frame: pd.DataFrame, table: pd.DataFrame) -> list[Summary]:
    """One per configuration and policy that has a row in the table.

    Args:
        frame: a study's generations, as `analysis.load` gives them.
        table: its robustness table, as `analysis.verdicts.robustness.assess` gives it.
    """
    from analysis.report import ReportContext, curve_table

    if table.empty:
        return []
    studied = ReportContext(frame, "")
    curves: dict[tuple[str, str], dict[str, dict[int, float]]] = {}
    for _, metric, measured in studied.judged:
        for row in curve_table(measured, studied.thresholds.confidence).to_dict("records"):
            held = curves.setdefault((str(row["config"]), str(row["policy"])), {})
            for name, value in _bounds(metric.name, row):
                held.setdefault(name, {})[int(row["generation"])] = value
    return [
        _summary(str(key[0]), rows, studied.titles[str(key[0])], curves.get((str(key[0]), str(key[1])), {}))
        for key, rows in table.groupby(["config", "policy"], sort=False)
    ]


def _bounds(metric: str, row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    """A generation's mean, and its interval where there is one."""
    import math

    for name, part in ((metric, "mean"), (f"{metric}_low", "low"), (f"{metric}_high", "high")):
        if math.isfinite(row[part]):
            yield name, float(row[part])


def _summary(config: str, rows: pd.DataFrame, title: str, curves: dict[str, dict[int, float]]) -> Summary:
    import math

    judged = rows[rows["metric"] == LOSS] if (rows["metric"] == LOSS).any() else rows
    main: dict[str, Any] = {str(name): value for name, value in judged.iloc[0].items()}
    tags = {name: str(main[name]) for name in _NAMES if main.get(name)}
    tags |= {"configuration": title, "verdict": main["verdict"], "reason": str(main["reason"])}
    tags |= {f"verdict.{row['metric']}": str(row["verdict"]) for row in rows.to_dict("records")}
    statistics = {name: float(main[name]) for name in _STATISTICS if math.isfinite(main[name])}
    key = make_key("summary", config=config, policy=main["policy"])
    return Summary(key, f"{title} / {main['policy']}", tags, curves, statistics)

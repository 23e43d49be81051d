"""What a search seeks, by name: statistics of `analysis`, taken of the finished cells of one suggestion.

A name is `STATISTIC[:ARGUMENT][:POLICY]`: `growth`, `growth:accumulate` (of that policy's cells alone),
`definition:7`, `definition:lost_tail:replace`, `growth_gap:replace-accumulate`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import OptunaSearch, StudyError
from search_spaces.search import OBJECTIVES, Mode
from sweep.scheduling import Job
from sweep.tracking import frame_of
from trainables.config import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

OF_A_CELL = ("final_loss", "first_loss", "growth", "growth_ratio", "flops")
"""Those that one cell has by itself; a suggestion's worth is their mean."""
EVENT = "any_increase"
"""What `time_to_collapse` waits for, unless its argument says otherwise."""
PENALTY = 1e30
"""What a search is told of a cell that failed, on the bad side, and of whatever is worse: finite, because Optuna
refuses NaN for ever, and beyond the operations of any recursion, which are an objective too."""


@dataclass(frozen=True)
class Objective:
    """A parsed name.

    Attributes:
        name: as it was written.
        statistic: a key of `search_spaces.search.objectives.OBJECTIVES`.
        argument: of the statistic, "" for its default.
        policy: kind of the policy whose cells count, "" for all.
    """

    name: str
    statistic: str
    argument: str = ""
    policy: str = ""

    @property
    def gap(self) -> tuple[str, str]:
        """The two policies that `growth_gap` compares."""
        one, _, other = self.argument.partition("-")
        return one, other


@dataclass(frozen=True)
class Worth:
    """What a suggestion came to.

    Attributes:
        values: one for each objective, all finite.
        diverged: whether a cell failed or a statistic was not finite, so that `values` are penalties.
    """

    values: tuple[float, ...]
    diverged: bool


def parse(name: str, field: str = "search.objective") -> Objective:
    """The objective of this name.

    Raises:
        StudyError: unknown, with the nearest name.
    """
    statistic, *rest = name.split(":")
    if statistic not in OBJECTIVES:
        raise StudyError(f"{field}: unknown objective {statistic!r}{did_you_mean(statistic, OBJECTIVES)}")
    argument = ""
    if statistic in ("definition", "growth_gap") or (statistic == "time_to_collapse" and rest and rest[0] in _events()):
        argument = rest.pop(0) if rest else ""
    if len(rest) > 1:
        raise StudyError(f"{field}: {name}: only a policy's name may follow {statistic}, not {':'.join(rest)!r}")
    found = Objective(name, statistic, argument, rest[0] if rest else "")
    _check_argument(found, field)
    return found


def check_policies(objective: Objective, kinds: Sequence[str], field: str = "search.objective") -> None:
    """Refuse an objective of policies on which a suggestion is not run.

    Raises:
        StudyError: there is no such policy.
    """
    named = [objective.policy] if objective.policy else []
    if objective.statistic == "growth_gap":
        named = [policy for policy in objective.gap if policy]
        if not named and len(set(kinds)) != 2:
            raise StudyError(
                f"{field}: growth_gap compares two policies, and a suggestion is run on "
                f"{', '.join(sorted(set(kinds)))}; name two, as in growth_gap:replace-accumulate"
            )
    for policy in named:
        if policy not in kinds:
            near = did_you_mean(policy, kinds)
            raise StudyError(f"{field}: {objective.name}: a suggestion has no cell of {policy!r}{near}")


def worth(search: OptunaSearch, jobs: Sequence[Job], study: str = "") -> Worth:
    """What a suggestion's cells came to, by each objective of its search.

    Raises:
        StudyError: an objective can't be taken of these cells at all.
    """
    values = []
    for name in search.objectives:
        objective = parse(name)
        own = [job for job in jobs if objective.policy in ("", job.cell.policy.kind)]
        finished = bool(own) and all(job.status == "done" for job in jobs)
        values.append(_measure(objective, own, study) if finished else math.nan)
    worst = [penalty(search, mode) for mode in search.modes]
    if not all(map(math.isfinite, values)):
        return Worth(tuple(worst), True)
    no_worse = {"min": min, "max": max}  # than a failure, which would look better than what nearly failed
    return Worth(tuple(no_worse[m](v, w) for m, v, w in zip(search.modes, values, worst, strict=True)), False)


def penalty(search: OptunaSearch, mode: Mode) -> float:
    """What stands for a failure: a Gaussian process would fit a large number, and knows what infinity means."""
    size = math.inf if search.sampler.kind == "gp" else PENALTY
    return size if mode == "min" else -size


def of_cell(statistic: str, losses: np.ndarray) -> float:
    """A statistic of one cell's held-out loss, [generations]."""
    from analysis.stats import first, last, ratio, slope

    if statistic == "growth" and len(losses) < 2:
        return math.nan
    shapes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "final_loss": last,
        "first_loss": first,
        "growth": lambda rows: slope(rows, np.arange(1, rows.shape[1] + 1)),
        "growth_ratio": ratio,
    }
    return float(shapes[statistic](losses[None, :])[0])


def losses(job: Job) -> np.ndarray:
    """Held-out losses of the generations that a job holds, [generations]."""
    return np.array([job.records[generation].test_loss for generation in sorted(job.records)])


def _measure(objective: Objective, jobs: Sequence[Job], study: str) -> float:
    match objective.statistic:
        case "flops":
            return float(np.mean([sum(stage.flops for stage in job.stages) for job in jobs]))
        case "growth_gap":
            return _gap(objective, jobs)
        case "time_to_collapse":
            return _time_to_collapse(objective.argument or EVENT, _frame(study, jobs))
        case "definition":
            return _definition(objective, _frame(study, jobs))
    if objective.statistic.startswith("growth") and min(len(job.stages) for job in jobs) < 2:
        raise StudyError(f"search.objective: {objective.name} needs two generations, and the cells have one")
    return float(np.mean([of_cell(objective.statistic, losses(job)) for job in jobs]))


def _gap(objective: Objective, jobs: Sequence[Job]) -> float:
    kinds = sorted({job.cell.policy.kind for job in jobs}, key=lambda kind: kind != "replace")
    one, other = (policy or kind for policy, kind in zip(objective.gap, kinds, strict=False))
    means = {
        kind: np.mean([of_cell("growth", losses(job)) for job in jobs if job.cell.policy.kind == kind])
        for kind in (one, other)
    }
    return float(means[one] - means[other])


def _time_to_collapse(event: str, frame: pd.DataFrame) -> float:
    from analysis.stats import curves_of, restricted_mean, times

    return restricted_mean(times(curves_of(frame), event))


def _definition(objective: Objective, frame: pd.DataFrame) -> float:
    from analysis.definitions import cases, definition
    from analysis.verdicts import Thresholds

    chosen = definition(objective.argument)
    found = [chosen.find(case).measure for case in cases(frame, Thresholds())]
    for measure in found:
        if measure.unsupported:
            raise StudyError(f"search.objective: {objective.name} ({chosen.title}): {measure.unsupported}")
    return float(np.mean([measure.estimate for measure in found]))


def _frame(study: str, jobs: Sequence[Job]) -> Any:
    return frame_of(study, jobs)


def _events() -> Sequence[str]:
    from analysis.stats import EVENTS

    return tuple(EVENTS)


def _check_argument(objective: Objective, field: str) -> None:
    if objective.statistic == "definition":
        from analysis.definitions import definition

        try:
            definition(objective.argument)
        except ValueError as problem:
            raise StudyError(f"{field}: {objective.name}: {problem}") from None
    if objective.statistic == "growth_gap" and (objective.policy or (objective.argument and not all(objective.gap))):
        raise StudyError(f"{field}: {objective.name}: needs two policies, as in growth_gap:replace-accumulate")

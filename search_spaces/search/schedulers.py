"""Which cells are stopped before their last generation. Plain configs; `sweep.search.early_stopping` does the work.

In YAML a scheduler is a name, `scheduler: asha`, or a mapping, `scheduler: {kind: asha, grace: 2}`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from search_spaces.search.kinds import Mode, SearchConfig
from search_spaces.search.objectives import METRICS
from trainables.config import Config, Registry, did_you_mean


class SchedulerConfig(Config):
    """Base of every scheduler. Cells are ranked at equal generation, among those of equal policy and seed.

    Attributes:
        metric: what they are ranked by, taken of the generations so far; by default the search's objective.
        mode: whether small or large values go on; by default the search's.
        grace: generations before which nothing is stopped.
    """

    kind: str
    metric: str | None = None
    mode: Mode | None = None
    grace: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _rankable(self) -> SchedulerConfig:
        if self.metric is not None and self.metric not in METRICS:
            raise ValueError(f"metric: {self.metric!r} can't rank unfinished cells{did_you_mean(self.metric, METRICS)}")
        return self


class Asha(SchedulerConfig):
    """Asynchronous successive halving (Li et al. 2020): at generations grace·η^k, only the best 1/η go on.

    Attributes:
        reduction_factor: η.
    """

    kind: Literal["asha"] = "asha"
    reduction_factor: int = Field(default=3, ge=2)


class Hyperband(SchedulerConfig):
    """Hyperband (Li et al. 2018) with asynchronous brackets: cells are spread over ASHA runs of growing grace.

    Attributes:
        reduction_factor: η.
    """

    kind: Literal["hyperband"] = "hyperband"
    reduction_factor: int = Field(default=3, ge=2)


class Median(SchedulerConfig):
    """The median rule: a cell stops where it is worse than the median of the others at the same generation.

    Attributes:
        min_cells: others that must have reached the generation.
    """

    kind: Literal["median"] = "median"
    min_cells: int = Field(default=5, ge=1)


class PopulationBased(SchedulerConfig):
    """Population-based training (Jaderberg et al. 2017), known so that it can be refused with its reason."""

    kind: Literal["pbt"] = "pbt"

    @model_validator(mode="before")
    @classmethod
    def _refused(cls, data: Any) -> Any:
        raise ValueError(
            "pbt copies weights and changes hyperparameters in the middle of a recursion; here every generation is "
            "fitted from scratch and a cell is one configuration throughout, so a table's row would mix several, and "
            "seeds and policies would no longer be paired; use asha, hyperband or median"
        )


def ranking(scheduler: SchedulerConfig, search: SearchConfig) -> tuple[str, Mode]:
    """What cells are ranked by, and which go on."""
    metric, mode = search.ranking or ("final_loss", "min")
    return scheduler.metric or metric, scheduler.mode or mode


def check_scheduler(scheduler: SchedulerConfig, search: SearchConfig) -> None:
    """Refuse a scheduler that the search can't work with.

    Raises:
        ValueError: beginning with the place.
    """
    search.check_stopping()
    if scheduler.metric is None and search.ranking is None:
        raise ValueError(
            f"scheduler.metric: {search.sought} can't rank unfinished cells; say one of {', '.join(METRICS)}"
        )


SCHEDULERS = Registry(
    "scheduler",
    {
        "asha": "search_spaces.search.schedulers:Asha",
        "hyperband": "search_spaces.search.schedulers:Hyperband",
        "median": "search_spaces.search.schedulers:Median",
        "pbt": "search_spaces.search.schedulers:PopulationBased",
    },
)

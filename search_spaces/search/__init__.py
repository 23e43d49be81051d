"""Kinds of search, samplers, schedulers, objectives and claims, as a study states them."""

from search_spaces.search.falsify import Confirm, FalsifySearch
from search_spaces.search.initial_points import allowed, listed
from search_spaces.search.kinds import (
    SEARCHES,
    GridSearch,
    Mode,
    OptunaSearch,
    RandomSearch,
    SearchConfig,
)
from search_spaces.search.objectives import OBJECTIVES
from search_spaces.search.samplers import CmaEs, Gp, NsgaII, NsgaIII, Qmc, Tpe, by_name
from search_spaces.search.schedulers import (
    SCHEDULERS,
    Asha,
    Hyperband,
    Median,
    SchedulerConfig,
    check_scheduler,
    ranking,
)
from search_spaces.search.tune_first import TuneFirst

__all__ = [
    "OBJECTIVES",
    "SCHEDULERS",
    "SEARCHES",
    "Asha",
    "CmaEs",
    "Confirm",
    "FalsifySearch",
    "Gp",
    "GridSearch",
    "Hyperband",
    "Median",
    "Mode",
    "NsgaII",
    "NsgaIII",
    "OptunaSearch",
    "Qmc",
    "RandomSearch",
    "SchedulerConfig",
    "SearchConfig",
    "Tpe",
    "TuneFirst",
    "allowed",
    "by_name",
    "check_scheduler",
    "listed",
    "ranking",
]

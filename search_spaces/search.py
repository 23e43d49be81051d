"""How the points of a space are chosen: every one, at random, or by Optuna. Plain configs; `sweep` does the work."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainables.config import Config, Registry


class SearchConfig(Config):
    """Base of every search. Grid words are an inner grid: each suggestion of the others is run on all of it."""

    kind: str


class GridSearch(SearchConfig):
    """Every combination of the grids."""

    kind: Literal["grid"] = "grid"


class RandomSearch(SearchConfig):
    """Independent draws. More samples of the same seed go on where fewer stopped."""

    kind: Literal["random"] = "random"
    num_samples: int = Field(default=10, ge=1)
    seed: int = Field(default=0, ge=0)


class OptunaSearch(SearchConfig):
    """Optuna's suggestions, each judged by `objective` over its whole inner grid (a mean over it).

    Attributes:
        sampler: Optuna's, by name.
        num_samples: suggestions in all.
        objective: the name of a statistic of a finished cell; see `sweep.objectives`.
        mode: whether large or small values are sought.
        seed: of the sampler.
    """

    kind: Literal["optuna"] = "optuna"
    sampler: Literal["tpe", "random"] = "tpe"
    num_samples: int = Field(default=20, ge=1)
    objective: str = "final_loss"
    mode: Literal["min", "max"] = "min"
    seed: int = Field(default=0, ge=0)


SEARCHES = Registry(
    "search",
    {
        "grid": "search_spaces.search:GridSearch",
        "random": "search_spaces.search:RandomSearch",
        "optuna": "search_spaces.search:OptunaSearch",
    },
)

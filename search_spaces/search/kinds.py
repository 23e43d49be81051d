"""How the points of a space are chosen: every one, at random, or by Optuna. Plain configs; `sweep` does the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from search_spaces.search.objectives import OBJECTIVES
from search_spaces.search.samplers import SAMPLERS, SamplerConfig, Tpe, by_name
from trainables.config import Config, Registry, suggest

if TYPE_CHECKING:
    AnySampler = SamplerConfig
else:
    AnySampler = Annotated[SAMPLERS.union(), BeforeValidator(by_name)]

Mode = Literal["min", "max"]


class SearchConfig(Config):
    """Base of every search. Grid words are an inner grid: each suggestion of the others is run on all of it."""

    kind: str


class GridSearch(SearchConfig):
    """Every combination of the grids."""

    kind: Literal["grid"] = "grid"


class DrawingSearch(SearchConfig):
    """Base of searches that draw.

    Attributes:
        points: values to try first, by path; paths that a point leaves out are drawn.
        seed: of the draws.
    """

    points: tuple[dict[str, Any], ...] = ()
    seed: int = Field(default=0, ge=0)


class RandomSearch(DrawingSearch):
    """Independent draws. More samples of the same seed go on where fewer stopped."""

    kind: Literal["random"] = "random"
    num_samples: int = Field(default=10, ge=1)


class OptunaSearch(DrawingSearch):
    """Optuna's suggestions, each judged by `objective` over its whole inner grid (a mean over it).

    Attributes:
        sampler: Optuna's, by name.
        num_samples: suggestions in all.
        objective: the name of a statistic of finished cells, see `search_spaces.search.objectives`; or several.
        mode: whether large or small values are sought; one for each objective.
        warm_start: names of studies in the same workspace whose records the sampler learns from first.
    """

    kind: Literal["optuna"] = "optuna"
    sampler: AnySampler = Tpe()
    num_samples: int = Field(default=20, ge=1)
    objective: str | tuple[str, ...] = "final_loss"
    mode: Mode | tuple[Mode, ...] = "min"
    warm_start: tuple[str, ...] = ()

    @property
    def objectives(self) -> tuple[str, ...]:
        """Their names."""
        return (self.objective,) if isinstance(self.objective, str) else self.objective

    @property
    def modes(self) -> tuple[Mode, ...]:
        """One for each objective."""
        return self.mode if isinstance(self.mode, tuple) else (self.mode,)

    @model_validator(mode="after")
    def _matched(self) -> OptunaSearch:
        names, sampler = self.objectives, self.sampler
        if not names:
            raise ValueError("objective: the list is empty; at least one name is needed")
        for name in names:
            statistic = name.partition(":")[0]
            if statistic not in OBJECTIVES:
                raise ValueError(f"objective: unknown objective {statistic!r}{suggest(statistic, OBJECTIVES)}")
        if len(set(names)) < len(names):
            raise ValueError(f"objective: {', '.join(names)}: the same name stands there twice")
        if len(self.modes) != len(names):
            raise ValueError(
                f"mode: needs one of min, max for each of {len(names)} objectives, as in "
                f"[{', '.join(['min'] * len(names))}], not {self.mode!r}"
            )
        if len(names) > 1 and not sampler.several:
            raise ValueError(f"sampler: {sampler.kind} seeks one objective, not {len(names)}; use tpe, gp or nsgaii")
        if self.warm_start and not sampler.learns:
            raise ValueError(f"warm_start: the sampler {sampler.kind} learns nothing from it; use tpe, gp or cmaes")
        if self.warm_start and getattr(sampler, "sigma0", None) is not None:
            raise ValueError("warm_start: cmaes takes its first step size from it; leave sigma0 out")
        return self


SEARCHES = Registry(
    "search",
    {
        "grid": "search_spaces.search.kinds:GridSearch",
        "random": "search_spaces.search.kinds:RandomSearch",
        "optuna": "search_spaces.search.kinds:OptunaSearch",
        "falsify": "search_spaces.search.falsify:FalsifySearch",
    },
)

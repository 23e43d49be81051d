"""How the points of a space are chosen: every one, at random, or by Optuna. Plain configs; `sweep` does the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from search_spaces.search.initial_points import check_points, check_sampler
from search_spaces.search.objectives import METRICS, OBJECTIVES
from search_spaces.search.samplers import SAMPLERS, SamplerConfig, Tpe, by_name
from search_spaces.space import Space, drawn_words
from trainables.config import Config, Registry, did_you_mean

if TYPE_CHECKING:
    AnySampler = SamplerConfig
else:
    AnySampler = Annotated[SAMPLERS.union(), BeforeValidator(by_name)]

Mode = Literal["min", "max"]


class SearchConfig(Config):
    """Base of every search. Grid words are an inner grid: each suggestion of the others is run on all of it.

    Attributes:
        draws: whether values of the space are drawn.
        adaptive: whether what is tried depends on what was found.
    """

    kind: str
    draws: ClassVar[bool] = True
    adaptive: ClassVar[bool] = False

    @property
    def suggestions(self) -> int:
        """How often values are drawn, at most."""
        return 1

    @property
    def first(self) -> tuple[Mapping[str, Any], ...]:
        """Values to try before any are drawn, by path."""
        return ()

    @property
    def draw_seed(self) -> int:
        """Seed of the draws."""
        return 0

    @property
    def retests(self) -> int:
        """Suggestions that are run again on fresh seeds, at most."""
        return 0

    @property
    def fresh_seeds(self) -> range:
        """Seeds of a retest."""
        return range(0)

    @property
    def learns_from(self) -> tuple[str, ...]:
        """Names of studies whose records it is told of first."""
        return ()

    @property
    def ranking(self) -> tuple[str, Mode] | None:
        """A statistic of the generations so far by which unfinished cells can be ranked as the search would, and which
        of them go on; None where what is sought is known of finished cells only."""
        return "final_loss", "min"

    @property
    def sought(self) -> str:
        """What is sought, as messages name it."""
        return "final_loss"

    def check_space(self, cell: Mapping[str, Any], space: Space) -> None:
        """Refuse a space that the search can't go through; paths that are tuned first are not in it.

        Raises:
            ValueError: beginning with the place.
        """
        if not drawn_words(space):
            raise ValueError(f"space: a search of kind {self.kind} needs a path to draw, and all are grids")

    def check_stopping(self) -> None:
        """Refuse that cells are stopped early.

        Raises:
            ValueError: beginning with the place.
        """


class GridSearch(SearchConfig):
    """Every combination of the grids."""

    kind: Literal["grid"] = "grid"
    draws: ClassVar[bool] = False

    def check_space(self, cell: Mapping[str, Any], space: Space) -> None:
        """Every path must be listed."""
        for path, word in drawn_words(space).items():
            raise ValueError(
                f"search: the grid search can't draw {path} from {next(iter(word.model_dump()))}; "
                "give it a grid, or say search: {kind: random, num_samples: 20}"
            )


class DrawingSearch(SearchConfig):
    """Base of searches that draw.

    Attributes:
        points: values to try first, by path; paths that a point leaves out are drawn.
        seed: of the draws.
    """

    points: tuple[dict[str, Any], ...] = ()
    seed: int = Field(default=0, ge=0)

    @property
    def draw_seed(self) -> int:
        """The seed."""
        return self.seed

    @property
    def first(self) -> tuple[Mapping[str, Any], ...]:
        """The points."""
        return self.points

    def check_space(self, cell: Mapping[str, Any], space: Space) -> None:
        """Points must lie in it."""
        super().check_space(cell, space)
        check_points(self.points, space)


class RandomSearch(DrawingSearch):
    """Independent draws. More samples of the same seed go on where fewer stopped."""

    kind: Literal["random"] = "random"
    num_samples: int = Field(default=10, ge=1)

    @property
    def suggestions(self) -> int:
        """The samples."""
        return self.num_samples


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
    adaptive: ClassVar[bool] = True
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

    @property
    def suggestions(self) -> int:
        """The samples, at most."""
        return self.num_samples

    @property
    def draw_seed(self) -> int:
        """Seed of the draws."""
        return 0

    @property
    def retests(self) -> int:
        """Suggestions that are run again on fresh seeds, at most."""
        return 0

    @property
    def fresh_seeds(self) -> range:
        """Seeds of a retest."""
        return range(0)

    @property
    def sought(self) -> str:
        """The first objective."""
        return self.objectives[0]

    @property
    def learns_from(self) -> tuple[str, ...]:
        """The studies of the warm start."""
        return self.warm_start

    @property
    def ranking(self) -> tuple[str, Mode] | None:
        """The first objective, where a cell has it at every generation."""
        statistic = self.objectives[0].partition(":")[0]
        return (statistic, self.modes[0]) if statistic in METRICS else None

    def check_space(self, cell: Mapping[str, Any], space: Space) -> None:
        """The sampler must be able to draw it."""
        super().check_space(cell, space)
        check_sampler(self.sampler, space)

    def check_stopping(self) -> None:
        """One order, and a sampler that hears of stops."""
        if len(self.objectives) > 1:
            raise ValueError("scheduler: with several objectives there is no one order to stop by; leave it out")
        if not self.sampler.hears_stops:
            raise ValueError(
                f"scheduler: the sampler {self.sampler.kind} learns nothing from suggestions that were stopped and "
                "would make them again; use tpe"
            )

    @model_validator(mode="after")
    def _matched(self) -> OptunaSearch:
        names, sampler = self.objectives, self.sampler
        if not names:
            raise ValueError("objective: the list is empty; at least one name is needed")
        for name in names:
            statistic = name.partition(":")[0]
            if statistic not in OBJECTIVES:
                raise ValueError(f"objective: unknown objective {statistic!r}{did_you_mean(statistic, OBJECTIVES)}")
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

"""Optuna's samplers by name, with the options that matter here. Plain configs; `sweep.search.samplers` builds them.

In YAML a sampler is a name, `sampler: gp`, or a mapping, `sampler: {kind: cmaes, sigma0: 0.2}`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from trainables.config import Config, Registry


class SamplerConfig(Config):
    """Base of every sampler.

    Attributes:
        several: whether it seeks several objectives at once.
        learns: whether results of earlier studies change what it suggests.
        listed: whether it draws from lists (`choice`).
        conditional: whether it draws paths that exist only `when` others have some value.
        hears_stops: whether suggestions that a scheduler stopped are not lost on it.
    """

    kind: str
    several: ClassVar[bool] = True
    learns: ClassVar[bool] = False
    listed: ClassVar[bool] = True
    conditional: ClassVar[bool] = True
    hears_stops: ClassVar[bool] = True


class Tpe(SamplerConfig):
    """Tree-structured Parzen estimator (Bergstra et al. 2011).

    Attributes:
        n_startup_trials: random suggestions before the first that learns.
        multivariate: one joint density in place of one a path (Falkner et al. 2018); conditional paths in groups.
    """

    kind: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(default=10, ge=1)
    multivariate: bool = False
    learns: ClassVar[bool] = True


class Gp(SamplerConfig):
    """Gaussian process with expected improvement; of the hypervolume where there are several objectives.

    Attributes:
        n_startup_trials: random suggestions before the first that learns.
        deterministic_objective: whether the objective has no noise; with few seeds it has.
    """

    kind: Literal["gp"] = "gp"
    n_startup_trials: int = Field(default=10, ge=1)
    deterministic_objective: bool = False
    learns: ClassVar[bool] = True
    hears_stops: ClassVar[bool] = False


class CmaEs(SamplerConfig):
    """Covariance matrix adaptation (Hansen 2016), for two or more numbers and one objective.

    Attributes:
        sigma0: first step size, in units of the ranges scaled to 1; by default a sixth.
        n_startup_trials: random suggestions before the first that learns.
        popsize: suggestions a generation; by default 4 + 3·ln(paths).
    """

    kind: Literal["cmaes"] = "cmaes"
    sigma0: float | None = Field(default=None, gt=0)
    n_startup_trials: int = Field(default=1, ge=1)
    popsize: int | None = Field(default=None, ge=3)
    several: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    listed: ClassVar[bool] = False
    conditional: ClassVar[bool] = False
    hears_stops: ClassVar[bool] = False


class NsgaII(SamplerConfig):
    """Genetic search by non-dominated sorting (Deb et al. 2002).

    Attributes:
        population_size: suggestions a generation; the first generation is random.
    """

    kind: Literal["nsgaii"] = "nsgaii"
    population_size: int = Field(default=10, ge=2)
    hears_stops: ClassVar[bool] = False


class NsgaIII(SamplerConfig):
    """Genetic search by reference points (Deb & Jain 2014), for three objectives and more.

    Attributes:
        population_size: suggestions a generation; the first generation is random.
        dividing_parameter: density of the reference points.
    """

    kind: Literal["nsgaiii"] = "nsgaiii"
    population_size: int = Field(default=10, ge=2)
    dividing_parameter: int = Field(default=3, ge=1)
    hears_stops: ClassVar[bool] = False


class Qmc(SamplerConfig):
    """A scrambled low-discrepancy sequence: fills the space evenly, learns nothing.

    Attributes:
        sequence: which one.
    """

    kind: Literal["qmc"] = "qmc"
    sequence: Literal["sobol", "halton"] = "sobol"
    conditional: ClassVar[bool] = False


class RandomSampler(SamplerConfig):
    """Independent draws."""

    kind: Literal["random"] = "random"


class GridSampler(SamplerConfig):
    """Every combination of the drawn paths once, in random order; each path is a list, whole numbers or has a step."""

    kind: Literal["grid"] = "grid"
    conditional: ClassVar[bool] = False


SAMPLERS = Registry(
    "sampler",
    {
        "tpe": "search_spaces.search.samplers:Tpe",
        "gp": "search_spaces.search.samplers:Gp",
        "cmaes": "search_spaces.search.samplers:CmaEs",
        "nsgaii": "search_spaces.search.samplers:NsgaII",
        "nsgaiii": "search_spaces.search.samplers:NsgaIII",
        "qmc": "search_spaces.search.samplers:Qmc",
        "random": "search_spaces.search.samplers:RandomSampler",
        "grid": "search_spaces.search.samplers:GridSampler",
    },
)


def by_name(value: Any) -> Any:
    """A bare name as the mapping that it stands for."""
    return {"kind": value} if isinstance(value, str) else value

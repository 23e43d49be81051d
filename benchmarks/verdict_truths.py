"""Curves of known truth and noises for the Monte-Carlo table of verdicts; every truth but two rises by half its first
value over the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
RISE = 0.5
APART = 0.3
"""Standard deviation between seeds, where they differ, of rises in their mean or of levels in the first value."""
BOUNDED = (
    "flat", "Σ1/i²", "1/n", "n^-½", "a = 0.05", "a = 0.1", "a = 0.2", "a = 0.5", "τ = G/5", "τ = G/2", "plateau",
    "oscillation",
)  # fmt: skip
DIVERGING = ("log", "Σ1/i", "n^0.3", "√n", "line", "n^1.5", "exponential", "late start")
MIXED = ("two approaches", "jump and line")
"""Bounded and diverging, each of two terms: laws of which no verdict's set holds any."""
SEEDS = (3, 5, 20)
GENERATIONS = (6, 10, 20, 50)
NOISES = (0.01, 0.05, 0.2)
Kind = Literal["independent", "random walk", "heavy tails", "slopes", "levels"]
KINDS: tuple[Kind, ...] = ("independent", "random walk", "heavy tails", "slopes", "levels")
"""Normal; normal errors that add up over generations; Student's t with 3 degrees of freedom; normal, with each seed's
rise differing by 30 % (standard deviation); normal, with each seed's level differing by as much of the first value."""


@dataclass(frozen=True)
class Setting:
    """One cell of the table."""

    truth: str
    generations: int
    seeds: int
    kind: Kind
    noise: float

    @property
    def bounded(self) -> bool:
        """Whether the truth is."""
        return self.truth in BOUNDED or self.truth == MIXED[0]


def settings() -> list[Setting]:
    """Every cell."""
    return [
        Setting(truth, generations, seeds, kind, noise)
        for generations in GENERATIONS
        for seeds in SEEDS
        for kind in KINDS
        for noise in NOISES
        for truth in (*BOUNDED, *DIVERGING, *MIXED)
    ]


def curve(truth: str, generations: int, ahead: int = 1) -> Array:
    """The truth over `ahead` runs of so many generations, [ahead · G]."""
    n = np.arange(1, ahead * generations + 1, dtype=float)
    if truth == "flat":
        return np.ones(len(n))
    if truth == "oscillation":
        return 1 + RISE / 2 * np.sin(2 * np.pi * (n - 1) / 5)
    shape = _shape(truth, n, generations)
    return np.asarray(1 + RISE * (shape - shape[0]) / (shape[generations - 1] - shape[0]))


def _shape(truth: str, n: Array, generations: int) -> Array:
    """A geometric approach with real share a leaves (1 − a)^2n of the first error (FIELD's recursions of mixes)."""
    run = generations - 1
    if truth.startswith("a = "):
        return np.asarray(-((1 - float(truth[4:])) ** (2 * n)))
    shapes = {
        "Σ1/i²": np.cumsum(n**-2.0),
        "1/n": -1 / n,
        "n^-½": -(n**-0.5),
        "τ = G/5": -np.exp(-n * 5 / generations),
        "τ = G/2": -np.exp(-n * 2 / generations),
        "plateau": np.minimum(n, 1 + 0.75 * run),
        "log": np.log(n),
        "Σ1/i": np.cumsum(1 / n),
        "n^0.3": n**0.3,
        "√n": n**0.5,
        "line": n,
        "n^1.5": n**1.5,
        "exponential": np.exp(3 * n / generations),
        "late start": np.maximum(n - 1 - 0.5 * run, 0.0),
        "jump and line": 1 - np.exp(1 - n) + (n - 1) / run,
        "two approaches": -np.exp(-n) - np.exp(-n * 3 / generations),
    }
    return np.asarray(shapes[truth])


def simulate(setting: Setting, studies: int, rng: np.random.Generator) -> Array:
    """Studies of a cell, [studies, seeds, generations]; noise is a share of the first value."""
    truth = curve(setting.truth, setting.generations)
    shape = studies, setting.seeds, setting.generations
    normal = setting.noise * rng.standard_normal(shape)
    if setting.kind == "random walk":
        return np.asarray(truth + normal.cumsum(axis=2))
    if setting.kind == "heavy tails":
        return np.asarray(truth + setting.noise * rng.standard_t(3, shape) / np.sqrt(3))
    if setting.kind == "slopes":
        return np.asarray(truth + normal + APART * rng.standard_normal((*shape[:2], 1)) * (truth - truth[0]))
    if setting.kind == "levels":
        return np.asarray(truth + normal + APART * rng.standard_normal((*shape[:2], 1)))
    return truth + normal

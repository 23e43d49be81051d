"""Normal equations of weighted least squares, many replicates at once, and the estimators that solve them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from trainables.families.base import Diverged
from trainables.families.toys.pool import Memo

Estimator = Literal["ols", "ridge", "minimum_norm"]


class Gram:
    """A Gram matrix; of one that many corpora share, the name and how many times.

    Attributes:
        rank: at most this; what decides whether least squares has one solution.
    """

    def __init__(self, unit: Callable[[], np.ndarray], rank: int, name: Hashable = None, multiple: float = 1.0) -> None:
        self._unit = unit
        self.rank = rank
        self.name = name
        self.multiple = multiple

    @cached_property
    def unit(self) -> np.ndarray:
        """The matrix but for `multiple`, [replicates, dim, dim]."""
        return self._unit()

    def __add__(self, other: Gram) -> Gram:
        if self.name is not None and self.name == other.name:
            return Gram(lambda: self.unit, self.rank, self.name, self.multiple + other.multiple)
        total = self.unit * self.multiple + other.unit * other.multiple
        return Gram(lambda: total, self.rank + other.rank)


@dataclass(frozen=True)
class NormalEquations:
    """ZᵀWZ and ZᵀWy, [replicates, dim, dim] and [replicates, dim]."""

    gram: Gram
    moment: np.ndarray

    def __add__(self, other: NormalEquations) -> NormalEquations:
        return NormalEquations(self.gram + other.gram, self.moment + other.moment)


class Solver:
    """Coefficients from normal equations, in coordinates in which the inputs are white.

    Args:
        estimator: `ols`; `ridge`, (XᵀX + penalty)⁻¹Xᵀy; `minimum_norm`, the shortest of the least-squares solutions.
        spectrum: eigenvalues of the inputs' covariance, [dim]. Length and penalty are in the inputs' own coordinates.
    """

    def __init__(self, estimator: Estimator, penalty: float, spectrum: np.ndarray) -> None:
        self.estimator = estimator
        self.penalty = penalty if estimator == "ridge" else 0.0
        self.spectrum = spectrum
        self.scale = np.ones_like(spectrum) if estimator == "ols" else np.sqrt(spectrum)
        self._spectral: Memo[tuple[np.ndarray, np.ndarray]] = Memo(4)

    def __call__(self, equations: NormalEquations) -> np.ndarray:
        """White coefficients, [replicates, dim].

        Raises:
            Diverged: ordinary least squares has more than one solution.
        """
        gram, moment = equations.gram, equations.moment
        if self.estimator == "ols" and gram.rank < len(self.spectrum):
            raise Diverged(
                f"ols has no single solution: the corpus has {gram.rank} different inputs in dimension "
                f"{len(self.spectrum)}; use more rows, or estimator ridge or minimum_norm"
            )
        if gram.name is not None:
            parts = self._spectral.get(gram.name, lambda: self._eigen(gram.unit))
            return self._filtered(*parts, gram.multiple, moment)
        total = gram.unit * gram.multiple
        if self.estimator == "minimum_norm":
            return self._filtered(*self._eigen(total), 1.0, moment)
        total = total + np.diag(self.penalty / self.spectrum)
        _check_regular(total)
        return np.linalg.solve(total, moment[..., None])[..., 0]

    def _eigen(self, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(gram * np.outer(self.scale, self.scale))
        return values, vectors

    def _filtered(self, values: np.ndarray, vectors: np.ndarray, multiple: float, moment: np.ndarray) -> np.ndarray:
        """V f(multiple·values) Vᵀ b, where f inverts what the estimator inverts."""
        if self.estimator == "minimum_norm":
            kept = values > values[:, -1:] * len(self.spectrum) * np.finfo(float).eps * 10
            inverse = np.where(kept, 1 / np.where(kept, values * multiple, 1), 0)
        else:
            inverse = 1 / (values * multiple + self.penalty)
        turned = (vectors.swapaxes(1, 2) @ (moment * self.scale)[..., None]) * inverse[..., None]
        found: np.ndarray = (vectors @ turned)[..., 0] * self.scale
        return found


def _check_regular(gram: np.ndarray) -> None:
    """Refuse Gram matrices that are singular to working precision.

    A pivot of the Cholesky factor, relative to the diagonal, is the share of an input's variance that the
    inputs before it do not explain.
    """
    try:
        pivots = np.diagonal(np.linalg.cholesky(gram), axis1=1, axis2=2) ** 2
        share = (pivots / np.diagonal(gram, axis1=1, axis2=2)).min()
    except np.linalg.LinAlgError:
        share = 0.0
    if not share > 10 * gram.shape[1] * np.finfo(float).eps:
        raise Diverged("least squares has no single solution: the corpus repeats too few different inputs")

"""Normal equations of weighted least squares, many replicates at once, and the estimators that solve them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainables.families.base import Diverged
from trainables.families.closed_form.corpus_terms import Memo

Estimator = Literal["ols", "ridge", "minimum_norm", "gradient_descent"]


@dataclass(frozen=True)
class NormalEquations:
    """ZᵀWZ and ZᵀWy.

    Attributes:
        gram: ZᵀWZ, [replicates, dim, dim].
        moment: ZᵀWy, [replicates, dim].
        rank: of the Gram matrix, at most; what decides whether least squares has one solution.
    """

    gram: np.ndarray
    moment: np.ndarray
    rank: int

    def __add__(self, other: Equations) -> NormalEquations:
        it = other.plain()
        return NormalEquations(self.gram + it.gram, self.moment + it.moment, self.rank + it.rank)

    def plain(self) -> NormalEquations:
        """Itself."""
        return self

    def beyond(self, start: np.ndarray) -> NormalEquations:
        """Of what coefficients `start`, [replicates, dim], leave of the labels."""
        return NormalEquations(self.gram, self.moment - times(self.gram, start), self.rank)


@dataclass(frozen=True)
class Factored:
    """Normal equations whose Gram matrix is a multiple of one that many corpora share, and known by a factor of it.

    Attributes:
        name: equal for equal factors.
        root: the factor F, [replicates, dim, rank].
        multiple: ZᵀWZ = multiple·F·Fᵀ.
        projection: ZᵀWy = F·projection, [replicates, rank].
        rank: as of `NormalEquations`.
    """

    name: Hashable
    root: np.ndarray
    multiple: float
    projection: np.ndarray
    rank: int

    def __add__(self, other: Equations) -> Equations:
        if isinstance(other, Factored) and other.name == self.name:
            projection = self.projection + other.projection
            return Factored(self.name, self.root, self.multiple + other.multiple, projection, self.rank)
        return self.plain() + other

    def plain(self) -> NormalEquations:
        """The same, multiplied out."""
        gram = self.multiple * (self.root @ self.root.swapaxes(1, 2))
        return NormalEquations(gram, times(self.root, self.projection), self.rank)

    def beyond(self, start: np.ndarray) -> Factored:
        """Of what coefficients `start`, [replicates, dim], leave of the labels."""
        left = self.projection - self.multiple * times(self.root.swapaxes(1, 2), start)
        return Factored(self.name, self.root, self.multiple, left, self.rank)


Equations = NormalEquations | Factored

UNBOUNDED = 1e100
"""Times a gradient beyond which steps lead nowhere."""

TINY = 1e-12
"""Below this a step times an eigenvalue is none: 1 − (1 − v)ᵏ is kv to rounding."""


def times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Products of [replicates, m, n] matrices and [replicates, n] vectors."""
    product: np.ndarray = (matrices @ vectors[..., None])[..., 0]
    return product


class Solver:
    """Coefficients from normal equations, in coordinates in which the inputs are white.

    Args:
        estimator: `ols`; `ridge`, (XᵀX + penalty)⁻¹Xᵀy; `minimum_norm`, the shortest of the least-squares solutions;
            `gradient_descent` from zero.
        penalty: of ridge.
        steps: k, of gradient descent, each by `rate` η times the gradient of half the mean squared residual.
        spectrum: eigenvalues of the inputs' covariance, [dim]. Length and penalty are in the inputs' own coordinates.
    """

    def __init__(
        self, estimator: Estimator, penalty: float, spectrum: np.ndarray, steps: int = 1, rate: float = 1.0
    ) -> None:
        self.estimator = estimator
        self.steps, self.rate = steps, rate
        self.penalty = penalty if estimator == "ridge" else 0.0
        self.spectrum = spectrum
        self.scale = np.ones_like(spectrum) if estimator == "ols" else np.sqrt(spectrum)
        self._solutions: Memo[np.ndarray] = Memo(4)
        self._spectral: Memo[tuple[np.ndarray, np.ndarray, np.ndarray]] = Memo(4)

    def __call__(self, equations: Equations, weight: float) -> np.ndarray:
        """White coefficients, [replicates, dim], from the equations of rows that weigh so much in all.

        Raises:
            Diverged: ordinary least squares has more than one solution.
        """
        if self.estimator == "ols" and equations.rank < len(self.spectrum):
            raise Diverged(
                f"ols has no single solution: the corpus has {equations.rank} different inputs in dimension "
                f"{len(self.spectrum)}; use more rows, or estimator ridge or minimum_norm"
            )
        if isinstance(equations, Factored):
            return self._of_factor(equations, weight)
        if self.estimator == "minimum_norm":
            return times(self._shortest(equations.gram), equations.moment)
        if self.estimator == "gradient_descent":
            return self._descended(equations, weight)
        total = equations.gram + np.diag(self.penalty / self.spectrum)
        _check_regular(total)
        return np.linalg.solve(total, equations.moment[..., None])[..., 0]

    def _of_factor(self, equations: Factored, weight: float) -> np.ndarray:
        """What does not depend on the multiple is computed once for each factor."""
        name, root, projection = equations.name, equations.root, equations.projection
        if self.estimator in ("ridge", "gradient_descent"):
            left, values, right = self._spectral.get(name, lambda: self._directions(root))
            found = times(right, projection)
            if self.estimator == "gradient_descent":
                return times(left, found * self._reached(values * equations.multiple, weight))
            return times(left, found / (values * equations.multiple + self.penalty))
        solution = self._solutions.get(name, lambda: self._least_squares(root))
        return times(solution, projection) / equations.multiple

    def _least_squares(self, root: np.ndarray) -> np.ndarray:
        """(F·Fᵀ)⁺·F, which of a square factor is the inverse of Fᵀ."""
        if self.estimator == "ols":
            return np.ascontiguousarray(np.linalg.inv(root).swapaxes(1, 2))
        solution: np.ndarray = self._shortest(root @ root.swapaxes(1, 2)) @ root
        return solution

    def _descended(self, equations: NormalEquations, weight: float) -> np.ndarray:
        values, vectors = self._eigen(equations.gram)
        scaled = self.scale[:, None] * vectors
        along = times(scaled.swapaxes(1, 2), equations.moment)
        return times(scaled, self._reached(values, weight) * along)

    def _reached(self, values: np.ndarray, weight: float) -> np.ndarray:
        """What k steps take XᵀXw = Xᵀy for, along eigenvectors of XᵀX: (1 − (1 − ηv/weight)ᵏ)/v; kη/weight at v = 0."""
        v = values.clip(0) * (self.rate / weight)
        with np.errstate(over="ignore", invalid="ignore"):
            reached = 1 - (1 - v) ** self.steps
            found: np.ndarray = np.where(v > TINY, reached / np.where(v > TINY, v, 1), self.steps)
        if not np.abs(found).max() < UNBOUNDED:
            raise Diverged(f"gradient descent grows without bound: a rate of {self.rate:g} is too large for its inputs")
        return found * (self.rate / weight)

    def _directions(self, root: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """S·V, the eigenvalues Λ and VᵀSF, where S is the scale and SFFᵀS = VΛVᵀ."""
        values, vectors = self._eigen(root @ root.swapaxes(1, 2))
        scaled = self.scale[:, None] * vectors
        return scaled, values, scaled.swapaxes(1, 2) @ root

    def _shortest(self, gram: np.ndarray) -> np.ndarray:
        """The pseudoinverse that takes moments to the shortest solution in the inputs' own coordinates."""
        values, vectors = self._eigen(gram)
        kept = values > values[:, -1:] * len(self.spectrum) * np.finfo(float).eps * 10
        inverse = np.where(kept, 1 / np.where(kept, values, 1), 0)
        scaled = self.scale[:, None] * vectors
        solution: np.ndarray = (scaled * inverse[:, None, :]) @ scaled.swapaxes(1, 2)
        return solution

    def _eigen(self, gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(gram * np.outer(self.scale, self.scale))
        return values, vectors


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

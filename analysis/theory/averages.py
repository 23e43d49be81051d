"""Exact expectations of recursions that average: Gaussian means and covariances, fixed-design least squares.

Every estimate is a weighted average of batch means, and a batch's mean is its model's plus an innovation of
known variance. So the mean of generation n is Σ_k h_nk·e_k with uncorrelated innovations e_k, and

    V_n = Σ_k h_nk² Var e_k                                 error of the mean,
    s_n = Σ_p α_p (λ_p s_p + V_p) − V_n                     expected (biased) covariance,

both in units of the real rows' variance, α_p the share of the loss that batch p carries, λ_p its sampler's
bias. The second line is E(x − μ̂)² = E x² − E μ̂², row by row. No approximation enters; a random subsample's
mean is its pool's plus an innovation with the variance of sampling without replacement (Cochran 1977,
"Sampling techniques", theorem 2.2).

A corrected batch keeps κ = 1/(1 + γ) of its model's error (Gillman et al. 2024, arXiv 2402.07087): κe_p takes the
place of e_p. Where rows are moved, their variance is the model's; where they are drawn again from the truth with chance
1 − κ, it is κλ_p s_p + (1 − κ) + κ(1 − κ)V_p.

Nothing here asks whose batch p is, so the models of a population are averages over one pool of all members' batches,
and the covariance of two models' errors is Σ_k h_ik h_jk Var e_k.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.theory.history import History, Share, Source

Spread = Literal["biased", "unbiased", "known"]


def per_row(rows: int) -> float:
    """Variance of a mean of so many rows of unit variance."""
    return 1.0 / rows


@dataclass(frozen=True)
class Averages:
    """Expectations by generation, in units of the real rows' variance.

    Attributes:
        error: V_n.
        spread: s_n.
        apart: E(e_i − e_j)², a mean over pairs of a population's members; one a generation, none of a single lineage.
    """

    error: tuple[float, ...]
    spread: tuple[float, ...]
    apart: tuple[float, ...] = ()


def averages(
    past: History,
    spread: Spread = "biased",
    unit: Callable[[int], float] = per_row,
    widen: float = 0.0,
    *,
    redrawn: bool = False,
) -> Averages:
    """Expectations under a history.

    Args:
        past: what each generation averages over.
        spread: the covariance's estimator; `known` keeps every model's at 1, as a regression with known noise
            does, which is also every regular estimator's leading order in 1/rows.
        unit: variance of an innovation, by the rows of its batch.
        widen: added to every model's covariance, as the squared bandwidth of a kernel estimate is.
        redrawn: whether a correction draws rows again; else it moves them.
    """
    recursion = _Recursion(past, spread, unit, widen, redrawn)
    for shares in past.corpora:
        recursion.advance(shares)
    return Averages(tuple(recursion.error[1:]), tuple(recursion.spread[1:]), recursion.apart())


@dataclass(frozen=True)
class _Sum:
    """Rows of some sources: coefficients of the sum of their means, and their expected sum of squares."""

    terms: tuple[tuple[Source, int], ...]
    mean: np.ndarray
    second: float


class _Recursion:
    """State: coefficients of each model's mean on the innovations so far; index 0 is the truth."""

    def __init__(
        self, past: History, spread: Spread, unit: Callable[[int], float], widen: float, redrawn: bool
    ) -> None:
        self.past = past
        self.redrawn = redrawn
        self.rule = spread
        self.unit = unit
        self.widen = widen
        self.error = [0.0]
        self.spread = [1.0]
        self._prefixes = _prefixes(past)
        shares = sum(len(shares) for shares in past.corpora)
        width = len(past.corpora) + shares + sum(len(sizes) for sizes in self._prefixes.values())
        self._means = np.zeros((len(past.corpora) + 1, width))
        self._variance = np.zeros(width)
        self._used = 0
        self._innovations: dict[tuple[Source, int], int] = {}
        self._sums: dict[tuple[int, int], _Sum] = {}

    def advance(self, shares: tuple[Share, ...]) -> None:
        """One more generation."""
        loads = np.array([share.rows * share.weight for share in shares])
        alphas = loads / loads.sum()
        found = [self._share(share, place) for place, share in enumerate(shares)]
        mean = np.sum([a * m for a, (m, _) in zip(alphas, found, strict=True)], axis=0)
        error = float(mean**2 @ self._variance)
        second = sum(a * s for a, (_, s) in zip(alphas, found, strict=True))
        self._means[len(self.error)] = mean
        self.error.append(error)
        self.spread.append(self._estimate(float(second) - error, shares))

    def apart(self) -> tuple[float, ...]:
        """E(e_i − e_j)² at each generation of a population: the error covariance C gives C_ii + C_jj − 2C_ij."""
        k = self.past.members
        if k == 1:
            return ()
        means = self._means[1:].reshape(-1, k, self._means.shape[1])
        means = means - means[:, :1]  # models of equal corpora are exactly 0 apart
        deviations = means - means.mean(axis=1, keepdims=True)
        return tuple((2 / (k - 1) * (deviations**2 @ self._variance).sum(axis=1)).tolist())

    def _estimate(self, biased: float, shares: tuple[Share, ...]) -> float:
        if self.rule == "known":
            return 1.0
        if self.rule == "unbiased":
            total = sum(share.rows * share.weight for share in shares)
            squares = sum(share.rows * share.weight**2 for share in shares)
            biased /= 1 - squares / total**2
        return biased + self.widen

    def _share(self, share: Share, place: int) -> tuple[np.ndarray, float]:
        """Coefficients of a share's mean, and the expected square of one of its rows."""
        sizes = [self.past.sizes[source] for source in share.sources]
        taken = _from_the_front(sizes, share.rows) if share.how == "first" else sizes
        total = self._sum(tuple(zip(share.sources, taken, strict=True)), place)
        mean, second = total.mean / sum(taken), total.second / sum(taken)
        if share.how in ("subsample", "bootstrap"):
            mean[self._chance(share, sum(sizes), self._within(share, mean, second))] = 1.0
        return mean, second

    def _sum(self, terms: tuple[tuple[Source, int], ...], place: int) -> _Sum:
        """Over sources and the rows taken of each. Where the share at this place of the member's last corpus was its
        first part, as in a pool that grows, it goes on from there."""
        whose = (len(self.error) % self.past.members, place)
        total = self._sums.get(whose)
        if total is None or terms[: len(total.terms)] != total.terms:
            total = _Sum((), np.zeros_like(self._variance), 0.0)
        mean, second = total.mean.copy(), total.second
        for source, rows in terms[len(total.terms) :]:
            if rows:
                mean[self._batch(source, rows)] += rows
                second += rows * self._second(source)
                if isinstance(source, int):
                    mean += rows * self._kept(source) * self._means[source]
        self._sums[whose] = _Sum(terms, mean, second)
        return self._sums[whose]

    def _within(self, share: Share, mean: np.ndarray, second: float) -> float:
        """Expected variance of the rows of a share's union."""
        if self.rule == "known":
            sizes = [self.past.sizes[source] for source in share.sources]
            return sum(n * self.past.bias.get(s, 1.0) for n, s in zip(sizes, share.sources, strict=True)) / sum(sizes)
        return float(second - mean**2 @ self._variance)

    def _chance(self, share: Share, total: int, within: float) -> int:
        """The innovation of a random draw's mean around its union's."""
        if share.how == "subsample":
            within *= (total - share.rows) / (total if self.rule == "known" else max(total - 1, 1))
        return self._new(within / share.rows)

    def _batch(self, source: Source, rows: int) -> list[int]:
        """The innovations that the mean of a batch's first rows adds to its model's mean, each once.

        The mean of k rows is that of all n plus something uncorrelated of variance unit(k) − unit(n).
        """
        found: list[int] = []
        before = 0.0
        for size in self._prefixes[source]:
            if size < rows:
                break
            if (source, size) not in self._innovations:
                scale = self._row_variance(source)
                self._innovations[source, size] = self._new(scale * (self.unit(size) - before))
            found.append(self._innovations[source, size])
            before = self.unit(size)
        return found

    def _row_variance(self, source: Source) -> float:
        own = self.past.bias.get(source, 1.0) * (self.spread[source] if isinstance(source, int) else 1.0)
        kept = self._kept(source)
        if not self.redrawn or kept == 1 or not isinstance(source, int):
            return own
        return kept * own + (1 - kept) * (1 + kept * self.error[source])

    def _second(self, source: Source) -> float:
        error = self._kept(source) ** 2 * self.error[source] if isinstance(source, int) else 0.0
        return self._row_variance(source) + error

    def _kept(self, source: Source) -> float:
        return self.past.kept.get(source, 1.0)

    def _new(self, variance: float) -> int:
        self._variance[self._used] = variance
        self._used += 1
        return self._used - 1


def _from_the_front(sizes: list[int], rows: int) -> list[int]:
    """How many of so many rows come from each batch, taken in order."""
    taken = []
    for size in sizes:
        taken.append(min(size, rows))
        rows -= taken[-1]
    return taken


def _prefixes(past: History) -> dict[Source, list[int]]:
    """All numbers of first rows that are ever taken of a batch, descending, all its rows first."""
    found: dict[Source, set[int]] = {source: {rows} for source, rows in past.sizes.items()}
    for share in (share for shares in past.corpora for share in shares if share.how == "first"):
        sizes = [past.sizes[source] for source in share.sources]
        for source, rows in zip(share.sources, _from_the_front(sizes, share.rows), strict=True):
            found[source] |= {rows} - {0}
    return {source: sorted(sizes, reverse=True) for source, sizes in found.items()}

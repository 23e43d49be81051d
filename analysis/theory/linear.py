"""Least squares on a model's own labels: expected ‖ŵ_n − w*‖²_Σ.

Setting of Gerstgrasser et al. 2024 (arXiv 2404.01413, section 2; after Dohmatob et al. 2024, arXiv 2402.07712).
With A_n the Gram matrix of generation n's corpus, ŵ_n = ŵ_{n−1} + A_n⁻¹X_nᵀE_n under `replace` and `accumulate`.
The error of ordinary least squares in the Σ-norm does not depend on Σ, nor on w*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History, Share


def unit_error(dim: int, noise: float, rows: int) -> float:
    """c = σ²d/(T − d − 1), the expected error of one fit on T rows (inverse Wishart mean).

    Raises:
        ValueError: rows < dim + 2, where the mean is infinite.
    """
    if rows < dim + 2:
        raise ValueError(f"rows: the mean error is infinite below {dim + 2} rows in dimension {dim}, not {rows}")
    return noise**2 * dim / (rows - dim - 1)


def replace(dim: int, noise: float, rows: int, generation: int) -> float:
    """c·n, exact for fixed and fresh design (Gerstgrasser et al. 2024, theorem 1)."""
    return unit_error(dim, noise, rows) * generation


def accumulate(dim: int, noise: float, rows: int, generation: int) -> float:
    """c·Σ1/i² ≤ c·π²/6, exact for a fixed design (Gerstgrasser et al. 2024, theorem 2)."""
    return unit_error(dim, noise, rows) * sum(1 / i**2 for i in range(1, generation + 1))


def replace_multiple(dim: int, noise: float, rows: int, generation: int) -> float:
    """c·H_n, exact for a fixed design that is repeated n times."""
    return unit_error(dim, noise, rows) * sum(1 / i for i in range(1, generation + 1))


def fresh_latest(
    dim: int, noise: float, sizes: Sequence[int], bias: Sequence[float], kept: Sequence[float]
) -> tuple[float, ...]:
    """e_i = κ_i²e_{i−1} + λ_i σ²d/(T_i − d − 1): new inputs, each generation on T_i rows of the latest model alone, of
    whose error a correction leaves κ = 1/(1 + γ). Exact.
    """
    error, found = 0.0, []
    for rows, lam, part in zip(sizes, bias, kept, strict=True):
        error = part**2 * error + lam * unit_error(dim, noise, rows)
        found.append(error)
    return tuple(found)


def fresh_everything(dim: int, noise: float, sizes: Sequence[int], bias: Sequence[float]) -> tuple[float, ...]:
    """σ²d·Σ_i λ_i (T_i/M_i)/(M_i − d − 1), M_i = T_1 + … + T_i: new inputs, accumulating. Exact.

    The identity above holds for any design, so the error is σ²Σ tr E[A_i⁻¹G_iA_i⁻¹], where G_i is the last
    batch's Gram matrix. Rows are exchangeable, E[G_i | A_i] = (T_i/M_i)A_i, and E tr A_i⁻¹ = d/(M_i − d − 1).
    It is below the fixed design's value, c·Σ1/i² for equal sizes, since iT − d − 1 > i(T − d − 1).
    """
    pooled = np.cumsum(sizes)
    shares = [rows / total for rows, total in zip(sizes, pooled, strict=True)]
    steps = [
        lam * share * unit_error(dim, noise, int(total)) for lam, share, total in zip(bias, shares, pooled, strict=True)
    ]
    return tuple(np.cumsum(steps).tolist())


def short_latest(
    dim: int, noise: float, signal: float, sizes: Sequence[int], bias: Sequence[float], kept: Sequence[float]
) -> tuple[float, ...]:
    """Minimum norm with new inputs, T < d − 1 rows of the latest model: r·κ²e + (1 − r)‖w*‖² + λσ²T/(d − T − 1).

    r = T/d; Σ = I. The new row space is uniformly random: it keeps r of the error, of which a correction leaves κ,
    loses 1 − r of w*, and the noise adds σ²·E tr (XXᵀ)⁻¹. Exact.
    """
    error, found = 0.0, []
    for rows, lam, part in zip(sizes, bias, kept, strict=True):
        share = rows / dim
        error = share * part**2 * error + (1 - share) * signal**2 + lam * short_unit_error(dim, noise, rows)
        found.append(error)
    return tuple(found)


def short_unit_error(dim: int, noise: float, rows: int) -> float:
    """σ²T/(d − T − 1), what noise adds to a minimum-norm fit on T < d − 1 rows, Σ = I.

    Raises:
        ValueError: rows > dim − 2, where the mean is infinite or another formula holds.
    """
    if rows > dim - 2:
        raise ValueError(f"rows: this form holds up to {dim - 2} rows in dimension {dim}, not {rows}")
    return noise**2 * rows / (dim - rows - 1)


def ridge_replace(eigenvalues: np.ndarray, penalty: float, noise: float, signal: float, generation: int) -> np.ndarray:
    """Ridge under `replace`, fixed design, given it: ŵ_n = Sⁿw* + ΣSⁿ⁻ⁱ(XᵀX + λ)⁻¹XᵀE_i, S = (XᵀX + λ)⁻¹XᵀX.

    Args:
        eigenvalues: of XᵀX, [..., dim]; Σ = I.
        penalty: λ > 0.
        noise: σ.
        signal: length of w*, whose direction is uniformly random.
        generation: n.

    Returns:
        The expected error over noise and direction, [...]: Σ_k (1 − s_kⁿ)²‖w*‖²/d
        + σ²Σ_k s_k²/μ_k·(1 − s_k²ⁿ)/(1 − s_k²) with s_k = μ_k/(μ_k + λ). Exact.
    """
    shrink = eigenvalues / (eigenvalues + penalty)
    bias = (1 - shrink**generation) ** 2 * signal**2 / eigenvalues.shape[-1]
    once = eigenvalues / (eigenvalues + penalty) ** 2
    variance = noise**2 * once * (1 - shrink ** (2 * generation)) / (1 - shrink**2)
    total: np.ndarray = (bias + variance).sum(axis=-1)
    return total


def descent_kept(eigenvalues: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """(1 − ηs)ᵏ: what k steps of gradient descent keep of where they begin, along eigenvectors of XᵀX/T of value s."""
    found: np.ndarray = (1 - rate * eigenvalues) ** steps
    return found


def warm(
    eigenvalues: np.ndarray,
    kept: Sequence[np.ndarray],
    shares: Sequence[Sequence[float]],
    noise: float,
    signal: float,
    start: str,
) -> list[np.ndarray]:
    """Fits that keep a part of where they begin, fixed design, given it: with P_n the part that is kept,
    e_n = P_n e_{n−1} + (I − P_n) Σ_j a_nj (e_j + ξ_{j+1}), where e_0 = 0 labels the real rows and Var ξ = σ²(XᵀX)⁻¹.

    Gradient descent keeps P = (I − ηXᵀX/T)ᵏ; ridge on M rows of which each input comes M/T times keeps
    λ(λ + XᵀX·M/T)⁻¹. The first fit begins at zero, where its error is −w*; so does every one of `fresh`.

    Args:
        eigenvalues: of XᵀX for one batch, [..., dim]; Σ = I.
        kept: P_n along its eigenvectors, [..., dim], by generation from 1 on.
        shares: a_nj, of batch j = 0, …, n − 1 in generation n's corpus.
        noise: σ.
        signal: length of w*, whose direction is uniformly random.
        start: `fresh` or `previous`.

    Returns:
        The expected error over noise and direction of each generation, [...]. Exact.
    """
    dim, total = eigenvalues.shape[-1], len(shares)
    target, noises = [np.zeros(dim)], [np.zeros((total, *eigenvalues.shape))]
    found = []
    for n, (part, mix) in enumerate(zip(kept, shares, strict=True), start=1):
        own = np.zeros_like(noises[0])
        for j, share in enumerate(mix):
            own[j] += share
        from_target = sum(share * target[j] for j, share in enumerate(mix))
        from_noise = own + sum(share * noises[j] for j, share in enumerate(mix))
        goes_on = start == "previous" and n > 1
        begun, begun_noise = (target[-1], noises[-1]) if goes_on else (-np.ones(dim), 0.0)
        target.append(part * begun + (1 - part) * from_target)
        noises.append(part * begun_noise + (1 - part) * from_noise)
        error = target[n] ** 2 * signal**2 / dim + noise**2 / eigenvalues * (noises[n] ** 2).sum(axis=0)
        found.append(error.sum(axis=-1))
    return found


def ridge_replace_large(dim: int, rows: int, penalty: float, noise: float, signal: float, generation: int) -> float:
    """`ridge_replace` averaged over designs, to leading order in 1/dim at fixed dim/rows < 1.

    The eigenvalues of XᵀX/T follow the law of Marchenko & Pastur 1967, integrated by the Gauss–Chebyshev rule.
    """
    ratio = dim / rows
    nodes = 2000
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    values = 1 + ratio + 2 * np.sqrt(ratio) * np.cos(angle)
    weights = 2 * np.sin(angle) ** 2 / values / nodes
    terms = ridge_replace(values[:, None] * rows, penalty, noise, signal / np.sqrt(dim), generation)
    return float(dim * (weights * terms).sum())


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`test_loss`, where it is known exactly; in a population also `disagreement`."""
    if family.estimator == "gradient_descent" or family.start == "previous":
        return []  # `warm` is given the design
    if family.design == "fixed":
        return _fixed(family, rows, past)
    found = _fresh(family, past)
    return [found] if found is not None else []


def _fixed(family: Any, rows: int, past: History) -> list[Curve]:
    """Any policy of whole batches whose Gram matrices are multiples of one another within each corpus."""
    dim, noise = family.dim, family.noise
    short = family.estimator == "minimum_norm" and rows <= dim - 2 and family.covariance == "identity"
    if family.estimator == "ridge" or not past.whole() or not (short or full_rank(dim, rows, past)):
        return []
    if short and any(size % rows for shares in past.corpora for size in _sizes(shares, past)):
        return []
    floor = (1 - rows / dim) * family.signal**2 if short else 0.0

    def unit(size: int) -> float:
        if short:
            return short_unit_error(dim, noise, rows) * rows / size
        times = 1.0 if size < rows else size / rows
        return unit_error(dim, noise, min(size, rows)) / times

    found = averages(past, "known", unit)
    source = "averages of fixed-design least squares; Gerstgrasser et al. 2024"
    values = tuple(floor + error for error in found.error)
    return [Curve("test_loss", values, source), Curve("disagreement", found.apart, source)]


def full_rank(dim: int, rows: int, past: History) -> bool:
    """Whether every corpus repeats one design, of at least dim + 2 inputs, in all its batches."""
    for shares in past.corpora:
        classes = {rows if size % rows == 0 else size for size in _sizes(shares, past)}
        if len(classes) > 1 or not dim + 2 <= min(classes) <= rows:
            return False
    return True


def _sizes(shares: tuple[Share, ...], past: History) -> list[int]:
    """Rows that a corpus holds of each of its batches."""
    found = []
    for share in shares:
        left = share.rows
        for source in share.sources:
            found.append(min(left, past.sizes[source]))
            left -= found[-1]
    return [size for size in found if size]


def _fresh(family: Any, past: History) -> Curve | None:
    """New inputs in every batch."""
    dim, noise = family.dim, family.noise
    sizes = [past.sizes[n] for n in range(len(past.corpora))]
    bias, kept = ([held.get(n, 1.0) for n in range(len(past.corpora))] for held in (past.bias, past.kept))
    least = family.estimator == "ols" or (family.estimator == "minimum_norm" and min(sizes) >= dim + 2)
    if least and past.everything() and not past.kept:
        return Curve("test_loss", fresh_everything(dim, noise, sizes, bias), "exchangeable Gram matrices")
    if least and past.only_latest() and min(sizes) >= dim + 2:
        return Curve("test_loss", fresh_latest(dim, noise, sizes, bias, kept), "Gerstgrasser et al. 2024, theorem 1")
    short = family.estimator == "minimum_norm" and family.covariance == "identity" and max(sizes) <= dim - 2
    if short and past.only_latest():
        return Curve("test_loss", short_latest(dim, noise, family.signal, sizes, bias, kept), "random row spaces")
    return None

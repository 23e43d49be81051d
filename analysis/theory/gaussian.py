"""Mean and covariance of a Gaussian fitted to its own samples.

Setting of Shumailov et al. 2023 (arXiv 2305.17493, section 4) and Alemohammad et al. 2023 (arXiv 2307.01850,
section 2.3). Expectations are over recursions; the convention of the covariance estimator matters.
"""

from __future__ import annotations

import math
from itertools import takewhile
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History

SPREAD = 2.0
"""Relative variance beyond which a figure's mean over recursions says little about its expectation.

A collapsing variance is a product of many factors, nearly log-normal: its expectation rests on ever rarer
recursions, and at a relative variance of 2 a thousand of them still have a normal mean (skewness 7/√1000).
"""


def replace_trace(rows: int, generation: int) -> float:
    """E tr Σ̂_n / tr Σ = (1 − 1/N)ⁿ, biased estimator, `replace`."""
    return float((1 - 1 / rows) ** generation)


def accumulate_trace(rows: int, generation: int) -> float:
    """E tr Σ̂_n / tr Σ = Π_{i≤n}(1 − 1/(N i²)) → sin(π/√N)/(π/√N), biased estimator, `accumulate` (Euler's product)."""
    return float(np.prod([1 - 1 / (rows * i**2) for i in range(1, generation + 1)]))


def accumulate_trace_limit(rows: int) -> float:
    """lim Π(1 − 1/(N i²)) = sin(π/√N)/(π/√N)."""
    return float(np.sinc(1 / math.sqrt(rows)))


def latest_excess(
    dim: int, sizes: list[int], bias: list[float], *, biased: bool = True
) -> tuple[list[float], list[float]]:
    """Expected excess held-out loss and log-determinant where each generation is fitted on the latest batch alone.

    With S ~ W_d(N − 1, Σ): E S⁻¹ = Σ⁻¹/(N − d − 2), E log det S = log det Σ + d log 2 + Σ_i ψ((N − i)/2),
    x̄ independent of S (Muirhead 1982, theorems 3.1.2 and 3.2.15, and section 3.2.5). So, exactly,
    KL(N(0, I) ‖ model n) = ½(t + q − d + l) in expectation, with t = E tr Σ̂⁻¹, q = E μ̂ᵀΣ̂⁻¹μ̂, l = E log det Σ̂.

    Args:
        dim: d.
        sizes: N of each generation.
        bias: λ of each generation's batch; 1 for the real one.
        biased: the estimator's convention.

    Returns:
        The excess in nats per row, up to the generation where its relative variance over recursions exceeds
        `SPREAD` (or its mean is infinite), and E log det Σ̂ at every generation.
    """
    t, q, log_det, variance = float(dim), 0.0, 0.0, 0.0
    excess, logs = [], []
    for rows, lam in zip(sizes, bias, strict=True):
        divisor = rows if biased else rows - 1
        log_det += dim * math.log(2 * lam / divisor) + float(digamma((rows - 1 - np.arange(dim)) / 2).sum())
        logs.append(log_det)
        free = rows - dim
        variance = (1 + variance) * (free - 2) / (free - 4) - 1 if free > 4 else math.inf
        if variance <= SPREAD:
            inverse = divisor / (lam * (free - 2))
            q = inverse * (q + lam * dim / rows)
            t *= inverse
            excess.append(0.5 * (t + q - dim + log_det))
    return excess, logs


def corrected(
    dim: int, sizes: list[int], bias: list[float], kept: list[float], *, biased: bool = True
) -> tuple[list[float], list[float]]:
    """E‖μ̂_n‖² and E tr Σ̂_n where each generation is fitted on the latest batch alone, which is corrected first.

    With L the Cholesky factor of Σ̂ a corrected batch is one of N(κμ̂, λBBᵀ), B = κL + (1 − κ)I, κ = 1/(1 + γ) (Gillman
    et al. 2024, arXiv 2402.07087, of the map L⁻¹(x − μ̂)). The next factor is √(λ/m)·B·T, m the estimator's divisor
    and T Bartlett's factor of W_d(N − 1, I), T_ii ~ χ_{N−i}. On the diagonal, products of triangular matrices are
    products of numbers. With a_i = E L_ii, exactly,

        a_i ← √(λ/m)·(κa_i + 1 − κ)·E χ_{N−i},    E tr Σ̂ ← λ(N − 1)/m·E‖B‖²,    E‖μ̂‖² ← κ²E‖μ̂‖² + λE‖B‖²/N.

    Args:
        dim: d.
        sizes: N of each generation.
        bias: λ of each generation's batch; 1 for the real one.
        kept: κ of each generation's batch; 1 for the real one.
        biased: the estimator's convention.
    """
    diagonal, trace, error = np.ones(dim), float(dim), 0.0
    errors, traces = [], []
    for rows, lam, part in zip(sizes, bias, kept, strict=True):
        divisor = rows if biased else rows - 1
        square = part**2 * trace + 2 * part * (1 - part) * float(diagonal.sum()) + (1 - part) ** 2 * dim
        half = (rows - 1 - np.arange(dim)) / 2
        chi = math.sqrt(2) * np.exp(gammaln(half + 0.5) - gammaln(half))
        diagonal = math.sqrt(lam / divisor) * (part * diagonal + 1 - part) * chi
        trace = lam * (rows - 1) / divisor * square
        error = part**2 * error + lam * square / rows
        errors.append(error)
        traces.append(trace)
    return errors, traces


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`trace_ratio` and `mean_sq_error` under any policy that draws whole or random rows; more under `replace`.

    `trace_ratio` ends where its relative variance, about e^2V − 1 since the logarithms of variances average as
    means do with twice the noise, exceeds `SPREAD`.
    """
    biased = family.estimator == "biased"
    if past.kept:
        return _corrected(family.dim, past, biased)
    found = averages(past, "biased" if biased else "unbiased")
    reliable = len(list(takewhile(lambda error: math.expm1(2 * error) <= SPREAD, averages(past, "known").error)))
    source = "averages; Shumailov et al. 2023, Alemohammad et al. 2023"
    known = [
        Curve("mean_sq_error", tuple(family.dim * error for error in found.error), source),
        Curve("trace_ratio", found.spread[:reliable], source),
        Curve("disagreement", tuple(family.dim * value for value in found.apart), source),
    ]
    if past.only_latest() and min(past.sizes.values()) > family.dim:
        sizes = [past.sizes[n] for n in range(len(past.corpora))]
        bias = [past.bias.get(n, 1.0) for n in range(len(past.corpora))]
        excess, logs = latest_excess(family.dim, sizes, bias, biased=biased)
        entropy = 0.5 * family.dim * math.log(2 * math.pi * math.e)
        known += [
            Curve("test_loss", tuple(excess), "inverse Wishart moments; Muirhead 1982"),
            Curve("nll", tuple(value + entropy for value in excess), "inverse Wishart moments; Muirhead 1982"),
            Curve("log_det_ratio", tuple(logs), "log-determinant of a Wishart matrix; Muirhead 1982"),
        ]
    return known


def _corrected(dim: int, past: History, biased: bool) -> list[Curve]:
    """Under `replace`; the trace ends where its relative variance, that of means of as many rows, exceeds `SPREAD`."""
    if not past.only_latest() or min(past.sizes.values()) <= dim:
        return []
    sizes = [past.sizes[n] for n in range(len(past.corpora))]
    bias, kept = ([held.get(n, 1.0) for n in range(len(past.corpora))] for held in (past.bias, past.kept))
    errors, traces = corrected(dim, sizes, bias, kept, biased=biased)
    reliable = takewhile(lambda error: math.expm1(2 * error) <= SPREAD, averages(past, "known").error)
    source = "triangular map to the truth; Bartlett 1933, Gillman et al. 2024"
    ratios = tuple(trace / dim for trace, _ in zip(traces, reliable, strict=False))
    return [Curve("mean_sq_error", tuple(errors), source), Curve("trace_ratio", ratios, source)]

"""R_n, a generation's excess error over that of generation 1, by policy, to leading order in 1/rows.

For regular estimators: least squares, means, maximum likelihood in general (Dey & Donoho 2024, arXiv 2410.22812,
show that accumulation's π²/6 is universal). Exact for means of a known variance. Generation 1 has R_1 = 1.
"""

from __future__ import annotations

import math

import numpy as np

ACCUMULATE_LIMIT = math.pi**2 / 6
ACCUMULATE_SUBSAMPLE_LIMIT = math.pi**2 / 2 - 2


def replace(generation: int) -> float:
    """n (Shumailov et al. 2023; Gerstgrasser et al. 2024, arXiv 2404.01413, theorem 1)."""
    return float(generation)


def replace_multiple(generation: int) -> float:
    """H_n = Σ 1/i: generation i is fitted on i·N rows of its predecessor."""
    return sum(1 / i for i in range(1, generation + 1))


def accumulate(generation: int) -> float:
    """Σ 1/i² → π²/6 (Gerstgrasser et al. 2024, theorem 2)."""
    return sum(1 / i**2 for i in range(1, generation + 1))


def accumulate_subsample(generation: int) -> float:
    """2 − 1/n + Σ_{t<n} (2 − 1/t)/(t + 1)² → π²/2 − 2 (policy of Kazdan et al. 2024, arXiv 2410.16713).

    Each fit adds 1 − 1/n to its pool's error, and is passed on to the pools after it by 1/(t + 1) of its batch.
    """
    return 2 - 1 / generation + sum((2 - 1 / t) / (t + 1) ** 2 for t in range(1, generation))


def sliding_window(window: int, generation: int) -> float:
    """The last W batches weighted alike: exact recursion of the averages' innovations."""
    coefficients = np.zeros((generation, generation))
    for n in range(generation):
        for batch in range(max(0, n + 1 - window), n + 1):
            share = 1 / min(window, n + 1)
            coefficients[n, batch] += share
            if batch > 0:
                coefficients[n] += share * coefficients[batch - 1]
    return float((coefficients[-1] ** 2).sum())


def sliding_window_slope(window: int) -> float:
    """lim R_{n+1} − R_n = 4/(W + 1)².

    A generation's mean is one of its last W batches on average, (W + 1)/2 generations back, so an innovation's
    coefficient settles at 2/(W + 1) (renewal theorem), and each generation adds one innovation.
    """
    return 4 / (window + 1) ** 2


def synthetic_augmentation_limit(real: int, synthetic: int) -> float:
    """Error, in row variances, of n_r fixed real rows beside n_s of the latest model.

    1/n_r + (1 − a)²/(n_s(1 − (1 − a)²)), a = n_r/(n_r + n_s) (loop of Alemohammad et al. 2023; Bertrand et al. 2023).
    """
    kept = 1 - real / (real + synthetic)
    return 1 / real + kept**2 / (synthetic * (1 - kept**2))


def fresh_mix_limit(real: int, synthetic: int) -> float:
    """As `weighted_fresh_limit`, every row with the same weight: (a²/n_r + (1 − a)²/n_s)/(1 − (1 − a)²)."""
    return weighted_fresh_limit(real / (real + synthetic), real, synthetic)


def weighted_fresh_limit(weight: float, real: int, synthetic: int) -> float:
    """Error, in row variances, of n_r new real rows with share w of the loss beside n_s of the latest model.

    The fixed point of V = w²/n_r + (1 − w)²(V + 1/n_s) (He et al. 2025, arXiv 2502.18049).
    """
    kept = 1 - weight
    return (weight**2 / real + kept**2 / synthetic) / (1 - kept**2)


def weighted_fresh_best(real: int, synthetic: int) -> float:
    """The weight that minimises `weighted_fresh_limit`: (√(k² + 4k) − k)/2, k = n_r/n_s (He et al. 2025)."""
    ratio = real / synthetic
    return (math.sqrt(ratio**2 + 4 * ratio) - ratio) / 2

"""Maximum likelihood of many weighted regressions side by side, by Newton's method as compiled loops.

A corpus enters as the sums of weights and of weighted labels of each input, so that a pool that grows on the same
inputs costs what its first batch does. Importing this module loads numba.
"""

from __future__ import annotations

import math

import numpy as np

from trainables.families.closed_form.glm.likelihoods import POISSON, first_guess, likelihood
from trainables.families.closed_form.glm.normal_equations import dot, factor, lift, solve, square, times
from trainables.families.closed_form.glm.separation import furthest, largest, met, one_class, tells_apart, weighty
from trainables.runtime.jit import compiled

CONVERGED, SEPARATED, LIMIT, SINGULAR = range(4)
"""How a fit ended: at its maximum; on labels that some direction tells apart, so that there is none; out of
iterations; with inputs of too low a rank."""

AWAY = 4
"""It did not begin, its first guess being too far away."""

TOLERANCE = 1e-16
"""Squared Newton decrement over the sum of weights, below which the step that follows is the last."""

OVERSHOT = 0.5
"""Share of the slope at a step's start that the slope at its end, turned over, may have."""

LEFT = 1e-22
"""What a step of fast descent may leave for it to be the last: its squared decrement over the sum of weights, times
that of the step whose Hessian it took."""

CLOSE = 1e-6
"""Squared decrement over the sum of weights, below which the Hessian of the step before serves again: its error is of
the order of the step."""

SLOW = 1e-12
"""The same, at which a slow descent without an end is left: labels told apart are fitted that well."""

ASKED = 1e-4
"""The same, below which a slow descent is asked whether it has an end."""

FAST = 0.01
"""Share of its decrement that a step leaves, above which the next one has a Hessian of its own."""

SHORT = 1e-4
"""What a last step may add to a predictor; a hundredth of it where its Hessian is the one of the step before."""

FAR = 12.0
"""Log-odds beyond which a first guess is of no use: least squares takes few inputs unlike the others there."""

VANISHED = 1e-6
"""Mean absolute residual of labels that are fitted perfectly, nats of training loss a row."""


def maximise(
    x: np.ndarray, weights: np.ndarray, sums: np.ndarray, link: int, penalty: float, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients β that maximise Σ log p(y | x·β) − penalty/2·Σ_{j>0} β_j².

    Newton's method from one step of iteratively reweighted least squares (McCullagh & Nelder 1989, "Generalized
    linear models", section 2.5), a step halved while the slope along it turns over.

    Args:
        x: inputs, columns first, the constant foremost, [1 or replicates, coefficients, rows].
        weights: sums of weights by input, [1 or replicates, rows]; 0 leaves an input out.
        sums: of weight times label, [replicates, rows].
        link: `LOGISTIC`, `PROBIT` or `POISSON`.
        penalty: of ridge; the constant is free.
        limit: iterations at most.

    Returns:
        Coefficients [replicates, coefficients], how each fit ended (int8), iterations taken (int16), [replicates].
    """
    replicates, width = len(sums), x.shape[1]
    found = np.zeros((replicates, width))
    ended, taken = np.zeros(replicates, dtype=np.int8), np.zeros(replicates, dtype=np.int16)
    x, weights, sums = (np.ascontiguousarray(values, dtype=np.float64) for values in (x, weights, sums))
    _maximise(x, weights, sums, link, penalty, limit, found, ended, taken)
    return found, ended, taken


@compiled
def _maximise(
    x: np.ndarray,
    weights: np.ndarray,
    sums: np.ndarray,
    link: int,
    penalty: float,
    limit: int,
    found: np.ndarray,
    ended: np.ndarray,
    taken: np.ndarray,
) -> None:
    width, rows = x.shape[1], x.shape[2]
    hessian, step, gradient = np.empty((width, width)), np.empty(width), np.empty(width)
    eta, residual, curve = np.empty(rows), np.empty(rows), np.empty(rows)
    for r in range(len(sums)):
        inputs, w = x[r if len(x) > 1 else 0], weights[r if len(weights) > 1 else 0]
        beta, total = found[r], w.sum()
        for own in (link == POISSON, True):  # the second guess where the first is too far away
            first_guess(w, sums[r], link, own, residual, curve)
            times(inputs, residual, beta)
            square(inputs, curve, penalty, hessian)
            if not factor(hessian, True):
                ended[r] = SINGULAR
                break
            solve(hessian, beta)
            ended[r], taken[r] = _climb(
                inputs,
                w,
                sums[r],
                link,
                penalty,
                limit,
                total,
                own,
                beta,
                hessian,
                step,
                gradient,
                eta,
                residual,
                curve,
            )
            if ended[r] != AWAY:
                break
        if ended[r] == CONVERGED and one_class(w, sums[r], link):
            ended[r] = LIMIT


@compiled
def _climb(
    x: np.ndarray,
    w: np.ndarray,
    s: np.ndarray,
    link: int,
    penalty: float,
    limit: int,
    total: float,
    anywhere: bool,
    beta: np.ndarray,
    hessian: np.ndarray,
    step: np.ndarray,
    gradient: np.ndarray,
    eta: np.ndarray,
    residual: np.ndarray,
    curve: np.ndarray,
) -> tuple[int, int]:
    """Newton's steps on `beta`; how they ended, and how many there were."""
    step[:] = 0.0
    slope, taken_at, halvings, near, lifted, lost, apart, fast = 0.0, 0.0, 0, False, False, False, False, False
    for n in range(limit):
        missed = likelihood(x, w, s, link, beta, eta, residual, curve)
        if n == 0 and not anywhere and largest(w, eta) > FAR:
            return AWAY, 0
        if penalty == 0.0 and missed < VANISHED * total and met(w, s, link, eta):
            return SEPARATED, n
        times(x, residual, gradient)
        for j in range(1, len(beta)):
            gradient[j] -= penalty * beta[j]
        along = dot(gradient, step)
        if slope > 0 and not along > -OVERSHOT * slope and halvings < 30:  # overshot, or beyond all numbers
            kept = min(max(slope / (slope - along), 0.1), 0.5) if math.isfinite(along) else 0.5
            for j in range(len(step)):
                beta[j] -= (1.0 - kept) * step[j]
                step[j] *= kept
            slope *= kept
            halvings += 1
            near = False
            continue
        fresh = not near
        if fresh:
            for lifted in (False, True):
                square(x, curve, penalty, hessian)
                if lifted:
                    lost = True
                    lift(hessian)
                if factor(hessian, False):
                    break
        step[:] = gradient
        solve(hessian, step)
        before, slope, halvings = slope, dot(gradient, step), 0
        for j in range(len(beta)):
            beta[j] += step[j]
        taken_at = slope if fresh else taken_at
        fast = slope < FAST * before and not lifted
        if not fast and not apart and penalty == 0.0 and (slope <= ASKED * total or n + 1 == limit):
            apart = tells_apart(x, w, s, link, step, eta, residual, hessian)
        if apart and (lifted or slope <= SLOW * total):
            return SEPARATED, n + 1
        little = slope * taken_at <= LEFT * total * total if fast else slope <= TOLERANCE * total and not lost
        if little and not apart:
            short = SHORT if fresh else 0.01 * SHORT
            if slope > 0.5 * before or weighty(w, curve, slope / short**2) or furthest(x, w, step, eta) <= short:
                return CONVERGED, n + 1
        near = fast and slope < CLOSE * total and (apart or not little)
    return SEPARATED if apart else LIMIT, limit

"""Maximum likelihood of many weighted regressions side by side, by Newton's method as compiled loops.

A corpus enters as the sums of weights and of weighted labels of each input, so that a pool that grows on the same
inputs costs what its first batch does. Importing this module loads numba.
"""

from __future__ import annotations

import math

import numpy as np

from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp64

CONVERGED, SEPARATED, LIMIT, SINGULAR = range(4)
"""How a fit ended: at its maximum; on labels that some direction tells apart, so that there is none; out of
iterations; with inputs of too low a rank."""

AWAY = 4
"""It did not begin, its first guess being too far away."""

LOGISTIC, PROBIT, POISSON = range(3)

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

STRIDE = 1e-3
"""Of what a step adds to a predictor there is a share, or log-odds where it adds more than 1, that counts as none."""

SHORT = 1e-4
"""What a last step may add to a predictor; a hundredth of it where its Hessian is the one of the step before."""

FAR = 12.0
"""Log-odds beyond which a first guess is of no use: least squares takes few inputs unlike the others there."""

VANISHED = 1e-6
"""Mean absolute residual of labels that are fitted perfectly, nats of training loss a row."""

RIDGE = 1e-10
"""Share of a diagonal that is added to a Hessian whose pivots are lost, as separation makes them."""


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
        for own in (link == POISSON, True):
            _first_guess(w, sums[r], link, own, residual, curve)
            _times(inputs, residual, beta)
            _square(inputs, curve, penalty, hessian)
            if not _factor(hessian, True):
                ended[r] = SINGULAR
                break
            _solve(hessian, beta)
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
        if ended[r] == CONVERGED and _one_class(w, sums[r], link):
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
        missed = _likelihood(x, w, s, link, beta, eta, residual, curve)
        if n == 0 and not anywhere and _largest(w, eta) > FAR:
            return AWAY, 0
        if penalty == 0.0 and missed < VANISHED * total and _met(w, s, link, eta):
            return SEPARATED, n
        _times(x, residual, gradient)
        for j in range(1, len(beta)):
            gradient[j] -= penalty * beta[j]
        along = _dot(gradient, step)
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
                _square(x, curve, penalty, hessian)
                if lifted:
                    lost = True
                    _lift(hessian)
                if _factor(hessian, False):
                    break
        step[:] = gradient
        _solve(hessian, step)
        before, slope, halvings = slope, _dot(gradient, step), 0
        for j in range(len(beta)):
            beta[j] += step[j]
        taken_at = slope if fresh else taken_at
        fast = slope < FAST * before and not lifted
        if not fast and not apart and penalty == 0.0 and (slope <= ASKED * total or n + 1 == limit):
            apart = _tells_apart(x, w, s, link, step, eta, residual, hessian)
        if apart:
            if lifted or slope <= SLOW * total:
                return SEPARATED, n + 1
        elif slope * taken_at <= LEFT * total * total if fast else slope <= TOLERANCE * total and not lost:
            short = SHORT if fresh else 0.01 * SHORT
            near = slope > 0.5 * before or _weighty(w, curve, slope / short**2) or _furthest(x, w, step, eta) <= short
            if near:
                return CONVERGED, n + 1
            continue
        near = fast and slope < CLOSE * total
    return SEPARATED if apart else LIMIT, limit


@compiled
def _first_guess(w: np.ndarray, s: np.ndarray, link: int, own: bool, slope: np.ndarray, curve: np.ndarray) -> None:
    """Weights of a first guess and weights times its working response.

    The model of a constant alone, so that a step of least squares follows; or each input's `own`, of counts drawn
    towards the mean, of binary labels towards the middle.
    """
    if own and link != POISSON:
        for i in range(len(w)):
            guess = (s[i] + 0.5) / (w[i] + 1.0)
            curve[i] = w[i] * guess * (1.0 - guess)
            slope[i] = curve[i] * math.log(guess / (1.0 - guess)) * (0.6 if link == PROBIT else 1.0)
        return
    if link == POISSON:
        mean = s.sum() / w.sum()
        for i in range(len(w)):
            guess = (s[i] + mean) / (w[i] + 1.0) + 1e-12
            curve[i] = w[i] * guess
            slope[i] = curve[i] * math.log(guess)
        return
    mean = (s.sum() + 0.5) / (w.sum() + 1.0)
    eta, density = math.log(mean / (1.0 - mean)), mean * (1.0 - mean)
    if link == PROBIT:
        eta *= 0.6
        density = math.exp(-0.5 * eta * eta) / math.sqrt(2.0 * math.pi)
        mean = 0.5 * math.erfc(-eta / math.sqrt(2.0))
    scale = density / (mean * (1.0 - mean))
    for i in range(len(w)):
        curve[i] = w[i] * density * scale
        slope[i] = curve[i] * eta + (s[i] - w[i] * mean) * scale


@compiled
def _likelihood(
    x: np.ndarray,
    w: np.ndarray,
    s: np.ndarray,
    link: int,
    beta: np.ndarray,
    eta: np.ndarray,
    residual: np.ndarray,
    curve: np.ndarray,
) -> float:
    """Slope and curvature of the log-likelihood by linear predictor; returns Σ|y − p|, infinite for counts that the
    model does not fit to the last one."""
    eta[:] = 0.0
    for j in range(len(beta)):
        b, column = beta[j], x[j]
        for i in range(len(eta)):
            eta[i] += b * column[i]
    missed = 0.0
    if link == LOGISTIC:
        for i in range(len(eta)):
            p = 1.0 / (1.0 + exp64(-eta[i]))
            residual[i] = s[i] - w[i] * p
            curve[i] = w[i] * p * (1.0 - p)
            missed += abs(residual[i])
    elif link == POISSON:
        for i in range(len(eta)):
            mean = w[i] * exp64(eta[i])
            residual[i], curve[i] = s[i] - mean, mean
            missed += abs(residual[i]) + s[i]
    else:
        for i in range(len(eta)):
            far = abs(eta[i])
            tail = 0.5 * math.erfc(far / math.sqrt(2.0))
            density = exp64(-0.5 * far * far) / math.sqrt(2 * math.pi)
            thin, thick = (density / tail if far < 6.0 else _hazard(far)), density / (1.0 - tail)
            above, below = (thick, thin) if eta[i] > 0 else (thin, thick)  # φ/Φ at η and at −η
            failures = w[i] - s[i]
            residual[i] = s[i] * above - failures * below
            curve[i] = s[i] * above * (above + eta[i]) + failures * below * (below - eta[i])
            missed += (s[i] * tail + failures * (1 - tail)) if eta[i] > 0 else (s[i] * (1 - tail) + failures * tail)
    return missed


@compiled
def _hazard(t: float) -> float:
    """φ(t)/(1 − Φ(t)) far out, by Laplace's continued fraction."""
    fraction = t
    for k in range(30, 0, -1):
        fraction = t + k / fraction
    return fraction


@compiled
def _one_class(w: np.ndarray, s: np.ndarray, link: int) -> bool:
    """Whether all labels are alike, so that the constant, which no penalty holds, runs off."""
    return s.sum() <= 0.0 or (link != POISSON and s.sum() >= w.sum() * (1 - 1e-12))


@compiled
def _met(w: np.ndarray, s: np.ndarray, link: int, eta: np.ndarray) -> bool:
    """Whether every label is the one that its predictor is for; of counts, whether all are 0."""
    for i in range(len(w)):
        none, every = s[i] <= 0, link != POISSON and s[i] >= w[i] * (1 - 1e-12)
        if w[i] > 0 and not ((none and eta[i] < 0) or (every and eta[i] > 0)):
            return False
    return True


@compiled
def _furthest(x: np.ndarray, w: np.ndarray, step: np.ndarray, eta: np.ndarray) -> float:
    """What a step adds to a predictor at most; fills `eta` with what it adds to each."""
    eta[:] = 0.0
    for j in range(len(step)):
        for i in range(len(eta)):
            eta[i] += step[j] * x[j, i]
    return _largest(w, eta)


@compiled
def _largest(w: np.ndarray, values: np.ndarray) -> float:
    """Largest magnitude at an input that has weight."""
    largest = 0.0
    for i in range(len(values)):
        largest = max(largest, abs(values[i]) * (w[i] > 0))
    return largest


@compiled
def _weighty(w: np.ndarray, curve: np.ndarray, least: float) -> bool:
    """Whether each input's curvature is at least that: a step of squared decrement δ then adds √(δ/least) at most."""
    light = 0
    for i in range(len(curve)):
        light += (w[i] > 0) & (curve[i] < least)
    return light == 0


@compiled
def _tells_apart(
    x: np.ndarray,
    w: np.ndarray,
    s: np.ndarray,
    link: int,
    step: np.ndarray,
    eta: np.ndarray,
    still: np.ndarray,
    gram: np.ndarray,
) -> bool:
    """Whether the likelihood rises along `step` for ever: no label speaks against it, some speak for it, and inputs
    that it leaves as they are do not settle all coefficients (Albert & Anderson 1984; for counts Correia, Guimarães &
    Zylkin 2019, arXiv 1903.01633). Without the last, a step of a fit that one far input delays passes too.
    """
    slack = STRIDE * min(_furthest(x, w, step, eta), 1.0)
    for i in range(len(eta)):
        none, every = s[i] <= 0, link != POISSON and s[i] >= w[i] * (1 - 1e-12)
        moved = abs(eta[i]) > slack
        still[i] = w[i] > 0 and not moved
        if w[i] > 0 and moved and not (every if eta[i] > 0 else none):
            return False
    _square(x, still, 0.0, gram)
    return not _factor(gram, True)


@compiled
def _times(x: np.ndarray, values: np.ndarray, found: np.ndarray) -> None:
    for j in range(len(found)):
        found[j] = _dot(x[j], values)


@compiled
def _dot(one: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for i in range(len(one)):
        total += one[i] * other[i]
    return total


@compiled
def _square(x: np.ndarray, curve: np.ndarray, penalty: float, hessian: np.ndarray) -> None:
    """Lower triangle of X·diag(curve)·Xᵀ, the penalty added; what is written above the diagonal is not read."""
    width = len(x)
    fours = width - width % 4
    for j in range(0, width - 1, 2):
        upto = min((j + 5) // 4 * 4, fours)
        for k in range(0, upto, 4):
            _eight(x, j, k, curve, hessian)
        for k in range(upto, j + 2):
            hessian[j, k], hessian[j + 1, k] = _two(x, j, k, curve)
    if width % 2:
        for k in range(width):
            hessian[width - 1, k] = _weighed(x[width - 1], x[k], curve)
    for j in range(1, width):
        hessian[j, j] += penalty


@compiled
def _eight(x: np.ndarray, j: int, k: int, curve: np.ndarray, hessian: np.ndarray) -> None:
    """Products of two rows with four, in one pass over them."""
    row, below, one, two, three, four = x[j], x[j + 1], x[k], x[k + 1], x[k + 2], x[k + 3]
    a = b = c = d = e = f = g = h = 0.0
    for i in range(len(curve)):
        upper, lower = row[i] * curve[i], below[i] * curve[i]
        a += upper * one[i]
        b += upper * two[i]
        c += upper * three[i]
        d += upper * four[i]
        e += lower * one[i]
        f += lower * two[i]
        g += lower * three[i]
        h += lower * four[i]
    hessian[j, k], hessian[j, k + 1], hessian[j, k + 2], hessian[j, k + 3] = a, b, c, d
    hessian[j + 1, k], hessian[j + 1, k + 1], hessian[j + 1, k + 2], hessian[j + 1, k + 3] = e, f, g, h


@compiled
def _two(x: np.ndarray, j: int, k: int, curve: np.ndarray) -> tuple[float, float]:
    upper = lower = 0.0
    for i in range(len(curve)):
        value = curve[i] * x[k, i]
        upper += x[j, i] * value
        lower += x[j + 1, i] * value
    return upper, lower


@compiled
def _weighed(one: np.ndarray, other: np.ndarray, curve: np.ndarray) -> float:
    total = 0.0
    for i in range(len(curve)):
        total += one[i] * curve[i] * other[i]
    return total


@compiled
def _lift(hessian: np.ndarray) -> None:
    for j in range(len(hessian)):
        hessian[j, j] += RIDGE * hessian[j, j] + 1e-300


@compiled
def _factor(a: np.ndarray, strict: bool) -> bool:
    """The lower triangle's Cholesky factor in its place; whether no pivot is lost to rounding."""
    for j in range(len(a)):
        whole = a[j, j]
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > (1e-12 if strict else 1e-14) * whole:
            return False
        a[j, j] = math.sqrt(a[j, j])
        for i in range(j + 1, len(a)):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    return True


@compiled
def _solve(factor: np.ndarray, b: np.ndarray) -> None:
    """Solve with a Cholesky factor, in place."""
    for j in range(len(b)):
        for k in range(j):
            b[j] -= factor[j, k] * b[k]
        b[j] /= factor[j, j]
    for j in range(len(b) - 1, -1, -1):
        for k in range(j + 1, len(b)):
            b[j] -= factor[k, j] * b[k]
        b[j] /= factor[j, j]

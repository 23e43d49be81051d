"""Likelihoods of weighted labels by linear predictor, their slopes and curvatures, as compiled loops. Importing this
module loads numba."""

from __future__ import annotations

import math

import numpy as np

from trainables.families.closed_form.glm.normal_equations import predict
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp64

LOGISTIC, PROBIT, POISSON = range(3)


@compiled
def first_guess(w: np.ndarray, s: np.ndarray, link: int, own: bool, slope: np.ndarray, curve: np.ndarray) -> None:
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
def likelihood(
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
    predict(x, beta, eta)
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

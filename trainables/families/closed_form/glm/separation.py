"""Labels that have no maximum of the likelihood, and how far a step moves predictors, as compiled loops. Importing this
module loads numba."""

from __future__ import annotations

import numpy as np

from trainables.families.closed_form.glm.likelihoods import POISSON
from trainables.families.closed_form.glm.normal_equations import factor, predict, square
from trainables.runtime.jit import compiled

STRIDE = 1e-3
"""Of what a step adds to a predictor there is a share, or log-odds where it adds more than 1, that counts as none."""


@compiled
def one_class(w: np.ndarray, s: np.ndarray, link: int) -> bool:
    """Whether all labels are alike, so that the constant, which no penalty holds, runs off."""
    return s.sum() <= 0.0 or (link != POISSON and s.sum() >= w.sum() * (1 - 1e-12))


@compiled
def met(w: np.ndarray, s: np.ndarray, link: int, eta: np.ndarray) -> bool:
    """Whether every label is the one that its predictor is for; of counts, whether all are 0."""
    for i in range(len(w)):
        none, every = s[i] <= 0, link != POISSON and s[i] >= w[i] * (1 - 1e-12)
        if w[i] > 0 and not ((none and eta[i] < 0) or (every and eta[i] > 0)):
            return False
    return True


@compiled
def furthest(x: np.ndarray, w: np.ndarray, step: np.ndarray, eta: np.ndarray) -> float:
    """What a step adds to a predictor at most; fills `eta` with what it adds to each."""
    predict(x, step, eta)
    return largest(w, eta)


@compiled
def largest(w: np.ndarray, values: np.ndarray) -> float:
    """Largest magnitude at an input that has weight."""
    largest = 0.0
    for i in range(len(values)):
        largest = max(largest, abs(values[i]) * (w[i] > 0))
    return largest


@compiled
def weighty(w: np.ndarray, curve: np.ndarray, least: float) -> bool:
    """Whether each input's curvature is at least that: a step of squared decrement δ then adds √(δ/least) at most."""
    light = 0
    for i in range(len(curve)):
        light += (w[i] > 0) & (curve[i] < least)
    return light == 0


@compiled
def tells_apart(
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
    slack = STRIDE * min(furthest(x, w, step, eta), 1.0)
    for i in range(len(eta)):
        none, every = s[i] <= 0, link != POISSON and s[i] >= w[i] * (1 - 1e-12)
        moved = abs(eta[i]) > slack
        still[i] = w[i] > 0 and not moved
        if w[i] > 0 and moved and not (every if eta[i] > 0 else none):
            return False
    square(x, still, 0.0, gram)
    return not factor(gram, True)

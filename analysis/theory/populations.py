"""Models that feed each other: the error covariance of a whole population, and the spectral condition for its health.

Where every model averages and takes part a_i of its loss from new real rows of its own,

    e_{n+1} = A (e_n + d_n) + a r_n,        C_{n+1} = A (C_n + D) Aᵀ + R,        C_ij = E⟨e_i, e_j⟩,

with A = diag(1 − a) W, W the graph's shares (row i is what member i takes of whom), D the variance of the batches'
means, independent between members, and R what the real rows bring. C stays bounded exactly if ρ(A) < 1: if real rows
reach every member along the graph. It is the linear case of models that train on one another's output (Vu, Reeves &
Wenger 2025, arXiv 2505.21677); the recursion is derived here from the averages and checked against simulation, not
taken from a paper. `averages` has any policy's, by the same argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from analysis.theory.curve import Curve


def coupling(weights: Sequence[Sequence[float]], real: Sequence[float]) -> np.ndarray:
    """A = diag(1 − a) W, [k, k]: how a generation's errors pass on to the next one's.

    Args:
        weights: W, rows of non-negative shares that add up to 1.
        real: a_i, share of the loss that each member gives to real rows.
    """
    shares: np.ndarray = (1 - np.asarray(real, dtype=float))[:, None] * np.asarray(weights, dtype=float)
    return shares


def spectral_radius(weights: Sequence[Sequence[float]], real: Sequence[float]) -> float:
    """ρ(A): below 1 all members stay bounded, at 1 some member's error grows by a constant each generation.

    It is 1 exactly where some members read one another alone and give real rows nothing.
    """
    return float(np.abs(np.linalg.eigvals(coupling(weights, real))).max())


def replace_covariance(
    weights: Sequence[Sequence[float]], real: Sequence[float], unit: float, generation: int, own: bool = False
) -> np.ndarray:
    """C_n, [k, k], where each member mixes the latest batches with new real rows of its own at a constant share.

    Args:
        weights: W.
        real: a_i; 0 is `replace`. New real rows, independent between members, of the same number as a batch.
        unit: error of one fit on one batch, c = σ²d/(T − d − 1) of least squares, d/N of a Gaussian's mean.
        generation: n.
        own: whether members begin with real rows of their own rather than the same.
    """
    mix, share = coupling(weights, real), np.asarray(real, dtype=float)
    k = len(share)
    covariance: np.ndarray = unit * (np.eye(k) if own else np.ones((k, k)))
    for _ in range(generation - 1):
        covariance = mix @ (covariance + unit * np.eye(k)) @ mix.T + unit * np.diag(share**2)
    return covariance


def replace_limit(weights: Sequence[Sequence[float]], real: Sequence[float], unit: float) -> np.ndarray:
    """lim C_n of `replace_covariance`, the solution of C = A(C + D)Aᵀ + R (discrete Lyapunov equation), [k, k].

    Raises:
        ValueError: ρ(A) = 1, where there is none.
    """
    radius = spectral_radius(weights, real)
    if radius >= 1 - 1e-12:
        raise ValueError(f"real: the spectral radius is {radius:.6g}, not below 1; some members' errors grow for ever")
    mix, share = coupling(weights, real), np.asarray(real, dtype=float)
    k = len(share)
    brought = unit * (mix @ mix.T + np.diag(share**2))
    found: np.ndarray = np.linalg.solve(np.eye(k * k) - np.kron(mix, mix), brought.ravel())
    return found.reshape(k, k)


def by_member(curves: Iterable[Curve], members: int, main: str) -> list[Curve]:
    """Curves of a population from those of its flat history, k values a generation.

    A metric is the mean over members; each member's own `main` metric is named by its number too.
    """
    found: list[Curve] = []
    for curve in curves:
        if curve.metric == "disagreement":  # one a generation already
            found.append(curve)
            continue
        whole = len(curve.values) // members * members
        table = np.reshape(curve.values[:whole], (-1, members))
        found.append(Curve(curve.metric, tuple(table.mean(axis=1).tolist()), curve.source))
        if curve.metric == main == "test_loss":
            found += [
                Curve(f"{main}_{number}", tuple(column.tolist()), curve.source)
                for number, column in enumerate(table.T, 1)
            ]
    return found

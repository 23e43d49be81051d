"""Closed-form families beside the loop a user would write: per recursion, the same figures at every generation.

The product runs many replicates at once, the peer one recursion after the other; both are given per recursion.
Everything accumulates, so the peer's pool grows as it does in the literature's own code. A thousand replicates, where
they fit into a minute: a recursion of wide regressions or of kernel estimates costs as much among 100 as among 1,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness import Ratio, seconds
from trainables import Cell, run

GENERATIONS = 100
ROUNDS = 3
TURNS = 15
"""Of what takes a tenth of a second."""

FEATURES = {"kind": "random_features", "dim": 50, "width": 25, "features": "shared"}
LOGISTIC = {"kind": "glm", "source": {"kind": "simulated", "dim": 10}}


def claims() -> list[Ratio]:
    """Everything that is claimed of the closed-form families."""
    wide, narrow = {"kind": "linear", "dim": 100}, {"kind": "linear", "dim": 10}
    return [
        _claim(wide, 1000, 100, _least_squares_again, "numpy lstsq on the pool", 500, rounds=1),
        _claim(wide, 1000, 100, _normal_again, "numpy, pooled normal equations", 500),
        _claim(narrow, 1000, 1000, _least_squares_again, "numpy lstsq on the pool", 500),
        _claim(narrow, 100, 1000, _least_squares_again, "numpy lstsq on the pool", 500),
        _claim({"kind": "gaussian", "dim": 10}, 1000, 1000, _moments_again, "numpy, pooled mean and covariance", 100),
        _claim({"kind": "discrete"}, 10_000, 1000, _count_again, "numpy, pooled rows counted", 100),
        _claim({"kind": "discrete"}, 10_000, 1000, _multinomial_again, "numpy, multinomial and running counts", 1),
        _claim({"kind": "kde"}, 200, 200, _density_again, "scikit-learn KernelDensity", 20, rounds=1),
        _claim(wide, 1000, 1, _normal_again, "numpy, pooled normal equations", 20),
        _claim(
            LOGISTIC, 300, 1000, _logistic_again, "scikit-learn LogisticRegression on the pool", 100, generations=50
        ),
        _claim(FEATURES, 300, 200, _ridge_again, "scikit-learn Ridge on the pool's features", 20, generations=50),
        *(_members(replicates) for replicates in (100, 1000)),
    ]


def _members(replicates: int) -> Ratio:
    """Three linear models in a ring beside one, in processor time: a ratio of 1 is four times one."""
    fields = {"family": {"kind": "linear", "dim": 10}, "policy": {"kind": "accumulate"}, "rows": 100}
    one = Cell.model_validate(fields | {"generations": 20, "replicates": replicates})
    ring = Cell.model_validate(one.model_dump() | {"population": {"models": 3, "graph": "ring"}})
    for cell in (one, ring):
        list(run(cell.model_copy(update={"generations": 2})))
    turns = [(_processor(ring), 4 * _processor(one)) for _ in range(TURNS)]
    return Ratio(
        "population of three linear models in a ring, dim 10, 100 rows, 20 generations",
        "four times one model",
        1.0,
        tuple(three for three, _ in turns),
        tuple(four for _, four in turns),
        f"replicates at once: {replicates}",
        "CPU s",
    )


def _processor(cell: Cell) -> float:
    started = time.process_time()
    list(run(cell))
    return time.process_time() - started


def _claim(
    family: dict[str, Any],
    rows: int,
    replicates: int,
    peer: Callable[[Cell], object],
    name: str,
    target: float,
    rounds: int = ROUNDS,
    generations: int = GENERATIONS,
) -> Ratio:
    """One family under `accumulate`, product and peer in turn."""
    cell = Cell.model_validate(
        {
            "family": family,
            "policy": {"kind": "accumulate"},
            "rows": rows,
            "generations": generations,
            "replicates": replicates,
        }
    )
    for once in (lambda short: list(run(short)), peer):  # imports are not what is measured
        once(cell.model_copy(update={"replicates": 1, "generations": 1}))
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(lambda: list(run(cell))) / replicates)
        theirs.append(seconds(lambda: peer(cell)))
    work = f"{cell.family.kind} {cell.family.size_label()}, {rows} rows, {generations} generations, per recursion"
    return Ratio(work, name, target, tuple(ours), tuple(theirs), f"replicates at once: {replicates}")


def _least_squares_again(cell: Cell) -> list[float]:
    """Pooled least squares, solved from all rows each generation."""
    return _regress_again(cell, lambda x, y: np.linalg.lstsq(x, y, rcond=None)[0])


def _normal_again(cell: Cell) -> list[float]:
    """The same by normal equations, the fastest way that numpy has."""
    return _regress_again(cell, lambda x, y: np.linalg.solve(x.T @ x, x.T @ y))


def _regress_again(cell: Cell, solve: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> list[float]:
    rng = np.random.default_rng(0)
    dim = cell.family.cost(cell.rows).parameters
    x = rng.standard_normal((cell.rows, dim))
    pool_x, pool_y = np.tile(x, (cell.generations, 1)), np.empty(cell.generations * cell.rows)
    weights, losses = np.zeros(dim), []
    for n in range(cell.generations):
        here = slice(n * cell.rows, (n + 1) * cell.rows)
        pool_y[here] = x @ weights + rng.standard_normal(cell.rows)
        weights = solve(pool_x[: here.stop], pool_y[: here.stop])
        losses.append(float(weights @ weights))
    return losses


def _moments_again(cell: Cell) -> list[tuple[float, float, float]]:
    """Mean and covariance of all rows each generation; loss, trace and squared error of the mean."""
    rng = np.random.default_rng(0)
    dim = 10
    pool = np.empty((cell.generations * cell.rows, dim))
    mean, cov, figures = np.zeros(dim), np.eye(dim), []
    for n in range(cell.generations):
        pool[n * cell.rows : (n + 1) * cell.rows] = rng.multivariate_normal(mean, cov, cell.rows)
        seen = pool[: (n + 1) * cell.rows]
        mean, cov = seen.mean(axis=0), np.cov(seen.T, bias=True)
        inverse = np.linalg.inv(cov)
        loss = 0.5 * (np.trace(inverse) + mean @ inverse @ mean - dim + np.linalg.slogdet(cov)[1])
        figures.append((float(loss), float(np.trace(cov)), float(mean @ mean)))
    return figures


def _count_again(cell: Cell) -> list[tuple[float, float, int]]:
    """Frequencies of all rows each generation; loss, diversity and survivors."""
    rng = np.random.default_rng(0)
    categories = cell.family.cost(cell.rows).parameters
    truth = 1 / np.arange(1, categories + 1)
    truth /= truth.sum()
    pool = np.empty(cell.generations * cell.rows, dtype=int)
    frequencies, figures = truth, []
    for n in range(cell.generations):
        pool[n * cell.rows : (n + 1) * cell.rows] = rng.choice(categories, cell.rows, p=frequencies)
        frequencies = np.bincount(pool[: (n + 1) * cell.rows], minlength=categories) / ((n + 1) * cell.rows)
        figures.append(_diversity(frequencies, truth))
    return figures


def _multinomial_again(cell: Cell) -> list[tuple[float, float, int]]:
    """The same by counts alone, as whoever sees that rows are not needed would write it."""
    rng = np.random.default_rng(0)
    truth = 1 / np.arange(1, cell.family.cost(cell.rows).parameters + 1)
    truth /= truth.sum()
    counts, frequencies, figures = np.zeros(len(truth), dtype=int), truth, []
    for n in range(cell.generations):
        counts += rng.multinomial(cell.rows, frequencies)
        frequencies = counts / ((n + 1) * cell.rows)
        figures.append(_diversity(frequencies, truth))
    return figures


def _diversity(frequencies: np.ndarray, truth: np.ndarray) -> tuple[float, float, int]:
    loss = ((frequencies - truth) ** 2).sum()
    return float(loss), float(1 - (frequencies**2).sum()), int((frequencies > 0).sum())


def _density_again(cell: Cell) -> list[tuple[float, float]]:
    """A kernel estimate of all rows each generation; held-out log-likelihood and trace."""
    from sklearn.datasets import make_moons
    from sklearn.neighbors import KernelDensity

    held, _ = make_moons(500, noise=0.1, random_state=1)
    pool, _ = make_moons(cell.rows, noise=0.1, random_state=0)
    figures = []
    for n in range(cell.generations):
        model = KernelDensity(bandwidth=0.1).fit(pool)
        figures.append((model.score(held) / len(held), float(np.trace(np.cov(pool.T)))))
        pool = np.concatenate([pool, model.sample(cell.rows, random_state=n)])
    return figures


def _ridge_again(cell: Cell) -> list[tuple[float, float]]:
    """Ridge on random features of all rows each generation, inputs drawn anew; excess risk and norm of the fit."""
    from sklearn.linear_model import Ridge

    family: Any = cell.family
    rng, dim, rows = np.random.default_rng(0), family.dim, cell.rows
    root, truth = np.sqrt(family.spectrum), np.sqrt(family.energy / family.spectrum) * rng.choice((-1, 1), dim)
    project = rng.standard_normal((dim, family.width)) / np.sqrt(family.width)
    pool_x, pool_y = np.empty((cell.generations * rows, family.width)), np.empty(cell.generations * rows)
    weights, figures = truth, []
    for n in range(cell.generations):
        here, x = slice(n * rows, (n + 1) * rows), rng.standard_normal((rows, dim)) * root
        pool_x[here], pool_y[here] = x @ project, x @ weights + family.noise * rng.standard_normal(rows)
        fit = Ridge(alpha=family.penalty * here.stop, fit_intercept=False).fit(pool_x[: here.stop], pool_y[: here.stop])
        weights = project @ fit.coef_
        error = (weights - truth) * root
        figures.append((float(error @ error), float(np.linalg.norm(weights * root))))
    return figures


def _logistic_again(cell: Cell) -> list[tuple[float, float, float, float]]:
    """Logistic regression of all rows each generation, as users write it; held-out divergence, accuracy, calibration
    error and squared error of the coefficients."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    dim, rows = cell.family.cost(cell.rows).parameters - 1, cell.rows
    x, held, truth = rng.standard_normal((rows, dim)), rng.standard_normal((200, dim)), rng.standard_normal(dim)
    truth /= np.linalg.norm(truth)
    pool_x, pool_y = np.tile(x, (cell.generations, 1)), np.empty(cell.generations * rows)
    chances, p, figures = 1 / (1 + np.exp(-x @ truth)), 1 / (1 + np.exp(-held @ truth)), []
    for n in range(cell.generations):
        pool_y[n * rows : (n + 1) * rows] = rng.random(rows) < chances
        model = LogisticRegression(C=np.inf).fit(pool_x[: (n + 1) * rows], pool_y[: (n + 1) * rows])
        chances, q = model.predict_proba(x)[:, 1], model.predict_proba(held)[:, 1]
        gaps = np.bincount((q * 10).astype(int).clip(max=9), p - q, 10)
        loss = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
        error = ((model.coef_ - truth) ** 2).sum() + model.intercept_[0] ** 2
        figures.append((float(loss), float(np.where(q > 0.5, p, 1 - p).mean()), float(abs(gaps).sum() / 200), error))
    return figures

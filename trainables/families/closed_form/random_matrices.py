"""Random matrices in factored form, so that statistics and the rows behind them are drawn apart, yet jointly exact.

A Gaussian sample is its sufficient statistics and, independent of them, a uniformly random frame (Muirhead 1982,
"Aspects of multivariate statistical theory", theorems 2.1.13 and 3.2.14). Statistics cost nothing per row.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 19
"""Numbers that are drawn at a time for rows on demand."""


def wishart_root(rng: np.random.Generator, replicates: int, dim: int, df: int) -> np.ndarray:
    """A factor B of Wishart matrices, B·Bᵀ ~ W_dim(df, I), lower triangular, [replicates, dim, min(dim, df)].

    Bartlett 1933; singular Wishart matrices (df < dim) have the trapezoidal factor.
    """
    rank = min(dim, df)
    root: np.ndarray = np.tril(rng.standard_normal((replicates, dim, rank)), -1)
    diagonal = np.arange(rank)
    root[:, diagonal, diagonal] = np.sqrt(rng.chisquare(df - diagonal, (replicates, rank)))
    return root


def frame(rng: np.random.Generator, replicates: int, rows: int, rank: int, *, centred: bool = False) -> np.ndarray:
    """Uniformly random orthonormal columns, [replicates, rows, rank]; `centred` ones are orthogonal to 1."""
    normal = rng.standard_normal((replicates, rows, rank))
    if centred:
        normal -= normal.mean(axis=1, keepdims=True)
    columns, upper = np.linalg.qr(normal)
    signs = np.sign(np.diagonal(upper, axis1=1, axis2=2))
    framed: np.ndarray = columns * signs[:, None, :]
    return framed


def blocks(replicates: int, width: int) -> Iterator[slice]:
    """Slices of the replicates, of about `BLOCK` numbers where a replicate has `width`.

    Streams of rows are named by slice, so all batches of a cell must be cut alike: `width` is the cell's, not
    a batch's.
    """
    step = max(BLOCK // width, 1)
    for start in range(0, replicates, step):
        yield slice(start, min(start + step, replicates))

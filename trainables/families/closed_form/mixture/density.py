"""Log-densities of mixtures of two Gaussians, many replicates side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trainables.families.base import Diverged


def log_parts(model: Mapping[str, np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """Log of each component's share times its density, of rows [1 or replicates, rows, dim]; [replicates, rows] each.

    Raises:
        Diverged: a covariance is not finite.
    """
    dim = rows.shape[2]
    if not np.isfinite(model["covariances"]).all():
        raise Diverged("the model's covariance is not finite")
    roots, parts = np.linalg.cholesky(model["covariances"]), []
    for k in (0, 1):
        white = (rows - model["means"][:, k, None]) @ np.linalg.inv(roots[:, k]).swapaxes(1, 2)
        half = np.log(np.diagonal(roots[:, k], axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(model["shares"][:, k]) - half - 0.5 * dim * np.log(2 * np.pi)
        parts.append(constant[:, None] - 0.5 * (white**2).sum(axis=2))
    return parts


def log_density(model: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Of rows [1 or replicates, rows, dim] under mixtures; [replicates, rows]."""
    density: np.ndarray = np.logaddexp(*log_parts(model, rows))
    return density

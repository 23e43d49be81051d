"""Which candidates a selection keeps, from their scores alone, and what scores must be."""

from __future__ import annotations

import numpy as np

from trainables.families.base import Diverged
from trainables.policies.base import Selection


def check_scores(judge: str, scores: np.ndarray, rows: int, replicates: int) -> np.ndarray:
    """The scores, if they can rank rows (and, a detector's, be odds).

    Raises:
        Diverged: a score is not a number, or a detector's are no odds.
        ValueError: not one score a row; a fault of the family.
    """
    shape = (rows,) if replicates == 1 else (replicates, rows)
    if scores.shape not in (shape, (replicates, rows)):
        raise ValueError(f"{judge} scores of shape {scores.shape} for rows of shape {shape}")
    if np.isnan(scores).any():
        raise Diverged(f"{np.isnan(scores).sum()} scores of the {judge} judge are not numbers")
    odds = np.isfinite(scores).all() and (scores >= 0).all() and (scores.max(axis=-1) > 0).all()
    if judge == "detector" and not odds:
        raise Diverged("a detector's scores must be finite, not negative, and not all 0")
    return scores


def choose(selection: Selection, scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rows to keep, in the order they were sampled.

    Args:
        selection: the rule.
        scores: of the candidates, higher is better, [rows] or [replicates, rows].
        rng: for the Bradley–Terry choice of `best_of`.

    Returns:
        Row numbers, [keep] or [replicates, keep].

    Raises:
        ValueError: fewer candidates than rows to keep.
    """
    rows = scores.shape[-1]
    if rows < selection.keep * selection.of:
        raise ValueError(f"{rows} candidates for {selection.keep} rows, each the best of {selection.of}")
    if selection.rule == "top":
        best = np.argsort(-scores, axis=-1, kind="stable")[..., : selection.keep]
        return np.sort(best, axis=-1)
    grouped = scores[..., : selection.keep * selection.of].reshape(*scores.shape[:-1], selection.keep, selection.of)
    noise = rng.gumbel(size=grouped.shape)
    winner: np.ndarray = (grouped / selection.temperature + noise).argmax(axis=-1)
    winner += np.arange(selection.keep) * selection.of
    return winner

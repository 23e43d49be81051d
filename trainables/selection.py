"""Which candidates a selection keeps, from their scores alone."""

from __future__ import annotations

import numpy as np

from trainables.policies.base import Selection


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
    winner = (grouped / selection.temperature + noise).argmax(axis=-1)
    return np.arange(selection.keep) * selection.of + winner

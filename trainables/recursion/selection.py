"""Which candidates a selection keeps, from their scores alone, and what scores must be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainables.families.base import Diverged
from trainables.policies import Selection


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


def bar(selection: Selection, real: np.ndarray) -> np.ndarray:
    """The score that `accept` asks for, [1] or [replicates, 1], from the scores of real rows."""
    found: np.ndarray = np.quantile(real, selection.level, axis=-1, method="lower", keepdims=True)
    return found


def choose(
    selection: Selection, scores: np.ndarray, rng: np.random.Generator, least: np.ndarray | float = -np.inf
) -> np.ndarray:
    """Rows to keep, in the order they were sampled.

    Args:
        selection: the rule.
        scores: of the candidates, higher is better, [rows] or [replicates, rows].
        rng: for the Bradley–Terry choice of `best_of`.
        least: for `accept`, the score to reach, [1] or [replicates, 1] (see `bar`).

    Returns:
        Row numbers, [keep] or [replicates, keep].

    Raises:
        ValueError: fewer candidates than rows to keep.
    """
    rows = scores.shape[-1]
    if rows < selection.keep * selection.of:
        raise ValueError(f"{rows} candidates for {selection.keep} rows, each the best of {selection.of}")
    if selection.rule == "accept":
        ranks = np.argsort(np.argsort(-scores, axis=-1, kind="stable"), axis=-1)
        turn = np.where(scores >= least, np.arange(rows) - rows, ranks)
        return np.sort(np.argsort(turn, axis=-1, kind="stable")[..., : selection.keep], axis=-1)
    if selection.rule in ("top", "bottom"):
        worth = scores if selection.rule == "top" else -scores
        best = np.argsort(-worth, axis=-1, kind="stable")[..., : selection.keep]
        return np.sort(best, axis=-1)
    grouped = scores[..., : selection.keep * selection.of].reshape(*scores.shape[:-1], selection.keep, selection.of)
    noise = rng.gumbel(size=grouped.shape)
    winner: np.ndarray = (grouped / selection.temperature + noise).argmax(axis=-1)
    winner += np.arange(selection.keep) * selection.of
    return winner


def verdicts(selection: Selection, scores: np.ndarray, index: np.ndarray, least: np.ndarray | float) -> dict[str, Any]:
    """The audit of a choice, means over replicates.

    Returns:
        `rejected`, candidates turned down by reason; for `accept` also `below_bar`, rows kept below the
        score asked for, since too few reached it.
    """
    reason, turned_down = f"{selection.rule}_{selection.judge}", scores.shape[-1] - index.shape[-1]
    if selection.rule != "accept":
        return {"rejected": {reason: turned_down}}
    failed = float((scores < least).sum(axis=-1).mean())
    below = float((np.take_along_axis(scores, index, axis=-1) < least).sum(axis=-1).mean())
    return {"below_bar": below, "rejected": {reason: failed - below, "surplus": turned_down - failed + below}}


def moved(batches: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """How far rows were corrected, a mean over batches; nothing where none was."""
    found = [meta["moved"] for meta in batches if "moved" in meta]
    return {"moved": sum(found) / len(found)} if found else {}

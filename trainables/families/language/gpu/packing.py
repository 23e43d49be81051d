"""Documents of an update side by side in lines of `context` places, so that every update has one shape.

A line holds documents one after another and then padding; a document never crosses lines. Letters in array names:
U updates, B documents of an update, L lines, T places of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trainables.families.language.objective import Loss
    from trainables.families.language.token_rows import Rows, RowsView

STEPS = 16
"""Lines come in steps of a sixteenth of an update's documents: few shapes, little padding."""


@dataclass(frozen=True)
class Documents:
    """Rows of a pool, by where they lie in all its pieces' tokens put one after another.

    Attributes:
        pieces: the pieces' own tokens, not copied.
        first: of each row's first token, [rows].
        lengths: tokens of each row, [rows].
        counted: tokens of each row before the first that counts in the loss, [rows].
        weights: of each row in the loss, [rows].
    """

    pieces: Sequence[np.ndarray]
    first: np.ndarray
    lengths: np.ndarray
    counted: np.ndarray
    weights: np.ndarray

    @property
    def tokens(self) -> int:
        """Of all pieces."""
        return sum(len(piece) for piece in self.pieces)


def documents(pool: RowsView, loss: Loss) -> Documents:
    """The rows of a pool, where `loss` counts."""
    ends = np.cumsum([0, *(len(piece.tokens) for piece in pool.pieces)])
    parts = zip(pool.pieces, ends[:-1], strict=True)
    first = np.concatenate([piece.starts[:-1] + begin for piece, begin in parts])
    lengths = np.concatenate([piece.lengths for piece in pool.pieces])
    skipped = np.concatenate([_skipped(piece, loss) for piece in pool.pieces])
    if pool.index is not None:
        first, lengths, skipped = first[pool.index], lengths[pool.index], skipped[pool.index]
    weights = np.ones(len(first), np.float32) if pool.weights is None else pool.weights.astype(np.float32)
    return Documents([piece.tokens for piece in pool.pieces], first, lengths, skipped, weights)


def _skipped(rows: Rows, loss: Loss) -> np.ndarray:
    if loss.on == "last":
        early: np.ndarray = np.maximum(rows.lengths - (loss.tokens or 0), 0)
        return early
    return rows.given if loss.on == "response" else np.zeros(rows.rows, np.int64)


@dataclass(frozen=True)
class Plan:
    """What some updates read, one after another.

    Attributes:
        first: where each document's tokens begin in the pool, [U, B], in the order of `slots`.
        lengths: its tokens, [U, B].
        slots: the place of its first token among L · T, ascending, [U, B].
        counted: its tokens before the first that counts, [U, B].
        share: of each of its counted tokens in the update's loss, [U, B].
        lines: that the updates need at most.
    """

    first: np.ndarray
    lengths: np.ndarray
    slots: np.ndarray
    counted: np.ndarray
    share: np.ndarray
    lines: int


def plan(rows: Documents, index_UB: np.ndarray, context: int) -> Plan:
    """The updates whose documents are `index_UB`, packed into lines of `context` places.

    A token's share is what the padded batch gives it: its document's weight over all tokens that count in the update.
    """
    lengths_UB = rows.lengths[index_UB]
    slots_UB, lines = packed(lengths_UB, context)
    order_UB = np.argsort(slots_UB, axis=1, kind="stable")
    index_UB = np.take_along_axis(index_UB, order_UB, axis=1)
    lengths_UB = rows.lengths[index_UB]
    counted_UB = rows.counted[index_UB]
    total_U1 = np.maximum((lengths_UB - counted_UB).sum(axis=1, keepdims=True), 1)
    share_UB = (rows.weights[index_UB] / total_U1).astype(np.float32)
    slots_UB = np.take_along_axis(slots_UB, order_UB, axis=1)
    return Plan(rows.first[index_UB], lengths_UB, slots_UB, counted_UB, share_UB, lines)


def packed(lengths_UB: np.ndarray, context: int) -> tuple[np.ndarray, int]:
    """Places of documents in lines, longest first into the first line with room, and the lines needed at most.

    First-fit decreasing (Johnson 1973), all updates at once: at most 11/9 of the fewest lines, and 6/9 of one.
    """
    lengths_UB = np.maximum(lengths_UB, 1)  # no two documents begin at one place
    updates, count = lengths_UB.shape
    order_UB = np.argsort(-lengths_UB, axis=1, kind="stable")
    room_UL = np.full((updates, count), context)
    slots_UB = np.empty_like(lengths_UB)
    each = np.arange(updates)
    for place in range(count):
        document_U = order_UB[:, place]
        length_U = lengths_UB[each, document_U]
        line_U = (room_UL >= length_U[:, None]).argmax(axis=1)
        slots_UB[each, document_U] = line_U * context + context - room_UL[each, line_U]
        room_UL[each, line_U] -= length_U
    return slots_UB, int((room_UL < context).sum(axis=1).max())


def rounded(lines: int, batch: int) -> int:
    """Lines of an update's shape, so that few shapes serve all."""
    step = max(-(-batch // STEPS), 1)
    return min(-(-lines // step) * step, batch)


def segments(plan: Plan, lines: int, context: int) -> np.ndarray:
    """Where documents and each line's padding begin, and the end of all, [U, B + L + 1], ascending.

    The form that attention over sequences of different lengths reads; padding may be of length 0.
    """
    ends_UB = plan.slots + plan.lengths
    padding_UL = np.broadcast_to(np.arange(lines) * context, (len(ends_UB), lines)).copy()
    np.maximum.at(padding_UL, (np.arange(len(ends_UB))[:, None], plan.slots // context), ends_UB)
    last_U1 = np.full((len(ends_UB), 1), lines * context)
    return np.sort(np.concatenate([plan.slots, padding_UL, last_U1], axis=1), axis=1)

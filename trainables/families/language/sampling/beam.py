"""Beam search as `generate` of transformers does it, by any decoder: no length penalty but the mean, no early stop.

Letters in tensor names: B rows, K beams, V vocabulary, T places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainables.families.base import Diverged

if TYPE_CHECKING:
    from trainables.families.language.sampling.decoder import Decoder

NEVER = -1e9
"""The score of a beam that is none: less than any other's."""


@dataclass
class Beams:
    """Beams of rows: those that grow, and the best that have ended.

    Attributes:
        running_BKT, scores_BK: tokens and summed log chances of those that grow, best first.
        ended_BKT, means_BK: tokens and mean log chances of those that have ended, best first.
        full_BK: which of the ended are any.
        open_B1: whether what grows may still better what has ended.
    """

    running_BKT: Tensor
    scores_BK: Tensor
    ended_BKT: Tensor
    means_BK: Tensor
    full_BK: Tensor
    open_B1: Tensor

    @classmethod
    def begin(cls, rows: int, beams: int, length: int, fill: int, device: torch.device) -> Beams:
        """One beam a row: the others would be its equals."""
        tokens = torch.full((rows, beams, length), fill, device=device)
        scores = torch.zeros(rows, beams, device=device)
        scores[:, 1:] = NEVER
        means = torch.full((rows, beams), NEVER, device=device)
        full = torch.zeros(rows, beams, dtype=torch.bool, device=device)
        return cls(tokens, scores, tokens.clone(), means, full, torch.ones_like(full[:, :1]))


def search(
    grown: Decoder, start: int, eos: int | None, beams: int, given_BT: Tensor, inside_BT: Tensor, length: int
) -> Tensor:
    """The best row of each prompt, [B, T].

    Args:
        grown: gives logits.
        start: the token that is read before a row.
        eos: ends a row; None lets every row have `length` tokens.
        beams: K.
        given_BT: what rows begin with, at most `length` places.
        inside_BT: which of these places are given.
        length: T.

    Raises:
        Diverged: the model's probabilities are not finite.
    """
    rows, given = given_BT.shape
    own_BK = torch.arange(beams, device=given_BT.device).expand(rows, beams)
    first_B1 = torch.arange(rows, device=given_BT.device)[:, None] * beams
    state = Beams.begin(rows, beams, length, start if eos is None else eos, given_BT.device)
    lengths_B1 = inside_BT.sum(dim=1, keepdim=True)
    latest = torch.full((rows * beams,), start, device=given_BT.device)
    checks = torch.zeros((), device=given_BT.device)
    grown.begin(rows * beams)
    for place in range(length):
        logs_BKV = grown.step(latest, place).float().log_softmax(dim=-1).view(rows, beams, -1)
        checks += logs_BKV.max(dim=-1).values.sum()
        forced_B1 = place < lengths_B1
        from_BK = _grow(state, logs_BKV, place, eos, lengths_B1, forced_B1)
        if place < given:
            state.running_BKT[:, :, place] = torch.where(
                forced_B1, given_BT[:, place, None], state.running_BKT[:, :, place]
            )
        from_BK = torch.where(forced_B1, own_BK, from_BK)
        latest = state.running_BKT[:, :, place].flatten()
        if not bool(state.open_B1.any()):
            break
        if place + 1 < length:
            grown.keep((first_B1 + from_BK).flatten())
    if not math.isfinite(float(checks)):
        raise Diverged("sampling: the model's probabilities are not finite")
    return state.ended_BKT[:, 0]


def _grow(state: Beams, logs_BKV: Tensor, place: int, eos: int | None, lengths_B1: Tensor, forced_B1: Tensor) -> Tensor:
    """Put the best tokens at a place, where none is given; which beam each goes on from, [B, K]."""
    beams, vocabulary = logs_BKV.shape[1:]
    top, found = (logs_BKV + state.scores_BK[:, :, None]).flatten(1).topk(2 * beams)
    from_BJ, tokens_BJ = found // vocabulary, found % vocabulary
    grown_BJT = _rows_at(state.running_BKT, from_BJ)
    grown_BJT[:, :, place] = tokens_BJ
    last = place + 1 == state.running_BKT.shape[2]
    ends_BJ = torch.full_like(found, last, dtype=torch.bool) if eos is None or last else tokens_BJ == eos
    scores_BK, kept_BK = (top + ends_BJ * NEVER).topk(beams)
    drawn_B1 = (place + 1 - lengths_B1).clamp_min(1)
    means_BJ = top / drawn_B1 + (~state.open_B1) * NEVER
    counts_BJ = ends_BJ & (torch.arange(2 * beams, device=top.device) < beams)
    means_BM = torch.cat([state.means_BK, means_BJ + (~counts_BJ) * NEVER], dim=1)
    means_BK, best_BK = means_BM.topk(beams)
    ended_BKT = _rows_at(torch.cat([state.ended_BKT, grown_BJT], dim=1), best_BK)
    full_BK = torch.cat([state.full_BK, counts_BJ], dim=1).gather(1, best_BK)
    worst_BK = torch.where(full_BK, means_BK.min(dim=1, keepdim=True).values, NEVER)
    open_B1 = state.open_B1 & (scores_BK[:, :1] / drawn_B1 > worst_BK).any(dim=1, keepdim=True)
    whole_B11 = forced_B1[:, :, None]
    state.running_BKT = torch.where(whole_B11, state.running_BKT, _rows_at(grown_BJT, kept_BK))
    state.ended_BKT = torch.where(whole_B11, state.ended_BKT, ended_BKT)
    state.scores_BK = torch.where(forced_B1, state.scores_BK, scores_BK)
    state.means_BK = torch.where(forced_B1, state.means_BK, means_BK)
    state.full_BK = torch.where(forced_B1, state.full_BK, full_BK)
    state.open_B1 = torch.where(forced_B1, state.open_B1, open_B1)
    return from_BJ.gather(1, kept_BK)


def _rows_at(rows_BJT: Tensor, index_BK: Tensor) -> Tensor:
    """Rows of each beam at the index, copied."""
    return rows_BJT.gather(1, index_BK[:, :, None].expand(-1, -1, rows_BJT.shape[2]))

"""What of a row's tokens counts, and how much: plain config; `loss.py` computes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from trainables.config import Config


class Loss(Config):
    """What of a row's tokens counts, and how much.

    Attributes:
        kind: `cross_entropy`, or `truncated`, which leaves out the tokens that the model is already sure of: those
            whose probability exceeds `above` (ForTIFAI, arXiv 2509.08972). Fits alone are truncated, records never.
        above: of `truncated`.
        on: `row`, all tokens; `last`, the last `tokens` of each row (Drayson et al. 2025: 256 of 512); `response`, what
            follows the prompt in a source of pairs. Records and judges count the same ones.
        tokens: of `last`.
    """

    kind: Literal["cross_entropy", "truncated"] = "cross_entropy"
    above: float | None = Field(default=None, gt=0, lt=1)
    on: Literal["row", "last", "response"] = "row"
    tokens: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Loss:
        if (self.kind == "truncated") != (self.above is not None):
            raise ValueError("above: goes with `kind: truncated`, as in {kind: truncated, above: 0.9}")
        if (self.on == "last") != (self.tokens is not None):
            raise ValueError("tokens: goes with `on: last`, as in {on: last, tokens: 256}")
        return self


PLAIN = Loss()

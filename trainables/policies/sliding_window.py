"""`sliding_window`: the pool forgets: only its last batches are kept."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class SlidingWindow(NamedPolicy):
    """D_n = the last W batches of the pool, batch 0 among them while n ≤ W.

    W = 1 is `replace`; W ≥ n is `accumulate`. No paper studies it by this name.
    """

    kind: Literal["sliding_window"] = "sliding_window"
    color: ClassVar[Color] = "teal"
    window: int = Field(default=2, ge=1, description="W, batches kept")

    def parts(self) -> Compose:
        """The pool's last W batches."""
        return Compose(corpus=(Share(source="pool", window=self.window),))

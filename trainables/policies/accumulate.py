"""`accumulate`: synthetic batches are added to the real data, nothing is ever dropped."""

from __future__ import annotations

from typing import ClassVar, Literal

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class Accumulate(NamedPolicy):
    """D_n = D₀ ∪ S₁ ∪ … ∪ S_{n−1} (Gerstgrasser et al. 2024, arXiv 2404.01413)."""

    kind: Literal["accumulate"] = "accumulate"
    color: ClassVar[Color] = "blue"

    def parts(self) -> Compose:
        """n·N rows: the whole pool."""
        return Compose(corpus=(Share(source="pool"),))

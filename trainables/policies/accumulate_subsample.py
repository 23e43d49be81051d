"""`accumulate_subsample`: the pool accumulates, but each corpus is a subsample of constant size."""

from __future__ import annotations

from typing import ClassVar, Literal

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class AccumulateSubsample(NamedPolicy):
    """D_n = N rows without replacement from D₀ ∪ S₁ ∪ … ∪ S_{n−1} (Kazdan et al. 2024, arXiv 2410.16713)."""

    kind: Literal["accumulate_subsample"] = "accumulate_subsample"
    color: ClassVar[Color] = "green"

    def parts(self) -> Compose:
        """N of the pool's n·N rows, drawn anew each generation."""
        return Compose(corpus=(Share(source="pool", how="subsample", times=1),))

"""`ratio_mix`: real and synthetic rows in a fixed ratio, at constant size."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class RatioMix(NamedPolicy):
    """D_n = (1 − r)·N real rows ∪ r·N of the latest model.

    The synthetic ratio of Kovač et al. 2025 (arXiv 2504.03814). r = 1 is `replace`; r = 0 never sees a
    synthetic row. The real rows are the first ones of batch 0, or new ones each generation (`fresh`).
    """

    kind: Literal["ratio_mix"] = "ratio_mix"
    color: ClassVar[Color] = "purple"
    ratio: float = Field(default=0.5, ge=0, le=1, description="r, the synthetic share of the rows")
    fresh: bool = Field(default=False, description="take new real rows each generation, from the reserve")

    def parts(self) -> Compose:
        """Real rows first; the latest model fills up to N."""
        real = Share(source="fresh" if self.fresh else "real", times=1 - self.ratio)
        return Compose(corpus=(real, Share(source="latest", fill=1)))

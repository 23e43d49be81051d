"""`decaying_real`: the real share of a corpus of constant size falls to nothing on a schedule."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share, ShareOf


class DecayingReal(NamedPolicy):
    """D_n = α_n·N real rows ∪ (1 − α_n)·N of the latest model, α_1 = 1, α_n → 0.

    `power`: α_n = n^−rate. `exponential`: α_n = e^(−rate·(n−1)). How slowly the real share may vanish before
    error grows is the question of the theory of vanishing real data; the limits on either side are `replace`
    and a fixed `ratio_mix`.
    """

    kind: Literal["decaying_real"] = "decaying_real"
    color: ClassVar[Color] = "blue"
    schedule: Literal["power", "exponential"] = "power"
    rate: float = Field(default=1.0, gt=0, le=100, description="how fast α falls")
    fresh: bool = Field(default=False, description="take new real rows each generation, from the reserve")

    def parts(self) -> Compose:
        """Real rows by the schedule; the latest model fills up to N."""
        source: ShareOf = "fresh" if self.fresh else "real"
        if self.schedule == "power":
            real = Share(source=source, times=1, power=-self.rate)
        else:
            real = Share(source=source, times=1, decay=math.exp(-self.rate))
        return Compose(corpus=(real, Share(source="latest", fill=1)))

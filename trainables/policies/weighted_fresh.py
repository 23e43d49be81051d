"""`weighted_fresh`: fresh real rows and the latest synthetic batch, with a chosen share of the loss each."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class WeightedFresh(NamedPolicy):
    """D_n as in `fresh_mix`; the loss is w · (mean over real rows) + (1 − w) · (mean over synthetic rows).

    He et al. 2025 ("Golden ratio weighting prevents model collapse", arXiv 2502.18049). Without a weight it
    is their best one, (√(k² + 4k) − k) / 2 with k = n_r/n_s: 0.618 where the sizes are equal.
    """

    kind: Literal["weighted_fresh"] = "weighted_fresh"
    color: ClassVar[Color] = "teal"
    weight: float | None = Field(default=None, gt=0, lt=1, description="w, the real rows' share of the loss")
    real: float = Field(default=0.5, gt=0, description="n_r, as a multiple of N, each generation")
    synthetic: float = Field(default=0.5, gt=0, description="n_s, as a multiple of N")

    def parts(self) -> Compose:
        """n_r rows of the reserve with weight w in all, n_s of the latest model with 1 − w."""
        k = self.real / self.synthetic
        weight = (math.sqrt(k**2 + 4 * k) - k) / 2 if self.weight is None else self.weight
        real = Share(source="fresh", times=self.real, loss_share=weight)
        latest = Share(source="latest", times=self.synthetic, loss_share=1 - weight)
        return Compose(corpus=(real, latest))

"""`fresh_mix`: new real rows in every generation, beside the latest synthetic batch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class FreshMix(NamedPolicy):
    """D_n = n_r new real rows ∪ S_{n−1} of n_s rows.

    The fresh data loop of Alemohammad et al. 2023 (arXiv 2307.01850). Real rows come from the reserve; no
    row is used twice.
    """

    kind: Literal["fresh_mix"] = "fresh_mix"
    color: ClassVar[Color] = "green"
    real: float = Field(default=0.5, gt=0, description="n_r, as a multiple of N, each generation")
    synthetic: float = Field(default=0.5, gt=0, description="n_s, as a multiple of N")

    def parts(self) -> Compose:
        """n_r rows of the reserve, and n_s of the latest model."""
        return Compose(corpus=(Share(source="fresh", times=self.real), Share(source="latest", times=self.synthetic)))

"""`synthetic_augmentation`: the same real rows in every generation, beside the latest synthetic batch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class SyntheticAugmentation(NamedPolicy):
    """D_n = n_r fixed real rows ∪ S_{n−1} of n_s rows.

    The synthetic augmentation loop of Alemohammad et al. 2023 ("Self-consuming generative models go MAD",
    arXiv 2307.01850); stability in Bertrand et al. 2023 (arXiv 2310.00429).
    """

    kind: Literal["synthetic_augmentation"] = "synthetic_augmentation"
    color: ClassVar[Color] = "purple"
    real: float = Field(default=1.0, gt=0, le=1, description="n_r, as a multiple of N; the first rows of batch 0")
    synthetic: float = Field(default=1.0, gt=0, description="n_s, as a multiple of N")

    def parts(self) -> Compose:
        """The first n_r rows of batch 0, and n_s of the latest model."""
        return Compose(corpus=(Share(source="real", times=self.real), Share(source="latest", times=self.synthetic)))

"""`detector_weighted`: the pool is resampled by a detector's confidence that a row is real."""

from __future__ import annotations

from typing import ClassVar, Literal

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class DetectorWeighted(NamedPolicy):
    """D_n = N rows with replacement from D₀ ∪ S₁ ∪ … ∪ S_{n−1}, with odds p(real | row) by a detector.

    Drayson et al. 2025 ("Machine-generated text detection prevents language model collapse",
    arXiv 2502.15654): the origin of a row is unknown, so likely human rows are resampled. Theirs is a
    detector trained beforehand on other models' text; here it is a classifier of batch 0 against samples of
    model 1, fitted once for the recursion.
    """

    kind: Literal["detector_weighted"] = "detector_weighted"
    color: ClassVar[Color] = "pink"

    def parts(self) -> Compose:
        """N rows of the pool, by score."""
        return Compose(corpus=(Share(source="pool", how="scored", times=1),))

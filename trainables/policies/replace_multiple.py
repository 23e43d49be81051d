"""`replace_multiple`: the latest synthetic batch alone, as large as the pool that would have accumulated."""

from __future__ import annotations

from typing import ClassVar, Literal

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Sample, Share


class ReplaceMultiple(NamedPolicy):
    """D_n = n·N rows, all sampled from model n−1 (Gerstgrasser et al. 2024, arXiv 2404.01413, section 3).

    The control that grows with the generation as `accumulate` does, yet keeps nothing.
    """

    kind: Literal["replace_multiple"] = "replace_multiple"
    color: ClassVar[Color] = "brown"

    def parts(self) -> Compose:
        """n·N rows of the latest model."""
        return Compose(sample=Sample(power=1), corpus=(Share(source="latest"),))

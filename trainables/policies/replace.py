"""`replace`: each generation is fitted on the latest synthetic batch alone."""

from __future__ import annotations

from typing import ClassVar, Literal

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Share


class Replace(NamedPolicy):
    """D_n = S_{n−1} (Shumailov et al. 2023, arXiv 2305.17493; Gerstgrasser et al. 2024, arXiv 2404.01413)."""

    kind: Literal["replace"] = "replace"
    color: ClassVar[Color] = "orange"

    def parts(self) -> Compose:
        """N rows, all of the latest batch."""
        return Compose(corpus=(Share(source="latest"),))

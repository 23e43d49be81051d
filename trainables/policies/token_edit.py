"""`token_edit`: real data whose predictable tokens the latest model rewrites."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Sample, Share


class TokenEdit(NamedPolicy):
    """D_n = D₀ with the tokens of probability ≥ p under model n−1 resampled from it (ToEdit).

    Zhu et al. 2024 ("How to synthesize text data without model collapse?", arXiv 2412.14689). Their error
    stays below 2σ²d/(T − d − 1) in the linear model, as long as each generation edits fewer labels than the last. Here
    `linear` resamples the labels of at least p times the largest density: 11 % of them at 0.99, which stays below that.
    """

    kind: Literal["token_edit"] = "token_edit"
    color: ClassVar[Color] = "teal"
    threshold: float = Field(default=0.99, gt=0, le=1, description="p, the least probability of an edited token")

    def parts(self) -> Compose:
        """N rows of batch 0, edited by the latest model."""
        return Compose(sample=Sample(edit=self.threshold), corpus=(Share(source="latest"),))

"""`surprising`: of what a model says, what it finds least likely is trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class Surprising(NamedPolicy):
    """D_n = the N of m·N samples of model n−1 with the highest perplexity under model n−1 itself.

    Gambetta et al. 2024 ("Learning by surprise: surplexity for mitigating model collapse in generative AI",
    arXiv 2410.12341) keep the documents that surprise the model most, with no need to know which are real. The judge
    may also be model 1 or a model fitted on real rows.
    """

    kind: Literal["surprising"] = "surprising"
    color: ClassVar[Color] = "brown"
    candidates: float = Field(default=2.0, ge=1, description="m, samples for each row kept")
    judge: Literal["own", "first", "reference"] = "own"

    def parts(self) -> Compose:
        """The latest model's samples that it finds least likely."""
        keep = Keep(rule="bottom", judge=self.judge, candidates=self.candidates)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

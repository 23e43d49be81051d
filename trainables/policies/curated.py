"""`curated`: users pick one of K samples by a reward; what they pick is trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class Curated(NamedPolicy):
    """D_n = N winners, each of K samples of model n−1, with odds e^(reward / temperature) (Bradley–Terry).

    Ferbach et al. 2024 ("Self-consuming generative models with curated data provably optimize human
    preferences", arXiv 2407.09499). The reward is the judge's score: log-density under a `reference` fitted
    on real rows, or a `detector`'s confidence that a row is real.
    """

    kind: Literal["curated"] = "curated"
    color: ClassVar[Color] = "purple"
    of: int = Field(default=4, ge=1, description="K, samples to choose from")
    temperature: float = Field(default=1.0, gt=0, description="small values take the best")
    judge: Literal["reference", "detector"] = "reference"

    def parts(self) -> Compose:
        """One of each K samples of the latest model."""
        keep = Keep(rule="best_of", judge=self.judge, candidates=self.of, temperature=self.temperature)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

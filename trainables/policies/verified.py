"""`verified`: only the synthetic rows that a verifier lets pass are trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class Verified(NamedPolicy):
    """D_n = N of m·N samples of model n−1 that a verifier keeps.

    Feng et al. 2024 ("Beyond model collapse: scaling up with synthesized data requires verification",
    arXiv 2406.07515). The verifier is a `reference` fitted on real rows (the true density where a family has
    one), or a `detector` of synthetic rows. `accept` keeps what scores no lower than all but the share
    `level` of real rows; `top` keeps the N best, which sharpens the model at every generation.
    """

    kind: Literal["verified"] = "verified"
    color: ClassVar[Color] = "pink"
    candidates: float = Field(default=2.0, ge=1, description="m, samples for each row kept")
    judge: Literal["reference", "detector"] = "reference"
    rule: Literal["accept", "top"] = "accept"
    level: float = Field(default=0.1, ge=0, lt=1, description="share of real rows that `accept` would not pass")

    def parts(self) -> Compose:
        """The latest model's samples that the verifier keeps."""
        keep = Keep(rule=self.rule, judge=self.judge, candidates=self.candidates, level=self.level)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

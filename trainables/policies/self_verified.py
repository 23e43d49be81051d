"""`self_verified`: the first model rates what its successors say; what it finds likely enough is trained on."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from trainables.policies.base import Color
from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class SelfVerified(NamedPolicy):
    """D_n = N of m·N samples of model n−1 that model 1 finds as likely as it finds real rows.

    Fu et al. 2025 ("Self-verification provably prevents model collapse in recursive synthetic training",
    NeurIPS 2025): models filter their output by a threshold on internal confidence, with no verifier from
    outside. Here the confidence is model 1's likelihood, and the threshold a quantile of that of real rows.
    """

    kind: Literal["self_verified"] = "self_verified"
    color: ClassVar[Color] = "brown"
    candidates: float = Field(default=2.0, ge=1, description="m, samples for each row kept")
    level: float = Field(default=0.1, ge=0, lt=1, description="share of real rows that would not pass")

    def parts(self) -> Compose:
        """The latest model's samples that model 1 lets pass."""
        keep = Keep(rule="accept", judge="first", candidates=self.candidates, level=self.level)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

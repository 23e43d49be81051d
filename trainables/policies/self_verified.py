"""`self_verified`: the first model rates what its successors say; the best is trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class SelfVerified(NamedPolicy):
    """D_n = the likeliest N, under model 1, of m·N samples of model n−1.

    Fu et al. 2025 ("Self-verification provably prevents model collapse in recursive synthetic training",
    NeurIPS 2025): models filter their output by internal confidence, with no verifier from outside. Here
    the confidence is model 1's likelihood, and the filter keeps a fixed number where theirs has a threshold.
    """

    kind: Literal["self_verified"] = "self_verified"
    candidates: float = Field(default=2.0, ge=1, description="m, samples for each row kept")

    def parts(self) -> Compose:
        """The latest model's samples that model 1 finds likeliest."""
        keep = Keep(rule="top", judge="first", candidates=self.candidates)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

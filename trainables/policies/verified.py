"""`verified`: only the synthetic rows that a verifier rates best are trained on."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trainables.policies.compose import Compose, NamedPolicy
from trainables.policies.parts import Keep, Share


class Verified(NamedPolicy):
    """D_n = the best N, by a judge fitted on real rows, of m·N samples of model n−1.

    Feng et al. 2024 ("Beyond model collapse: scaling up with synthesized data requires verification",
    arXiv 2406.07515). The verifier is a `reference` model (the true density where a family has one), or a
    `detector` of synthetic rows.
    """

    kind: Literal["verified"] = "verified"
    candidates: float = Field(default=2.0, ge=1, description="m, samples for each row kept")
    judge: Literal["reference", "detector"] = "reference"

    def parts(self) -> Compose:
        """The best of the latest model's samples."""
        keep = Keep(rule="top", judge=self.judge, candidates=self.candidates)
        return Compose(keep=keep, corpus=(Share(source="latest"),))

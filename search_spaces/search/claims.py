"""Claims about policies that a search can try to refute, by name: "accumulate beats replace"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trainables.config import did_you_mean
from trainables.policies import POLICIES

Assertion = Literal["bounded", "diverges", "beats"]

_WORDS: dict[str, Assertion] = {
    "stays bounded": "bounded",
    "does not collapse": "bounded",
    "diverges": "diverges",
    "collapses": "diverges",
}

FORMS = "POLICY stays bounded, POLICY diverges, POLICY beats POLICY"

FEWEST_GENERATIONS: dict[Assertion, int] = {"bounded": 6, "diverges": 6, "beats": 2}
"""Generations below which the assertion can't be judged."""


@dataclass(frozen=True)
class Claim:
    """A claim.

    Attributes:
        policy: whom it is about.
        assertion: what it says; `analysis.verdicts.counterexamples` defines each.
        rival: whom the policy is compared with, where it is.
    """

    policy: str
    assertion: Assertion
    rival: str | None = None

    @property
    def policies(self) -> tuple[str, ...]:
        """Policies that have to be run."""
        return (self.policy,) if self.rival is None else (self.policy, self.rival)


def parse_claim(text: str) -> Claim:
    """The claim that a text states.

    Raises:
        ValueError: it is none of the forms, or a policy is unknown.
    """
    policy, _, rest = " ".join(text.split()).partition(" ")
    if rest in _WORDS:
        return Claim(_policy(policy), _WORDS[rest])
    if rest.startswith("beats ") and " " not in (rival := rest.removeprefix("beats ")):
        if rival == policy:
            raise ValueError(f"claim: {policy!r} can't beat itself")
        return Claim(_policy(policy), "beats", _policy(rival))
    raise ValueError(f"claim: {text!r} is none of the forms {FORMS}")


def _policy(kind: str) -> str:
    if kind not in POLICIES:
        raise ValueError(f"claim: unknown policy {kind!r}{did_you_mean(kind, list(POLICIES))}")
    return kind

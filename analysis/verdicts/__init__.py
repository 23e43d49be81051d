"""What curves say: a word for each policy and configuration, paired differences, claims."""

from analysis.verdicts import claims, foresight, paired, robustness
from analysis.verdicts.counterexamples import Evidence, share_bound, weigh
from analysis.verdicts.evidence import gather
from analysis.verdicts.robustness import Replicates
from analysis.verdicts.rules import (
    BAD,
    COLLAPSES,
    DIVERGED,
    EXPLAINED,
    GOOD,
    LEVELS,
    RISES,
    SEPARATED,
    SLOW,
    STABLE,
    UNDECIDED,
    WORDS,
    Thresholds,
    judge,
    reached_from,
)

__all__ = [
    "BAD",
    "COLLAPSES",
    "DIVERGED",
    "EXPLAINED",
    "GOOD",
    "LEVELS",
    "RISES",
    "SEPARATED",
    "SLOW",
    "STABLE",
    "UNDECIDED",
    "WORDS",
    "Evidence",
    "Replicates",
    "Thresholds",
    "claims",
    "foresight",
    "gather",
    "judge",
    "paired",
    "reached_from",
    "robustness",
    "share_bound",
    "weigh",
]

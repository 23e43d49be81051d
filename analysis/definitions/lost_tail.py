"""Definition 7: the tail of the real distribution disappears."""

from __future__ import annotations

from analysis.definitions.base import Definition, share_left

DEFINITION = Definition(
    number=7,
    name="lost_tail",
    title="disappearance of the real tail",
    statistic="last over first tail coverage",
    threshold=0.5,
    grid=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    meaning="τ, share of the first tail",
    beyond="below",
    measure=share_left("tail", "the tail"),
)

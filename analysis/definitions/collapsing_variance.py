"""Definition 4: the variance of what is generated collapses."""

from __future__ import annotations

from analysis.definitions.base import Definition, share_left

DEFINITION = Definition(
    number=4,
    name="collapsing_variance",
    title="collapsing variance",
    statistic="last over first variance",
    threshold=0.5,
    grid=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    meaning="τ, share of the first variance",
    beyond="below",
    measure=share_left("spread", "spread"),
)

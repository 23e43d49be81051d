"""What a family reached on an accelerator, for planning."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CardRates:
    """Speeds measured on one card.

    Attributes:
        card: its name, of `sweep.planning`'s table.
        source: of the figures, for people.
        fits: parameters of a model, ascending, and the operations a second that its fit reached.
        sampled: tokens a second at which small models are sampled: a step waits for memory and launches, not for
            arithmetic.
    """

    card: str
    source: str
    fits: tuple[tuple[float, float], ...]
    sampled: float

    def fit_rate(self, parameters: float) -> float:
        """Operations a second of fits of such a model: between measured sizes by the logarithm of the size, beyond them
        those of the nearest."""
        sizes = [math.log(size) for size, _ in self.fits]
        place = min(max(math.log(max(parameters, 1.0)), sizes[0]), sizes[-1])
        above = next(i for i, size in enumerate(sizes) if place <= size)
        if above == 0:
            return self.fits[0][1]
        low, high = self.fits[above - 1][1], self.fits[above][1]
        return low + (high - low) * (place - sizes[above - 1]) / (sizes[above] - sizes[above - 1])

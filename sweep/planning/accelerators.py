"""What a study takes on a named accelerator: by a family's measured rates where there are some, else at a share of the
card's peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.errors import UsageError
from sweep.planning.forecast import Effort
from sweep.planning.speeds import Make
from trainables.config import did_you_mean
from trainables.families import FAMILIES, CardRates

PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "T4": 65e12}
"""Dense 16-bit operations a second, from the vendor's data sheets (SXM where there are several; T4: float16)."""

UTILISATION = 0.3
"""Share of the peak that fitting and sampling reach together where nothing was measured. An assumption, stated wherever
it is used: small models stay below it, large ones above."""


@dataclass(frozen=True)
class CardTime:
    """Seconds of one accelerator.

    Attributes:
        fitting, sampling: of all that is left.
        measured: where rates of families come from, by family.
        assumed: whether anything rests on `UTILISATION`.
        on_cores: families with something left that take no accelerator: closed forms.
    """

    fitting: float
    sampling: float
    measured: Mapping[str, str]
    assumed: bool
    on_cores: tuple[str, ...] = ()

    @property
    def hours(self) -> float:
        """Of both."""
        return (self.fitting + self.sampling) / 3600


def check_card(gpu: str) -> None:
    """Refuse a card that is not in the table.

    Raises:
        UsageError: it is not; the message names the nearest.
    """
    if gpu not in PEAK:
        raise UsageError(f"--gpu: unknown accelerator {gpu!r}{did_you_mean(gpu, PEAK)}")


def seconds_on(gpu: str, make: Make, effort: Effort, utilisation: float | None = None) -> tuple[float, float]:
    """Seconds of fitting and of sampling on one accelerator.

    On another card than the measured one, in the proportion of peaks. A sampled token is two operations a parameter.

    Args:
        gpu: of the table.
        make, effort: what is to be computed.
        utilisation: share of the peak that is reached; None: what was measured, and `UTILISATION` where nothing was.
    """
    rates = _rates(make) if utilisation is None else None
    plain = PEAK[gpu] * (UTILISATION if utilisation is None else utilisation)
    if rates is None:
        return effort.fitting / plain, effort.sampling / plain
    relative = PEAK[gpu] / PEAK[rates.card]
    tokens = effort.sampling / (2.0 * max(make.parameters, 1))
    fitting = effort.fitting / (relative * rates.fit_rate(make.parameters))
    return fitting, tokens / (relative * rates.sampled) + effort.sampling / plain


def time_on(gpu: str, efforts: Mapping[Make, Effort]) -> CardTime:
    """What all efforts that go to an accelerator take on one, one after the other."""
    remaining = [make for make, effort in efforts.items() if effort.fitting or effort.sampling]
    left = [make for make in remaining if FAMILIES.get(make.family).accelerated]
    each = [seconds_on(gpu, make, efforts[make]) for make in left]
    measured = {make.family: rates.source for make in left if (rates := _rates(make)) is not None}
    return CardTime(
        sum(fitting for fitting, _ in each),
        sum(sampling for _, sampling in each),
        measured,
        any(make.family not in measured for make in left),
        tuple(sorted({make.family for make in remaining} - {make.family for make in left})),
    )


def _rates(make: Make) -> CardRates | None:
    found: CardRates | None = FAMILIES.get(make.family).card_rates
    return found

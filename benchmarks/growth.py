"""How cost grows: time, memory and disk against generations, rows, model size, cells and trials at once.

`python -m benchmarks.growth [--full] [--figure FILE]` prints a table of fitted exponents beside those that theory
allows and draws the curves; `claims` is the quick form. Each point is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.growth_points import measure
from benchmarks.growth_series import LEAST, QUANTITIES, UNITS, Series, series
from benchmarks.harness import Ratio, ceiling, pin

SLACK = 0.15
"""By which an exponent at the end of a short curve may exceed the expected one, standard error aside."""

COLUMNS = ("against", "what", "cost", "from, to", "measured from, to", "exponent", "last step", "expected", "")
FIGURE = Path(__file__).parents[1] / "docs" / "img" / "growth.png"


@dataclass(frozen=True)
class Curve:
    """One quantity of one series.

    Attributes:
        series: whose.
        quantity: what was measured.
        ys: its values.
    """

    series: Series
    quantity: str
    ys: tuple[float, ...]

    @property
    def expected(self) -> float:
        """The exponent it has to have."""
        return self.series.expected[self.quantity]

    @property
    def exponent(self) -> tuple[float, float]:
        """Slope of the logarithms by least squares, and its standard error; NaN where there is nothing to see."""
        return slope(self.series.xs, self.ys) if self.visible else (math.nan, math.nan)

    @property
    def last(self) -> float:
        """Slope between the two largest sizes, where fixed costs weigh least."""
        return slope(self.series.xs[-2:], self.ys[-2:])[0] if self.visible else math.nan

    @property
    def visible(self) -> bool:
        """Whether there is enough of it to speak of growth."""
        return max(self.ys) >= LEAST[self.quantity] and min(self.ys) > 0

    @property
    def verdict(self) -> str:
        """Whether it grows no faster than it has to."""
        if not self.visible:
            return "too little to see"
        found, error = self.exponent
        most = self.expected + SLACK
        return "as it must" if found - 2 * error <= most and self.last <= most + SLACK else "FASTER"

    def row(self) -> str:
        """A line of a markdown table."""
        (found, error), unit = self.exponent, UNITS[self.quantity]
        fitted = f"{found:.2f} ± {error:.2f}" if self.visible else "–"
        last = f"{self.last:.2f}" if self.visible else "–"
        cells = (
            self.series.axis, self.series.name, self.quantity, f"{self.series.xs[0]:,.0f} to {self.series.xs[-1]:,.0f}",
            f"{self.ys[0]:.3g} to {self.ys[-1]:.3g} {unit}", fitted, last, f"{self.expected:g}", self.verdict,
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"


def slope(xs: tuple[float, ...], ys: tuple[float, ...]) -> tuple[float, float]:
    """Least squares of log y on log x: the slope and its standard error (0 where two points leave none)."""
    u, v = [math.log(x) for x in xs], [math.log(y) for y in ys]
    centre, middle = sum(u) / len(u), sum(v) / len(v)
    square = sum((x - centre) ** 2 for x in u)
    found = sum((x - centre) * (y - middle) for x, y in zip(u, v, strict=True)) / square
    if len(u) < 3:
        return found, 0.0
    rest = sum((y - middle - found * (x - centre)) ** 2 for x, y in zip(u, v, strict=True))
    return found, math.sqrt(rest / (len(u) - 2) / square)


def curves(asked: list[Series]) -> Iterator[Curve]:
    """Every quantity of every series, measured as they are asked for."""
    for one in asked:
        points = [measure(one.kind, given) for given in one.points]
        for quantity in QUANTITIES:
            if quantity in one.expected:
                yield Curve(one, quantity, tuple(getattr(point, quantity) for point in points))


def claims() -> list[Ratio]:
    """Times alone: how much more the largest size costs than the smallest, beside what its exponent allows."""
    quick = [one for one in series(full=False) if len(one.xs) > 2]
    return [_claim(curve) for curve in curves(quick) if curve.quantity == "seconds" and curve.visible]


def _claim(curve: Curve) -> Ratio:
    xs = curve.series.xs
    span = xs[-1] / xs[0]
    found, error = curve.exponent
    grown = f"{curve.series.axis} {xs[0]:,.0f} to {xs[-1]:,.0f}"
    work = f"growth of time, {curve.series.name}: {grown}, exponent {found:.2f} ± {error:.2f}"
    allowed = span ** (curve.expected + SLACK)
    note = f"{curve.verdict}; at least 1 is growth with an exponent of {curve.expected:g} + {SLACK:g}"
    return Ratio(work, f"exponent {curve.expected:g}", 1, (curve.ys[-1] / curve.ys[0],), (allowed,), note, "×")


def main() -> None:
    """Measure, print the table, draw the figure."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--full", action="store_true", help="longer curves, and the networks of images and molecules")
    parser.add_argument("--figure", type=Path, default=FIGURE, help="where the figure goes")
    given = parser.parse_args()
    pin()
    print(f"{ceiling()}\n\n| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    found = []
    for curve in curves(series(given.full)):
        print(curve.row(), flush=True)
        found.append(curve)
    from benchmarks.growth_figure import draw

    draw(found, given.figure)


if __name__ == "__main__":
    main()

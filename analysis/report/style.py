"""How plots look: one style, one colour and marker per policy, and pictures that follow a page into the dark.

Figures are drawn with the light theme's colours; `inline` turns these into the page's CSS variables.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from analysis.data import order
from trainables.policies import POLICIES, Color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1c2024", "#646b73", "#d5d9df"
SERIES = ("#c2410c", "#0b63a5", "#0a7d57", "#8b4aa8", "#8a6100", "#b4275e", "#2f6f7e", "#565d66")
"""At least 4.5:1 on white; told apart by markers too, so that no reading rests on colour alone."""
_NAMES = get_args(Color)
_DARK_SERIES = ("#ff9a5c", "#6cb8f5", "#4fd1a5", "#d3a1ec", "#e5bd52", "#ff8fb3", "#7fd0e0", "#b9c0c9")
DARK = {INK: "#e8eaed", MUTED: "#a3aab3", GRID: "#3a4048", **dict(zip(SERIES, _DARK_SERIES, strict=True))}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GLYPHS = "●■▲◆▼✚✖★"
"""Of a page's legend, in the order of `MARKERS`."""
_RC = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9, "axes.titlesize": 9,
    "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 9, "legend.fontsize": 8.5,
    "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": GRID, "grid.linewidth": 0.6, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK,
    "axes.titlecolor": INK, "xtick.color": MUTED, "ytick.color": MUTED, "lines.linewidth": 1.6, "lines.markersize": 4,
    "figure.facecolor": "none", "axes.facecolor": "none", "svg.fonttype": "none", "figure.dpi": 100,
    "figure.constrained_layout.use": True, "axes.axisbelow": True, "text.parse_math": False,
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A policy's colour and marker."""

    color: str
    marker: str


def looks(policies: Iterable[str]) -> dict[str, Look]:
    """Colour and marker of each policy: its own, or where one before it has that, the first that is free."""
    ranked, held = order(policies), dict[str, int]()
    for policy in ranked:
        own = _own(policy)
        if own is not None and own not in held.values():
            held[policy] = own
    taken = set(held.values())
    free = (number for number in itertools.count() if number not in taken)
    held |= {policy: next(free) for policy in ranked if policy not in held}
    return {policy: _look(held[policy]) for policy in ranked}


def _own(policy: str) -> int | None:
    """Number of the colour that a policy declares."""
    kind = policy.split("(")[0]
    return _NAMES.index(POLICIES.get(kind).color) if kind in POLICIES else None


def _look(number: int) -> Look:
    """Beyond the last colour they start again, with other markers."""
    return Look(SERIES[number % len(SERIES)], MARKERS[(number + number // len(SERIES)) % len(MARKERS)])


@contextmanager
def figure(name: str, width: float = 7.2, height: float = 3.2) -> Iterator[Figure]:
    """A figure in the house style, without pyplot's global state; `name` salts the ids inside its SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        made = Figure(figsize=(width, height))
        FigureCanvasAgg(made)
        yield made


def logarithmic(axes: Axes) -> None:
    """Make y logarithmic, its ticks plain numbers: matplotlib's own are formulas, which the style does not read."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def save(made: Figure, folder: Path, name: str) -> dict[str, Path]:
    """The figure as `<name>.svg` and `.png`; call it inside `figure`. Equal figures give equal files."""
    paths = {f"{name}.{end}": folder / f"{name}.{end}" for end in ("svg", "png")}
    made.savefig(paths[f"{name}.svg"], metadata={"Date": None})
    _keep_layout(made)
    made.savefig(paths[f"{name}.png"], dpi=150, facecolor="white")
    return paths


def _keep_layout(made: Figure) -> None:
    """As laid out for the first file; a figure without an engine is not drawn twice for the next."""
    import matplotlib as mpl

    with mpl.rc_context({"figure.constrained_layout.use": False}):
        made.set_layout_engine(None)


def svg(made: Figure) -> str:
    """The figure's SVG text; call it inside `figure`."""
    text = io.StringIO()
    made.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def _rounded(attribute: re.Match[str]) -> str:
    """Coordinates to hundredths."""
    return re.sub(r"(?<=\d\.\d\d)\d+(?=[\s\"LMz,)])", "", attribute[0])


def inline(text: str, label: str) -> str:
    """SVG fit to stand inside a page: theme variables for colours, no ids but referenced ones, a spoken label."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'="[^"]*"', _rounded, text)
    text = re.sub(r'width="[^"]*pt"|height="[^"]*pt"', "", text, count=2)
    for number, color in enumerate((INK, MUTED, GRID, *SERIES)):
        text = text.replace(color, f"var(--c{number})")
    text = text.replace("'DejaVu Sans', sans-serif", "var(--font)")
    safe = label.replace("&", "and").replace('"', "").replace("<", "less than ")
    return text.replace("<svg", f'<svg role="img" aria-label="{safe}"', 1)


def css() -> str:
    """The theme variables that `inline` refers to."""
    light = "".join(f"--c{i}:{c};" for i, c in enumerate((INK, MUTED, GRID, *SERIES)))
    dark = "".join(f"--c{i}:{DARK[c]};" for i, c in enumerate((INK, MUTED, GRID, *SERIES)))
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"

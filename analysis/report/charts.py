"""Charts that a reader can question: Vega-Lite specs, made with altair, of the panels of a picture.

A panel is one view: lines with bands by policy, values beside the pointer. What is shown are means and intervals, never
single runs. Colours are the page's CSS variables, so that a chart follows its theme; the page draws it (`page.js`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.report import style, tables

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

SHAPES = (
    "circle", "square", "triangle-up", "diamond", "triangle-down", "cross",
    "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z",
    "M0,-1L.22,-.31H.95L.36,.12L.59,.81L0,.38L-.59,.81L-.36,.12L-.95,-.31H-.22Z",
)  # fmt: skip
"""Vega's marks, in the order of `style.MARKERS`."""
DASHES = ((1, 0), (5, 2), (1, 1.5), (6, 2, 1, 2))
"""Of studies, where several are compared."""
POINTS = 12
"""Marks of a line at most."""
LOGARITHMIC = 50
"""Ratio of the largest mean to the smallest from which a panel's ordinate is logarithmic."""
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif'


@dataclass(frozen=True)
class Panel:
    """One view of a chart.

    Attributes:
        title: above it.
        table: columns policy, x, y, low, high; `theory` for a dashed line, `study` where several are compared.
        x: what the abscissa is.
        y: what the ordinate is, with its unit.
        names: family and metric, by which a reader picks; those not named are never hidden.
        each: thin lines under the others, columns policy, name, x, y; none by default.
        step: whether values hold until the next one.
        linear: whether the ordinate is linear whatever the values.
    """

    title: str
    table: pd.DataFrame
    x: str
    y: str
    names: Mapping[str, str] = field(default_factory=dict)
    each: pd.DataFrame | None = None
    step: bool = False
    linear: bool = False


@dataclass(frozen=True)
class Look:
    """All that a panel's spec depends on, but for its data."""

    policies: tuple[str, ...]
    studies: tuple[str, ...]
    x: str
    y: str
    floor: float | None
    theory: bool
    each: bool
    step: bool
    words: bool


def dump(panels: Sequence[Panel], policies: Sequence[str], height: int = 170) -> str:
    """What `page.js` draws, as JSON that is safe inside a script element.

    Args:
        panels: in order.
        policies: all of the page, in the order of colours.
        height: of a panel's frame in pixels.
    """
    looks = [_look(panel, tuple(policies)) for panel in panels]
    distinct = list(dict.fromkeys(looks))
    held = {
        "least": "22rem" if len(panels) in (5, 6, 9) else "17rem",  # three or four side by side
        "axes": [look.x for look in distinct],
        "specs": [_spec(look, height) for look in distinct],
        "panels": [
            {"title": panel.title, **panel.names, "spec": distinct.index(look), **_data(panel, look)}
            for panel, look in zip(panels, looks, strict=True)
        ],
    }
    text = json.dumps(held, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _look(panel: Panel, policies: tuple[str, ...]) -> Look:
    held, least = panel.table, _least(panel)
    studies = tuple(dict.fromkeys(held["study"])) if "study" in held else ()
    theory = "theory" in held and bool(held["theory"].notna().any())
    words = held["x"].dtype.kind not in "iuf"
    return Look(policies, studies, panel.x, panel.y, least, theory, panel.each is not None, panel.step, words)


def _least(panel: Panel) -> float | None:
    """Lower end of a logarithmic ordinate; None for a linear one."""
    means = panel.table["y"].to_numpy(dtype=float)
    means = means[np.isfinite(means)]
    if panel.linear or not len(means) or means.min() <= 0 or means.max() <= LOGARITHMIC * means.min():
        return None
    return float(f"{means.min() / 2:.3g}")


def _data(panel: Panel, look: Look) -> dict[str, Any]:
    """`data`: columns of each data set; `lines`: policy, or policy and study, of what is said beside the pointer."""
    held = panel.table
    columns = {"policy": list(held["policy"]), "x": held["x"].tolist()}
    columns |= {name: _numbers(held[name], look.floor) for name in ("y", "low", "high")}
    if look.theory:
        columns["theory"] = _numbers(held["theory"], None)
    if look.studies:
        columns["study"] = list(held["study"])
    lines, said = _said(panel, look)
    found = {"curves": columns, "said": said}
    if panel.each is not None:
        own = panel.each
        names = {"policy": list(own["policy"]), "name": list(own["name"])}
        found["each"] = names | {"x": own["x"].tolist(), "y": _numbers(own["y"], look.floor)}
    return {"data": found, "lines": lines}


def _said(panel: Panel, look: Look) -> tuple[list[list[str]], dict[str, list[Any]]]:
    """Lines by policy and study, and by abscissa what is said of each, rounded as its interval asks for."""
    keys = ["policy", *(["study"] if look.studies else [])]
    parts = dict(iter(panel.table.groupby(keys, sort=False)))
    lines = sorted(parts, key=lambda key: look.policies.index(key[0]))
    places = list(dict.fromkeys(panel.table["x"] if look.words else sorted(panel.table["x"])))
    said: dict[str, list[Any]] = {"x": [getattr(x, "item", lambda x=x: x)() for x in places]}
    for number, key in enumerate(lines):
        rows = parts[key][["x", "y", "low", "high"]].itertuples(index=False, name=None)
        known = {x: tables.interval(float(y), float(low), float(high), sign="-") for x, y, low, high in rows}
        said[f"said{number}"] = [known.get(x) for x in places]
    return [list(map(str, key)) for key in lines], said


def _numbers(values: pd.Series[float], floor: float | None) -> list[float | None]:
    """Five digits are more than a screen shows; what is not finite is left out, bounds below the frame end at it."""
    shown = values if floor is None else values.clip(lower=floor)
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in shown]


@lru_cache(maxsize=64)
def _spec(look: Look, height: int) -> dict[str, Any]:
    """A panel's spec without its data."""
    import altair as alt

    layers = [_band(look), *([_theory(look)] if look.theory else []), _line(look), _points(look), _pointer(look)]
    if look.each:
        layers[1:1] = [_zero()]
        layers.append(_each(look))
    chart = alt.layer(  # all at once: each later word about a chart copies the whole of it
        *layers,
        data=alt.NamedData("curves"),
        width="container",
        height=height,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding", resize=True),
        config=_config(),
    )
    made: dict[str, Any] = chart.add_params(alt.param(name="off", value=[])).to_dict(validate=False)
    return made


def _base(look: Look, data: str = "curves") -> alt.Chart:
    import altair as alt

    shown = "indexof(off, datum.policy) < 0" + (" && indexof(off, datum.study) < 0" if look.studies else "")
    return alt.Chart(alt.NamedData(data)).transform_filter(shown).encode(x=_x(look))


def _x(look: Look) -> alt.X:
    import altair as alt

    if look.words:
        return alt.X("x:O", title=look.x, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True))
    scale = alt.Scale(zero=False, nice=False, padding=8)
    return alt.X("x:Q", title=look.x, scale=scale, axis=alt.Axis(format="d", tickMinStep=1, tickCount=6))


def _y(look: Look, name: str) -> alt.Y:
    import altair as alt

    scale = alt.Scale(zero=False)
    if look.floor is not None:
        scale = alt.Scale(type="log", domainMin=look.floor, nice=False)
    return alt.Y(f"{name}:Q", title=look.y, scale=scale, axis=alt.Axis(tickCount=5))


def _ink(look: Look) -> dict[str, Any]:
    """Colour by policy and, of several studies, dash by study."""
    import altair as alt

    looks = style.looks(look.policies)
    colors = [f"var(--c{3 + style.SERIES.index(looks[p].color)})" for p in looks]
    ink: dict[str, Any] = {
        "color": alt.Color("policy:N", legend=None, scale=alt.Scale(domain=list(looks), range=colors))
    }
    if look.studies:
        dashes = [list(DASHES[i % len(DASHES)]) for i in range(len(look.studies))]
        scale = alt.Scale(domain=list(look.studies), range=dashes)
        ink["strokeDash"] = alt.StrokeDash("study:N", legend=None, scale=scale)
    return ink


def _shape(look: Look) -> alt.Shape:
    import altair as alt

    looks = style.looks(look.policies)
    shapes = [SHAPES[style.MARKERS.index(one.marker)] for one in looks.values()]
    return alt.Shape("policy:N", legend=None, scale=alt.Scale(domain=list(looks), range=shapes))


def _way(look: Look) -> dict[str, str]:
    return {"interpolate": "step-after"} if look.step else {}


def _band(look: Look) -> alt.Chart:
    ink = {name: value for name, value in _ink(look).items() if name == "color"} | {"detail": "study:N"}
    drawn = _base(look).transform_filter("isValid(datum.low)").mark_area(opacity=0.18, clip=True, **_way(look))
    return drawn.encode(y=_y(look, "low"), y2="high:Q", **(ink if look.studies else {"color": ink["color"]}))


def _theory(look: Look) -> alt.Chart:
    drawn = _base(look).mark_line(strokeDash=[4, 3], strokeWidth=1, clip=True)
    return drawn.encode(y=_y(look, "theory"), **{n: v for n, v in _ink(look).items() if n == "color"})


def _line(look: Look) -> alt.Chart:
    return _base(look).mark_line(strokeWidth=1.8, clip=True, **_way(look)).encode(y=_y(look, "y"), **_ink(look))


def _points(look: Look) -> alt.Chart:
    import altair as alt

    color = {name: value for name, value in _ink(look).items() if name == "color"}
    drawn = _base(look).transform_window(place="rank()", sort=[alt.SortField("x")], groupby=["policy"])
    drawn = drawn.transform_joinaggregate(most="max(place)").transform_filter(
        f"(datum.place - 1) % ceil(datum.most / {POINTS}) == 0"
    )
    return drawn.mark_point(filled=True, size=26, opacity=1).encode(y=_y(look, "y"), shape=_shape(look), **color)


def _pointer(look: Look) -> alt.Chart:
    """A line at the abscissa nearest to the pointer, with every policy's value there."""
    import altair as alt

    near = alt.selection_point(
        name="near", fields=["x"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    drawn = alt.Chart(alt.NamedData("said")).encode(x=_x(look))
    drawn = drawn.mark_rule(color="var(--c1)", tooltip=alt.TooltipContent("data"))
    return drawn.encode(opacity=alt.condition(near, alt.value(0.7), alt.value(0))).add_params(near)


def _zero() -> alt.Chart:
    import altair as alt

    return alt.Chart(alt.InlineData(values=[{}])).mark_rule(color="var(--c1)", strokeWidth=0.8).encode(y=alt.datum(0))


def _each(look: Look) -> alt.Chart:
    """Thin lines, each of which says its name."""
    import altair as alt

    over = alt.selection_point(name="over", fields=["name"], on="pointerover", clear="pointerout", empty=False)
    width = alt.condition(over, alt.value(2.5), alt.value(0.6))
    drawn = _base(look, "each").mark_line(clip=True, strokeOpacity=0.45, tooltip=True)
    ink = {"color": _ink(look)["color"], "detail": "name:N", "strokeWidth": width}
    return drawn.encode(y=_y(look, "y"), tooltip=[alt.Tooltip("name:N", title="title")], **ink).add_params(over)


def _config() -> alt.Config:
    """The house style, in the page's colours."""
    import altair as alt

    ink = {"labelColor": "var(--c1)", "titleColor": "var(--c0)", "labelFontSize": 11, "titleFontSize": 11}
    ink |= {"titleFontWeight": "normal", "domainColor": "var(--c1)", "tickColor": "var(--c1)"}
    return alt.Config(
        background="transparent",
        font=_FONT,
        padding=2,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(**ink, gridColor="var(--c2)", gridWidth=0.6),
    )

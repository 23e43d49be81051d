"""Sections to one HTML file: no network; pictures, styles, Vega and one small script inside.

The page's policy lets these two scripts run and no other, by their hashes and without `eval`, so that nothing in a
stranger's names or samples runs. Without them every figure and table is there; they add charts that answer the pointer,
choices, sorting and filters.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from analysis.data import order
from analysis.report import charts, style, tables
from analysis.report.context import Exhibit, Picture, Section
from analysis.report.opening import Answer, Facts
from analysis.report.page import vega

if TYPE_CHECKING:
    import pandas as pd
    from jinja2 import Environment

ROWS = 200
"""Rows of a data table on the page; the files hold all."""
FEW = 4
"""Answers up to which each shows what it rests on; of more, that is folded, so that the picture stays near the top."""
WHOLE = 8.0
"""Inches from which a picture takes the page's whole width."""


@dataclass(frozen=True)
class Choices:
    """What a reader can pick: policies in the order of their colours, families, metrics, studies that are compared."""

    policies: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()


def page(
    title: str,
    facts: Facts,
    sections: Sequence[Section],
    drawn: Mapping[str, str],
    command: str,
    answers: Sequence[Answer] = (),
    choices: Choices | None = None,
) -> str:
    """The whole page.

    Args:
        title: heading.
        facts: under it.
        sections: in order; folded ones after the others.
        drawn: SVG text by picture name.
        command: what makes the report again.
        answers: what the study says, one a policy.
        choices: what can be picked.
    """
    chosen = choices or Choices()
    shown = [_section(section, drawn, chosen.policies) for section in sections]
    interactive = any(picture.chart for section in sections for picture in section.pictures)
    scripts = [*([vega.script()] if interactive else []), text_of("page.js")]
    made: str = (
        templates()
        .get_template("page.html")
        .render(
            title=title,
            facts=facts,
            answers=answers,
            few=FEW,
            command=command,
            css=text_of("page.css") + style.css(),
            scripts=scripts,
            security=security(scripts),
            prose=prose,
            choices=chosen,
            looks=style.looks(chosen.policies),
            key=key,
            dashes=charts.DASHES,
            open=[section for section in shown if not section["folded"]],
            folded=[section for section in shown if section["folded"]],
        )
    )
    return made


def choices_of(assessment: pd.DataFrame) -> Choices:
    """What can be picked in a study with this assessment."""
    if assessment.empty:
        return Choices()
    return Choices(
        tuple(order(assessment["policy"])),
        tuple(dict.fromkeys(assessment["family"])),
        tuple(dict.fromkeys(assessment["metric"])),
    )


def key(look: style.Look) -> dict[str, Any]:
    """Number of a policy's colour, and its mark, for a legend."""
    return {"color": 3 + style.SERIES.index(look.color), "mark": style.GLYPHS[style.MARKERS.index(look.marker)]}


def security(scripts: Sequence[str]) -> str:
    """The page's content policy: its own scripts, by hash, and no request."""
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    own = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {own}"


def prose(text: str) -> Markup:
    """Escaped, with `code` between backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The page's templates; everything they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader("analysis.report.page"), autoescape=True, undefined=StrictUndefined)


def text_of(name: str) -> str:
    """A file that lies beside this one."""
    return files("analysis.report.page").joinpath(name).read_text(encoding="utf-8")


def grid(table: pd.DataFrame) -> dict[str, Any]:
    """A data table as text: the first `ROWS` rows, and how many more there are."""
    text = tables.plain(table.head(ROWS))
    columns = [str(c) for c in text.columns]
    return {"columns": columns, "rows": text.to_numpy().tolist(), "more": max(0, len(table) - ROWS)}


def _section(section: Section, drawn: Mapping[str, str], policies: Sequence[str]) -> dict[str, Any]:
    held = {name: getattr(section, name) for name in ("name", "title", "text", "html", "notes", "folded")}
    pictures = [_picture(picture, drawn[picture.name], policies) for picture in section.pictures]
    return held | {"pictures": pictures, "exhibits": [_exhibit(exhibit) for exhibit in section.exhibits]}


def _picture(picture: Picture, svg: str, policies: Sequence[str]) -> dict[str, Any]:
    return {
        "name": picture.name,
        "caption": picture.caption,
        "svg": style.inline(svg, picture.caption),
        "chart": charts.dump(picture.chart, policies) if picture.chart else "",
        "whole": picture.width >= WHOLE,
        "data": grid(picture.data),
    }


def _exhibit(exhibit: Exhibit) -> dict[str, Any]:
    return {"name": exhibit.name, "caption": exhibit.caption, "rows": grid(exhibit.shown)}

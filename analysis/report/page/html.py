"""Sections to one HTML file: no script, no network, pictures and styles inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from analysis.report import style, tables
from analysis.report.context import Exhibit, Picture, Section

if TYPE_CHECKING:
    import pandas as pd

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
ROWS = 200
"""Rows of a data table on the page; the files hold all."""


def page(title: str, facts: Sequence[str], sections: Sequence[Section], drawn: Mapping[str, str], command: str) -> str:
    """The whole page.

    Args:
        title: heading.
        facts: one-line facts under it.
        sections: in order.
        drawn: SVG text by picture name.
        command: what makes the report again.
    """
    css = files("analysis.report.page").joinpath("page.css").read_text(encoding="utf-8") + style.css()
    links = "".join(f'<a href="#{s.name}">{escape(s.title)}</a>' for s in sections)
    body = "".join(_section(s, drawn, command) for s in sections)
    meta = "".join(f'<p class="meta">{escape(fact)}</p>' for fact in facts)
    made = f'<p class="meta">Made by <code>{escape(command)}</code></p>' if command else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{css}</style></head>'
        f"<body><h1>{escape(title)}</h1>{meta}{made}<nav>{links}</nav><main>{body}</main></body></html>\n"
    )


def _section(section: Section, drawn: Mapping[str, str], command: str) -> str:
    text = "".join(f"<p>{_prose(paragraph)}</p>" for paragraph in section.text)
    pictures = "".join(_picture(p, drawn[p.name], command) for p in section.pictures)
    exhibits = "".join(_exhibit(e, bool(section.html)) for e in section.exhibits)
    head = f'<section id="{section.name}"><h2>{escape(section.title)}</h2>'
    return f"{head}{text}{section.html}{pictures}{exhibits}</section>"


def _prose(text: str) -> str:
    """Escaped, with `code` between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _picture(picture: Picture, svg: str, command: str) -> str:
    source = f"{picture.name}.csv, {picture.name}.svg, {picture.name}.png"
    made = f" Made by <code>{escape(command)}</code> as {escape(source)}." if command else f" Files: {escape(source)}."
    return (
        f'<figure><div class="plot">{style.inline(svg, picture.caption)}</div>'
        f"<figcaption>{escape(picture.caption)}</figcaption>"
        f'<details><summary>Data of this plot</summary><p class="note">{made}</p>'
        f"{_grid(picture.data)}</details></figure>"
    )


def _exhibit(exhibit: Exhibit, folded: bool) -> str:
    files_ = ", ".join(f"{exhibit.name}.{end}" for end in ("csv", "parquet", "md", "tex"))
    note = f'<p class="note">{escape(exhibit.caption)} Files: {files_}.</p>'
    if folded:
        return f"<details><summary>Table {exhibit.name}</summary>{note}{_grid(exhibit.shown)}</details>"
    return f"{_grid(exhibit.shown)}{note}"


def _grid(table: pd.DataFrame) -> str:
    text = tables.plain(table.head(ROWS))
    head = "".join(f"<th scope=col>{escape(str(c))}</th>" for c in text.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(str(v))}</td>' for v in row)}</tr>" for row in text.to_numpy().tolist())
    more = f'<p class="note">{len(table) - ROWS} more rows in the file.</p>' if len(table) > ROWS else ""
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'

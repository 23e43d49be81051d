"""Parts of the report, in its order: one module each, with `build(study) -> Section | None`, named here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from analysis.report.context import ReportContext, Section

__all__ = ["ORDER", "build"]

ORDER = (
    "claims",
    "verdicts",
    "curves",
    "pairs",
    "definitions",
    "growth",
    "scaling",
    "survival",
    "importance",
    "parallel",
    "specification",
    "composition",
    "gallery",
)


def build(study: ReportContext) -> Iterator[Section]:
    """Every section that this study has something for."""
    for name in ORDER:
        section: Section | None = importlib.import_module(f"analysis.report.sections.{name}").build(study)
        if section is not None:
            yield section

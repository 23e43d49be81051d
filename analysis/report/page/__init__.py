"""The report's HTML page."""

from analysis.report.page import html
from analysis.report.page.entries import verdict_table

__all__ = [
    "html",
    "verdict_table",
]

"""From finished cells to a report, and what a study found beside its curves."""

from sweep.reporting import report
from sweep.reporting.findings import findings_of, tuned_line
from sweep.reporting.report import replacing

__all__ = [
    "findings_of",
    "replacing",
    "report",
    "tuned_line",
]

"""From finished cells to a report, and what a study found beside its curves."""

from sweep.reporting import report
from sweep.reporting.findings import findings_of, tuned_lines
from sweep.reporting.report import replacing
from sweep.reporting.table_json import records

__all__ = [
    "findings_of",
    "records",
    "replacing",
    "report",
    "tuned_lines",
]

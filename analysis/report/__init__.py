"""The report: tables, figures and one page, from a study's frame."""

from analysis.report import tables
from analysis.report.assessment import assess
from analysis.report.build import build_report
from analysis.report.context import Section, Study
from analysis.report.sections.hunt import Candidate, Hunt, hunt_section
from analysis.report.sections.tuning import tuning_section

__all__ = [
    "Candidate",
    "Hunt",
    "Section",
    "Study",
    "assess",
    "build_report",
    "hunt_section",
    "tables",
    "tuning_section",
]

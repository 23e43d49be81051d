"""The report: tables, figures and one page, from a study's frame."""

from analysis.report import tables
from analysis.report.assessment import assess
from analysis.report.build import build_report
from analysis.report.compare import compare_studies, paired_differences, side_by_side
from analysis.report.context import ReportContext, Section
from analysis.report.context import summary as curve_table
from analysis.report.notebook import Assessment
from analysis.report.sections.hunt import Candidate, Hunt, hunt_section
from analysis.report.sections.tuning import tuning_section

__all__ = [
    "Assessment",
    "Candidate",
    "Hunt",
    "ReportContext",
    "Section",
    "assess",
    "build_report",
    "compare_studies",
    "curve_table",
    "hunt_section",
    "paired_differences",
    "side_by_side",
    "tables",
    "tuning_section",
]

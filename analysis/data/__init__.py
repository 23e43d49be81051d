"""Frames of a study's generations, from the tracking server, the store or other people's files."""

from analysis.data import censoring, metrics, replicates
from analysis.data.artifact_places import is_own
from analysis.data.censoring import STOPPED
from analysis.data.external import (
    DOUBT,
    notes,
    parse_columns,
    renumbered,
    require_direction,
    set_aside,
    spacing,
    suspicion,
)
from analysis.data.frame import IDENTITY, is_parameter, parameters, short, tidy, told_apart
from analysis.data.labels import NAMES, configurations, in_order, settings, title, titles
from analysis.data.loading import load, read_runs
from analysis.data.metrics import judged
from analysis.data.policy_order import order
from analysis.data.runs import BROKEN, FAILED, FORMER, CellRun, Points, restore
from analysis.data.store_records import Shown, compositions, representatives, samples
from analysis.data.stored_points import metrics_of
from trainables.families import Metric

__all__ = [
    "BROKEN",
    "DOUBT",
    "FAILED",
    "FORMER",
    "IDENTITY",
    "NAMES",
    "STOPPED",
    "CellRun",
    "Metric",
    "Points",
    "Shown",
    "censoring",
    "compositions",
    "configurations",
    "in_order",
    "is_own",
    "is_parameter",
    "judged",
    "load",
    "metrics",
    "metrics_of",
    "notes",
    "order",
    "parameters",
    "parse_columns",
    "read_runs",
    "renumbered",
    "replicates",
    "representatives",
    "require_direction",
    "restore",
    "samples",
    "set_aside",
    "settings",
    "short",
    "spacing",
    "suspicion",
    "tidy",
    "title",
    "titles",
    "told_apart",
]

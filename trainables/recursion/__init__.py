"""The generation loop: steps and their keys, what each is derived from, the loop itself, and what may be removed."""

from trainables.recursion.ancestry import ancestry_of, find, readable
from trainables.recursion.graph import Graph, Name, Node, last_uses
from trainables.recursion.loop import Recursion, run
from trainables.recursion.retention import Keep, Report, collect, remove
from trainables.recursion.row_checks import check_data, planned_reserve
from trainables.recursion.steps import BatchStep, Step, Steps
from trainables.recursion.stored_records import CellFailed, failure, reported
from trainables.recursion.validation import validate, validated

__all__ = [
    "BatchStep",
    "CellFailed",
    "Graph",
    "Keep",
    "Name",
    "Node",
    "Recursion",
    "Report",
    "Step",
    "Steps",
    "ancestry_of",
    "check_data",
    "collect",
    "failure",
    "find",
    "last_uses",
    "planned_reserve",
    "readable",
    "remove",
    "reported",
    "run",
    "validate",
    "validated",
]

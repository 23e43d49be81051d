"""The eight published definitions of collapse: one module each, named in `registry.py`, judged by `matrix.py`."""

from analysis.definitions.base import MET, NOT_MET, UNDECIDED, UNSUPPORTED, Case, Definition, Finding, Measure
from analysis.definitions.matrix import cases, definition_matrix, findings, sensitivity
from analysis.definitions.registry import definition, definitions

__all__ = [
    "MET",
    "NOT_MET",
    "UNDECIDED",
    "UNSUPPORTED",
    "Case",
    "Definition",
    "Finding",
    "Measure",
    "cases",
    "definition",
    "definition_matrix",
    "definitions",
    "findings",
    "sensitivity",
]

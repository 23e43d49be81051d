"""The contract suite of definitions of collapse: plain functions that `tests/contract` runs on each. Needs pytest."""

from analysis.testing.definitions import DEFINITION_CHECKS, make_case

__all__ = [
    "DEFINITION_CHECKS",
    "make_case",
]

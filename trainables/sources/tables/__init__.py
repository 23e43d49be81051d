"""Tables of rows with a target: simulated, embedded, or from files."""

from trainables.sources.tables.base import TABLES, TableSource
from trainables.sources.tables.simulated import Simulated
from trainables.sources.tables.splits import Split, Splits, load

__all__ = [
    "TABLES",
    "Simulated",
    "Split",
    "Splits",
    "TableSource",
    "load",
]

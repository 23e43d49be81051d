"""Someone else's runs: tables as files hold them, read as a frame like any other, and what to know of each."""

from analysis.data.external.reading import is_file, parse_columns, read
from analysis.data.external.table_notes import (
    DOUBT,
    notes,
    renumbered,
    require_direction,
    set_aside,
    spacing,
    suspicion,
)

__all__ = [
    "DOUBT",
    "is_file",
    "notes",
    "parse_columns",
    "read",
    "renumbered",
    "require_direction",
    "set_aside",
    "spacing",
    "suspicion",
]

"""What Ray says of workers that its memory monitor killed, in one line."""

from __future__ import annotations

import re

LOW = re.compile(r"running low on memory\..* was (\S+) used / (\S+) limit")
"""What Ray says of it, among names of nodes and advice about its settings."""


def reason(said: str) -> str | None:
    """In one line what Ray says of a kill for memory; None where it says something else."""
    kills = LOW.findall(said)
    return "its machine ran low on memory, {} of {} were used".format(*kills[-1]) if kills else None

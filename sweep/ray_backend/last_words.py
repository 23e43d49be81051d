"""What Ray says of workers that ended, as its memory monitor killed them or otherwise, in one line."""

from __future__ import annotations

import re

LOW = re.compile(r"running low on memory\..* was (\S+) used / (\S+) limit")
"""What Ray says of it, among names of nodes and advice about its settings."""

DIED = re.compile(r"worker process has died\. Worker exit type: (\w+)(?: Worker exit detail: ([^\n]*))?")
"""What it says of any other end, before a list of what may be the cause."""
CODE = re.compile(r"exit code (-?\d+)")
LONGEST = 300
"""Characters of Ray's own words."""


def reason(said: str) -> str | None:
    """In one line what Ray says of a worker's end; None where it says something else."""
    kills, ends = LOW.findall(said), DIED.findall(said)
    if kills:
        return "its machine ran low on memory, {} of {} were used".format(*kills[-1])
    return _end(*ends[-1]) if ends else None


def _end(kind: str, detail: str) -> str:
    code = CODE.search(detail)
    if code is not None:
        number = int(code[1])
        return f"it was ended by signal {-number}" if number < 0 else f"it ended with exit code {number}"
    if kind.startswith("INTENDED"):
        return "Ray ended it"
    return "it ended unexpectedly (killed, for want of memory or otherwise, or a crash)"


def clipped(said: str) -> str:
    """The beginning of a long line, in whole words."""
    if len(said) <= LONGEST:
        return said
    words, _, _ = said[: LONGEST + 1].rpartition(" ")
    return f"{words or said[:LONGEST]} …"

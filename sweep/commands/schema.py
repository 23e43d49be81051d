"""`collapse-sweep schema`."""

from __future__ import annotations

from search_spaces.loading import SCHEMAS, reference_page, schema_text
from sweep.commands.outcome import DONE
from sweep.errors import UsageError
from trainables.config import did_you_mean

REFERENCE = "reference"


def schema(what: str) -> int:
    """Print the JSON schema of a study's or a cell's file, or the page of reference that is made of them.

    Raises:
        UsageError: there is no such schema.
    """
    if what == REFERENCE:
        print(reference_page())
    elif what in SCHEMAS:
        print(schema_text(what), end="")
    else:
        raise UsageError(f"WHAT: no schema of {what!r}{did_you_mean(what, [*SCHEMAS, REFERENCE])}")
    return DONE

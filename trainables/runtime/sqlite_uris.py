"""SQLite databases by URI, as SQLAlchemy reads them: percent signs are escapes, and a question mark ends the path."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

SQLITE = "sqlite:///"


def sqlite_uri(path: Path) -> str:
    """The URI of a database file; only what would be read as something else is escaped."""
    return SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


def sqlite_file(uri: str) -> Path | None:
    """The file that a URI names; None where it is no SQLite URI."""
    if not uri.startswith(SQLITE):
        return None
    return Path(unquote(uri.removeprefix(SQLITE).split("?")[0]))

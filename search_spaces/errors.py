"""The one error that a user's study can raise."""

from __future__ import annotations

from trainables.errors import CollapseSweepError


class StudyError(CollapseSweepError, ValueError):
    """A study can't be loaded or expanded; the message is one line: where, what is wrong, what would be right."""

"""Errors that end a command with exit code 2 and one line."""

from __future__ import annotations

from trainables.errors import CollapseSweepError


class UsageError(CollapseSweepError):
    """What was asked for can't be done here: the message says what and where, and what would be right."""


class TrackingError(UsageError):
    """The tracking server can't be used.

    Args:
        said: what is wrong, and where.
        hint: what becomes of what it should show; empty where that depends on who is told.
    """

    def __init__(self, said: str, hint: str = "") -> None:
        super().__init__(f"{said}; {hint}" if hint else said)
        self.hint = hint


class Interrupted(KeyboardInterrupt):
    """The user, or the machine's owner, wants the run to end. Passes through handlers of ordinary errors."""

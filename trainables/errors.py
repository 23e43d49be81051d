"""The base of every error that this package raises of its own."""

from __future__ import annotations


class CollapseSweepError(Exception):
    """Something that collapse-sweep can't do or has been told wrongly; the message is one line for the user."""


class NotInstalled(CollapseSweepError):
    """A part of the package is not there as it is meant to be; the message says how to install it."""

"""Output that may be lost: a reader that has gone, as `head` has, or a log that takes no more, ends nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

FAILURES: dict[str, tuple[type[Exception], ...]] = {"stderr": (OSError, ValueError), "stdout": (BrokenPipeError,)}
"""What may happen to a stream and ends nothing. What is said beside results may be lost in any way, a ValueError where
its stream was closed; results only where nobody reads on, not on a full disk."""


class Lossy:
    """A text stream that fails for nobody: after a failure, all that is written to it goes nowhere.

    Args:
        stream: to write to.
        failures: that end nothing; any other is raised.
    """

    def __init__(self, stream: TextIO, failures: tuple[type[Exception], ...]) -> None:
        self._stream, self._failures = stream, failures
        self.lost = False

    def write(self, text: str) -> int:
        """As the stream does, while it takes anything."""
        try:
            return self._stream.write(text)
        except self._failures:
            self._lose()
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Each as `write` does."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As the stream does, while it takes anything."""
        try:
            self._stream.flush()
        except self._failures:
            self._lose()

    def _lose(self) -> None:
        """What waits in the buffer goes nowhere too, which the end of the process would fail for otherwise."""
        self.lost = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lossy() -> Iterator[None]:
    """Within the block stdout and stderr are `Lossy`; one that the process was started without takes all."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = (Lossy(getattr(sys, name) or nowhere, FAILURES[name]) for name in ("stdout", "stderr"))
        with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)):
            yield


def unread() -> bool:
    """Whether whoever read stdout has gone."""
    return bool(getattr(sys.stdout, "lost", False))

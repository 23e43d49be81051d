"""`Watch`: says so when trials wait for machines and none runs, so that nobody looks at a silent screen."""

from __future__ import annotations

import time
from collections.abc import Callable

from sweep.scheduling import Board

SILENCE = 60.0
"""Seconds after which it is said, and said again."""


class Watch:
    """Looks at a board now and then.

    Args:
        board: whose trials may wait.
        warn: told in one line.
        clock: seconds.
    """

    def __init__(self, board: Board, warn: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._board, self._warn, self._clock = board, warn, clock
        self._since: float | None = None

    def look(self) -> None:
        """To be called often."""
        taken = self._board.running
        if not taken or any(job.status == "running" for job in taken):
            self._since = None
            return
        now = self._clock()
        if self._since is None:
            self._since = now
        elif now - self._since >= SILENCE:
            self._since = now
            self._warn(f"{len(taken)} trials wait for machines and none runs; the first is {taken[0].title}")

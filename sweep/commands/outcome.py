"""How a command ends: its exit code, or one line on stderr and exit code 2."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from sweep.signals import terminable
from sweep.streams import lossy
from trainables.errors import CollapseSweepError
from trainables.runtime import redact

DONE, INCOMPLETE, REFUSED = 0, 1, 2
FULL = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT)
"""Of system errors, those of a place that takes no more: a full disk, one that is read only or somebody else's."""


def report(command: Callable[[], int]) -> int:
    """The exit code of a command. What a user can set right is told in one line, never as a traceback; output that
    nobody reads any more, as after `head`, changes nothing."""
    with lossy():
        return _code(command)


def _code(command: Callable[[], int]) -> int:
    try:
        with terminable():
            code = command()
        sys.stdout.flush()
        return code
    except CollapseSweepError as problem:
        return _refuse(str(problem))
    except KeyboardInterrupt:
        return _refuse("interrupted", INCOMPLETE)
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        return _refuse(f"{problem.filename or 'writing'}: {problem.strerror}")


def say(line: str) -> None:
    """A line for the user beside a command's output; passwords in it are masked."""
    print(redact(line), file=sys.stderr, flush=True)


def _refuse(line: str, code: int = REFUSED) -> int:
    say("collapse-sweep: " + " ".join(line.splitlines()))
    return code

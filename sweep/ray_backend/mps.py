"""CUDA's Multi-Process Service for trials that share a card: kernels of several processes at once, instead of by turns.

A daemon of the run's own, for a run on this machine that asks for it by `COLLAPSE_SWEEP_MPS=1`: a fault of one client
may end the work of all of a card, so that nobody has it unasked. Without the daemon everything runs as it would.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping

WANTED = "COLLAPSE_SWEEP_MPS"
"""Environment variable: 1 asks for a daemon."""

CONTROL = "nvidia-cuda-mps-control"
"""What starts the daemon, and ends it."""

PIPES, LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
"""CUDA's names of the folders in which clients find a daemon, and it writes."""

PATIENCE = 20.0
"""Seconds that the daemon may take to start or end."""

log = logging.getLogger(__name__)


@contextlib.contextmanager
def shared_cards() -> Iterator[None]:
    """A daemon for the processes that are started within the block, where it is asked for and none is named already."""
    if os.environ.get(WANTED) != "1" or PIPES in os.environ:
        yield
        return
    control = shutil.which(CONTROL)
    if control is None:
        log.warning("%s=1, but there is no %s here: trials that share a card take turns", WANTED, CONTROL)
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        names = {PIPES: folder, LOGS: folder}
        if not _told(control, names, "-d"):  # clients would wait for it
            yield
            return
        os.environ |= names
        try:
            yield
        finally:
            for name in names:
                os.environ.pop(name, None)
            _told(control, names, said="quit\n")


def _told(control: str, names: Mapping[str, str], *words: str, said: str = "") -> bool:
    """Whether the tool did what it was told; one warning where it did not."""
    try:
        subprocess.run(
            [control, *words],
            env={**os.environ, **names},
            input=said,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as problem:
        reason = str(getattr(problem, "stderr", None) or problem).strip().splitlines()
        log.warning("%s: trials that share a card take turns: %s", CONTROL, reason[0] if reason else "it failed")
        return False
    return True

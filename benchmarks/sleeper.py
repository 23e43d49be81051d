"""A trial whose fits sleep: a known amount of work that other programs on the machine do not lengthen."""

from __future__ import annotations

import functools
import time
from typing import Any

from trainables.families.closed_form.gaussian import Gaussian
from trainables.lineage import Stream
from trainables.store import Payload
from trainables.tune import CellTrial

WORK = 1.0
"""Seconds of a fit."""

GENERATIONS = 4
CELLS = 24


class SleepingTrial(CellTrial):
    """A cell of Gaussians whose every fit takes a second longer."""

    def setup(self, config: dict[str, Any]) -> None:
        """Make the fits of this process sleep, once."""
        if not hasattr(Gaussian.fit, "__wrapped__"):
            Gaussian.fit = _slept(Gaussian.fit)
        super().setup(config)


def _slept(fit: Any) -> Any:
    @functools.wraps(fit)
    def slept(self: Gaussian, corpus: Any, stream: Stream) -> Payload:
        time.sleep(WORK)
        made: Payload = fit(self, corpus, stream)
        return made

    return slept

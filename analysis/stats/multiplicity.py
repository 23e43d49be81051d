"""p-values corrected for how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def holm(p: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Holm's adjusted p-values: with them the chance of any false rejection is at most the level (Holm 1979).

    To the last digit those of statsmodels' `multipletests`, which collects the whole process's garbage at each call: a
    third of a second where much is loaded.
    """
    given = np.asarray(p, dtype=float)
    rising = np.argsort(given)
    adjusted = np.empty_like(given)
    adjusted[rising] = np.minimum(np.maximum.accumulate(given[rising] * np.arange(len(given), 0, -1)), 1.0)
    return adjusted

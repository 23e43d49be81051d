"""What a scheduler stopped early, taken out of no table: each policy of a configuration is judged over the generations
that all its cells reached.

A scheduler stops what looks bad, so that a mean over those that went on would look too good. Cut at the first stop, a
group holds every one of its cells at every generation that is judged: whom it stopped later does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

STOPPED = "stopped_early"
"""The status of a cell that a scheduler stopped."""
Replicates = Mapping[str, Mapping[str, npt.NDArray[np.float64]]]


def limits(frame: pd.DataFrame) -> dict[str, int]:
    """Last generation that is judged, by cell, of the cells whose group has a stopped one."""
    stopped = frame[frame["status"] == STOPPED]
    if stopped.empty:
        return {}
    group = ["config", "policy"]
    reached = stopped.groupby(["cell", *group], observed=True)["generation"].max()
    first = reached.groupby(level=group).min().rename("limit").reset_index()
    cells = frame.drop_duplicates("cell")[["cell", *group]].merge(first, on=group)
    return {str(cell): int(limit) for cell, limit in zip(cells["cell"], cells["limit"], strict=True)}


def cut(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the generations that only some cells of a group reached because others were stopped."""
    held = limits(frame)
    if not held:
        return frame
    last = frame["cell"].map(held)
    return frame[last.isna() | (frame["generation"] <= last)].reset_index(drop=True)


def cut_replicates(replicates: Replicates, frame: pd.DataFrame) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
    """The same of replicates' values, [replicates, generations] by cell and metric."""
    held = limits(frame)
    return {
        cell: {name: values[:, : held.get(cell, values.shape[1])] for name, values in found.items()}
        for cell, found in replicates.items()
    }

"""Values of every replicate, read from the store: they make each replicate a recursion of its own in the statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trainables.cell import Cell
from trainables.recursion import Steps, reported

if TYPE_CHECKING:
    import pandas as pd

    from trainables.cell import Cell
    from trainables.store import Store

LIMIT = 20_000
"""Records read at most; a study with more is judged from standard errors, and its table says so."""


def read(frame: pd.DataFrame, store: Store, limit: int = LIMIT) -> dict[str, dict[str, np.ndarray]]:
    """Replicates of the cells that have any.

    Args:
        frame: as `analysis.load` gives it.
        store: where the records are.
        limit: records read at most.

    Returns:
        By cell key and metric: [replicates, generations]. Cells whose records are not all in the store are left out.
    """
    if "cell_config" not in frame:
        return {}
    cells = frame[frame["replicates"].fillna(1) > 1].sort_values("generation").drop_duplicates("cell", keep="last")
    if cells["generation"].sum() > limit:
        return {}
    found = {}
    for key, generations, config in zip(cells["cell"], cells["generation"], cells["cell_config"], strict=True):
        values = values_of(parse(config), int(generations), store)
        if values:
            found[str(key)] = values
    return found


def parse(config: str) -> Cell:
    """The cell of a canonical JSON text."""
    return Cell.model_validate_json(config)


def values_of(cell: Cell, generations: int, store: Store) -> dict[str, np.ndarray]:
    """One cell's replicates by metric, [replicates, generations]; empty where the store lacks a record."""
    steps = Steps(cell)
    records = [store.get("record", steps.step(n).record) for n in range(1, generations + 1)]
    tensors = [dict(reported(r, steps, n, store).tensors) for n, r in enumerate(records, 1) if r is not None]
    if len(tensors) < generations or not tensors:
        return {}
    names: Iterable[str] = set.intersection(*(set(t) for t in tensors))
    stacked = {name: np.stack([t[name] for t in tensors], axis=1) for name in names}
    return {name: values for name, values in stacked.items() if values.shape == (cell.replicates, generations)}


def times_until(frame: pd.DataFrame, store: Store, metric: str, value: float) -> pd.DataFrame:
    """Generations until a figure of a recursion first has a value, as one category left is the forgetting time.

    Args:
        frame: as `analysis.load` gives it.
        store: where the records are.
        metric: the figure's name; cells without it are left out.
        value: what it has to be.

    Returns:
        Columns config, policy, seed, replicate, time, reached: the first such generation, and whether there was one;
        else the last generation, at which the time is censored.
    """
    import pandas as pd

    rows = []
    last = frame.sort_values("generation").drop_duplicates("cell", keep="last")
    for cell in last[last[metric].notna()].to_dict("records") if metric in last else ():
        values = values_of(parse(cell["cell_config"]), int(cell["generation"]), store).get(metric)
        for replicate, there in enumerate(() if values is None else values == value):
            reached = bool(there.any())
            time = int(there.argmax()) + 1 if reached else len(there)
            rows.append((cell["config"], cell["policy"], int(cell["seed"]), replicate, time, reached))
    return pd.DataFrame(rows, columns=["config", "policy", "seed", "replicate", "time", "reached"])

"""What only the store holds: what each corpus was made of, and samples to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.data.replicates import parse
from trainables.recursion import Steps

if TYPE_CHECKING:
    import pandas as pd

    from trainables.store import Payload, Store


@dataclass(frozen=True)
class Shown:
    """Files that one generation left to be looked at."""

    config: str
    policy: str
    generation: int
    files: dict[str, bytes]


def representatives(frame: pd.DataFrame, configs: int) -> pd.DataFrame:
    """One cell per policy, of the first `configs` configurations of each family: the lowest seed that got furthest.

    Returns:
        Columns family, config, policy, cell, generation (the last one), cell_config.
    """
    if "cell_config" not in frame:
        return frame.iloc[:0]
    last = frame.sort_values("generation", kind="stable").drop_duplicates("cell", keep="last")
    best = last.sort_values(["generation", "seed"], ascending=[False, True], kind="stable")
    best = best.drop_duplicates(["family", "config", "policy"])
    number = best.groupby("family")["config"].transform(lambda c: c.map({v: i for i, v in enumerate(sorted(set(c)))}))
    chosen = best[number < configs]
    return chosen.sort_values(["family", "config", "policy"])[
        ["family", "config", "policy", "cell", "generation", "cell_config"]
    ]


def compositions(frame: pd.DataFrame, store: Store | None) -> pd.DataFrame:
    """Rows of each corpus by the batch they came from, of one cell per family and policy.

    With a store: what the record's audit says. Without one: real rows and all others, from the frame.

    Returns:
        Columns family, policy, generation, batch (0 real, −1 fresh real, j from model j, 1 for "all others"), rows,
        audited.
    """
    import pandas as pd

    rows = []
    for cell in representatives(frame, 1).to_dict("records") if store is not None else []:
        for n in range(1, int(cell["generation"]) + 1):
            record = _record(store, cell["cell_config"], n)
            audit = record.meta["composition"]["rows_by_batch"] if record is not None else {}
            rows += [
                (cell["family"], cell["policy"], n, int(batch), float(count), True) for batch, count in audit.items()
            ]
    columns = ["family", "policy", "generation", "batch", "rows", "audited"]
    if rows:
        return pd.DataFrame(rows, columns=columns)
    first = frame.drop_duplicates(["family", "policy", "generation"])
    first = first[first["real_fraction"].notna() & first["corpus_rows"].notna()]
    real = first.assign(batch=0, rows=first["corpus_rows"] * first["real_fraction"], audited=False)
    other = first.assign(batch=1, rows=first["corpus_rows"] * (1 - first["real_fraction"]), audited=False)
    return pd.concat([real, other], ignore_index=True)[columns]


def samples(frame: pd.DataFrame, store: Store, generations: int = 3, configs: int = 1) -> list[Shown]:
    """Files kept with records: first, last and evenly spaced generations of one cell per policy.

    Args:
        frame: as `analysis.load` gives it.
        store: where the records are.
        generations: of each cell.
        configs: configurations of each family.
    """
    found = []
    for cell in representatives(frame, configs).to_dict("records"):
        for n in np.unique(np.linspace(1, int(cell["generation"]), generations).round().astype(int)):
            record = _record(store, cell["cell_config"], int(n))
            if record is not None and record.files:
                found.append(Shown(cell["config"], cell["policy"], int(n), dict(record.files)))
    return found


def _record(store: Store | None, config: str, generation: int) -> Payload | None:
    """A generation's record, None where the store has none, or where it is of a failed generation."""
    held = None if store is None else store.get("record", Steps(parse(config)).step(generation).record)
    return None if held is None or "failed" in held.meta else held

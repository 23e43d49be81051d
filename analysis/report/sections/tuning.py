"""What was tuned before a study: a table of every setting that was tried, and the report's part on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.data import settings
from analysis.report import tables
from analysis.report.context import Exhibit, Section

if TYPE_CHECKING:
    import pandas as pd


def tuning_section(rows: Sequence[Mapping[str, Any]]) -> Section | None:
    """The report's part on tuning; None where nothing was tuned.

    Args:
        rows: one per size and setting: `block`, `size` and `values` by path, `loss` (None where it is not known, inf
            where training diverged), `chosen`.
    """
    if not rows:
        return None
    found = table(rows)
    shown = found.assign(
        validation_loss=["diverged" if value == float("inf") else tables.number(value) for value in found["loss"]],
        chosen=found["chosen"].map({True: "chosen", False: ""}),
    ).drop(columns="loss")
    caption = (
        "Settings tried for each size. Loss of generation 1 on validation rows, neither trained nor tested on; "
        "the setting with the least of them is frozen for every policy, seed and generation of that size."
    )
    text = [
        "These hyperparameters were tuned for each size before any policy was run, on generation 1, which all policies "
        "share. The held-out test rows took no part in it."
    ]
    return Section("tuning", "What was tuned first", text, (), [Exhibit("tuning", caption, found, shown)])


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per size and setting; columns block (where any has a name), size, the tuned paths, loss, chosen."""
    import pandas as pd

    found = pd.DataFrame(
        [
            {"block": row["block"], "size": size}
            | {path.removeprefix("family."): value for path, value in row["values"].items()}
            | {"loss": float("nan") if row["loss"] is None else row["loss"], "chosen": row["chosen"]}
            for size, row in zip(settings([row["size"] for row in rows]), rows, strict=True)
        ]
    )
    return found if found["block"].astype(bool).any() else found.drop(columns="block")

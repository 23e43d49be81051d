"""An assessment as notebooks and terminals show it: the robustness table, verdicts by word, symbol and colour."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from analysis.report import tables
from analysis.verdicts import BAD, GOOD, SEPARATED

if TYPE_CHECKING:
    import pandas as pd

_COLORS = {**dict.fromkeys(BAD | {SEPARATED}, "#c2410c"), **dict.fromkeys(GOOD, "#0a7d57")}


@dataclass(frozen=True)
class Assessment:
    """What became of each configuration under each policy: `Assessment(analysis.assess(workspace, study))`.

    Attributes:
        table: every figure, a row per configuration, policy and judged metric; columns as in
            `analysis.verdicts.robustness.assess`.
        title: what it is about.
    """

    table: pd.DataFrame = field(repr=False)
    title: str = ""

    def verdict(self, policy: str, config: str | None = None, metric: str = "test_loss") -> str:
        """The word on a policy.

        Raises:
            KeyError: there is no such row, or several, of which `config` would name one.
        """
        held = self.table[(self.table["policy"] == policy) & (self.table["metric"] == metric)]
        held = held if config is None else held[held["config"] == config]
        if len(held) != 1:
            raise KeyError(f"{len(held)} rows of policy {policy!r} and metric {metric!r}; name one by `config`")
        return str(held["verdict"].iloc[0])

    def __str__(self) -> str:
        """The wide table as text."""
        return tables.render(tables.robustness(self.table))

    def _repr_html_(self) -> str:
        """The wide table as HTML."""
        wide = tables.plain(tables.robustness(self.table))
        head = "".join(f"<th>{escape(str(column))}</th>" for column in wide.columns)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in wide.to_numpy().tolist())
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    text = str(value)
    color = next((color for word, color in _COLORS.items() if f"{tables.SYMBOLS[word]} {word}" in text), "")
    style = f' style="color:{color}"' if color else ""
    return f"<td{style}>{escape(text)}</td>"

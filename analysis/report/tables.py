"""Tables for people: the wide robustness table, and any table as text, Markdown, LaTeX, CSV and Parquet."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data import NAMES, order
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

SYMBOLS = {DIVERGED: "✕", SEPARATED: "◇", COLLAPSES: "▲", RISES: "△", SLOW: "△", LEVELS: "■", STABLE: "■"}
"""Verdicts are told by word and symbol, never by colour alone."""


def robustness(assessment: pd.DataFrame) -> pd.DataFrame:
    """The wide table: one row per configuration and metric, one column per policy.

    An entry reads "growth [low, high] ×ratio verdict"; with a closed form a last line gives the theory's growth.
    Columns of names that are empty throughout are left out.

    Args:
        assessment: as `analysis.verdicts.robustness.assess` gives it.
    """
    import pandas as pd

    if assessment.empty:
        return pd.DataFrame(columns=["family"])
    entries = assessment.assign(entry=[entry(row) for row in assessment.itertuples()])
    keys = [*NAMES, "metric"]
    rank = {config: i for i, config in enumerate(dict.fromkeys(assessment["config"]))}
    wide = entries.pivot(index=["config", *keys, "unit"], columns="policy", values="entry").reset_index()
    wide = wide.sort_values(["config", "metric"], key=lambda c: c.map(rank) if c.name == "config" else c)
    wide = wide.reset_index(drop=True).rename_axis(columns=None)
    names = [c for c in [*keys, "unit"] if c in ("family", "metric") or wide[c].astype(bool).any()]
    return wide[[*names, *order(assessment["policy"])]].fillna("")


def entry(row: Any) -> str:
    """One entry of the table, from a row of the assessment."""
    text = interval(row.growth, row.growth_low, row.growth_high)
    if math.isfinite(row.ratio):
        text += f" ×{number(row.ratio)}"
    text += f" {SYMBOLS.get(row.verdict, '○')} {row.verdict}"
    if row.stopped:
        text += f" ({row.stopped} of its cells stopped early: {row.generations} generations)"
    if math.isfinite(row.theory_growth):
        z = f", z {row.theory_z:+.1f}" if math.isfinite(row.theory_z) else ""
        text += f" (theory {number(row.theory_growth)}{z})"
    return text


def interval(estimate: float, low: float, high: float, sign: str = "+") -> str:
    """Estimate and bounds with digits that fit the interval's width; `sign` "-" leaves plus signs out."""
    if not math.isfinite(low):
        return number(estimate)
    digits = _digits(high - low)
    form = f"{sign}.{digits}f" if digits <= 5 else f"{sign}.2e"
    shown = [format(value, form).replace("-", "−") for value in (estimate, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def number(value: Any) -> str:
    """A number in three significant digits; text and integers as they are, missing values empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.3g}"


def probability(p: float) -> str:
    """A p-value; tiny ones as a bound."""
    if math.isnan(p):
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every value as text."""
    return table.map(lambda value: number(value.item() if hasattr(value, "item") else value))


def markdown(table: pd.DataFrame) -> str:
    """A GitHub table."""
    text = plain(table)
    rows = [list(text.columns), ["---"] * len(text.columns), *text.to_numpy().tolist()]
    lines = [[" ".join(str(cell).replace("|", "\\|").split()) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(table: pd.DataFrame, caption: str = "") -> str:
    r"""A `tabular` between booktabs rules; needs `\usepackage{booktabs}` and no other package."""
    text = plain(table)
    head = " & ".join(rf"\textbf{{{_tex(str(c))}}}" for c in text.columns)
    body = [" & ".join(_tex(str(c)) for c in row) + r" \\" for row in text.to_numpy().tolist()]
    lines = [
        *([f"% {caption}"] if caption else []),
        rf"\begin{{tabular}}{{{'l' * len(text.columns)}}}",
        r"\toprule",
        head + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def write(table: pd.DataFrame, folder: Path, name: str, shown: pd.DataFrame | None = None) -> dict[str, Path]:
    """The table as `<name>.csv` and `.parquet` (full precision), `.md` and `.tex` (`shown`, or the table itself).

    Returns:
        Paths by file name.
    """
    people = table if shown is None else shown
    paths = {end: folder / f"{name}.{end}" for end in ("csv", "parquet", "md", "tex")}
    table.to_csv(paths["csv"], index=False)
    table.to_parquet(paths["parquet"], index=False)
    paths["md"].write_text(markdown(people), encoding="utf-8")
    paths["tex"].write_text(latex(people, name), encoding="utf-8")
    return {path.name: path for path in paths.values()}


def render(table: pd.DataFrame, width: int | None = None) -> str:
    """The table for a terminal, wrapped to its width, without colours."""
    from rich.console import Console

    console = Console(width=width, no_color=True, record=False)
    with console.capture() as capture:
        console.print(rich_table(table))
    return capture.get()


def rich_table(table: pd.DataFrame) -> Table:
    """The table as rich prints it; verdicts are coloured where the terminal has colours."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        made.add_column(Text(str(column)), overflow="fold")
    for row in plain(table).to_numpy().tolist():
        made.add_row(*(Text(str(cell), style=_style(str(cell))) for cell in row))
    return made


def _style(cell: str) -> str:
    return next((style for word, style in _STYLES.items() if word in cell), "")


def _digits(width: float) -> int:
    """Decimals that show an interval's width in two significant digits."""
    return max(0, 1 - math.floor(math.log10(width))) if width > 0 else 4


_STYLES = {
    DIVERGED: "red",
    SEPARATED: "red",
    COLLAPSES: "red",
    RISES: "yellow",
    SLOW: "yellow",
    LEVELS: "green",
    STABLE: "green",
}
_TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "▲": r"$\uparrow$",
    "✕": r"$\times$", "△": r"$\nearrow$", "■": r"$\bullet$",
    "○": r"$\circ$", "×": r"$\times$", "·": r"$\cdot$", "Σ": r"$\Sigma$", "σ": r"$\sigma$", "λ": r"$\lambda$",
    "τ": r"$\tau$", "κ": r"$\kappa$", "α": r"$\alpha$", "β": r"$\beta$", "²": "$^2$", "₁": "$_1$", "≤": r"$\leq$",
    "≥": r"$\geq$", "−": "$-$", "π": r"$\pi$", "∞": r"$\infty$", "→": r"$\to$", "–": "--",
    "<": "$<$", ">": "$>$", "|": "$|$", "Δ": r"$\Delta$", "₂": "$_2$", "±": r"$\pm$", "ℓ": r"$\ell$",
}  # fmt: skip


def _tex(text: str) -> str:
    import unicodedata

    known = "".join(_TEX.get(c, c) for c in text)
    return unicodedata.normalize("NFKD", known).encode("ascii", "ignore").decode()

"""Tables for people: the wide robustness table, and any table as text, Markdown, LaTeX, CSV and Parquet."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data import NAMES, order, title
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE, Thresholds, reached_from

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

NAMING = frozenset({*NAMES, "metric", "unit", "configuration", "study", "policy"})
"""Columns that say what a row is about."""
SYMBOLS = {DIVERGED: "✕", SEPARATED: "◇", COLLAPSES: "▲", RISES: "△", SLOW: "△", LEVELS: "■", STABLE: "■"}
"""Verdicts are told by word and symbol, never by colour alone."""
GAP = 3
"""Characters between two columns on a terminal."""
LINE = 66
"""Characters of the smallest type in a paper's column of 3.3 inches."""


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


def narrow(assessment: pd.DataFrame) -> pd.DataFrame:
    """The table for a column of a paper: one row per configuration, metric and policy, growth and verdict alone."""
    import pandas as pd

    if assessment.empty:
        return pd.DataFrame(columns=["policy"])
    rank = {policy: i for i, policy in enumerate(order(assessment["policy"]))}
    place = dict(zip(assessment["config"], range(len(assessment)), strict=True))
    found = assessment.sort_values("policy", key=lambda c: c.map(rank), kind="stable")
    found = found.sort_values("metric", key=lambda c: c.ne("test_loss"), kind="stable")
    found = found.sort_values("config", key=lambda c: c.map(place), kind="stable")
    growth = found[["growth", "growth_low", "growth_high"]].itertuples(index=False, name=None)
    columns = {
        "configuration": [title(row) for _, row in found[[*NAMES]].iterrows()],
        "metric": list(found["metric"]),
        "policy": list(found["policy"]),
        "growth": [interval(*values) for values in growth],
        "verdict": [f"{SYMBOLS.get(word, '○')} {word}" for word in found["verdict"]],
    }
    if found["metric"].nunique() == 1:
        del columns["metric"]
    return pd.DataFrame(columns)


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


def few_generations(assessment: pd.DataFrame, thresholds: Thresholds | None = None) -> str:
    """Says from how few generations the words for no rise, or a small one, are; empty where they would do for others.

    Args:
        assessment: as `analysis.verdicts.robustness.assess` gives it, not empty.
        thresholds: of its verdicts.
    """
    least = reached_from(thresholds)[COLLAPSES]
    short = assessment[assessment["generations"] < least]
    reach = {word: short.loc[short["verdict"] == word, "generations"] for word in (SLOW, STABLE)}
    told = [f"“{word}” from {between(str(n.min()), str(n.max()))}" for word, n in reach.items() if len(n)]
    return f"Of few generations: {', '.join(told)}; whether there is a bound is told from {least} on." if told else ""


LARGE = 1e7
"""Numbers from here on are shown with a power of ten."""


def interval(estimate: float, low: float, high: float, sign: str = "+") -> str:
    """Estimate and bounds with digits that fit the width, of large numbers three; `sign` "-" leaves plus signs out."""
    if not math.isfinite(low):
        return number(estimate)
    digits = _digits(high - low)
    plain = digits <= 5 and max(abs(low), abs(high)) < LARGE
    form = f"{sign}.{digits}f" if plain else f"{sign}.2e"
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


def percent(share: float) -> str:
    """A share in per cent, with two significant digits."""
    value = 100 * share
    return f"{value:,.0f} %".replace("-", "−") if abs(value) >= 10 else f"{value:.2g} %".replace("-", "−")


def between(low: str, high: str) -> str:
    """A range in words; one value where both are alike."""
    return low if low == high else f"{low} to {high}"


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
    r"""A `tabular` as wide as the text or column it stands in, between booktabs rules; needs
    `\usepackage{booktabs}` and no other package. Cells wrap; columns share the width by their longest words and texts.
    """
    text = plain(table)
    cells = [[str(c) for c in text.columns], *([str(c) for c in row] for row in text.to_numpy().tolist())]
    head, *body = [" & ".join(rf"\raggedright {_tex(c)}" for c in row) + r" \tabularnewline" for row in cells]
    columns = "".join(rf"p{{{share:.3f}\linewidth}}" for share in shares(cells))
    lines = [
        *([f"% {caption}"] if caption else []),
        r"{\scriptsize\setlength{\tabcolsep}{2pt}%",
        rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
    ]
    return "\n".join(lines) + "\n"


def shares(cells: list[list[str]]) -> list[float]:
    """Shares of a line for a table's columns: their longest word's, and what is left by the lengths of their texts.

    A word is what LaTeX can't break: `_tex` lets lines end after `_`, `,` and `=`.
    """
    columns = list(zip(*cells, strict=True))
    words = [max(len(w) for c in column for w in re.split(r"[\s_,=]+", c)) + 1 for column in columns]
    texts = [max(len(c) for c in column) ** 0.5 for column in columns]
    room = 0.97 - 0.01 * len(columns)
    left = max(0.0, LINE - sum(words))
    widths = [word + left * text / sum(texts) for word, text in zip(words, texts, strict=True)]
    return [room * width / sum(widths) for width in widths]


def write(
    table: pd.DataFrame,
    folder: Path,
    name: str,
    shown: pd.DataFrame | None = None,
    column: pd.DataFrame | None = None,
) -> dict[str, Path]:
    """The table as `<name>.csv` and `.parquet` (full precision), `.md` (`shown`, or the table itself) and `.tex`
    (`column`, or the same).

    Returns:
        Paths by file name.
    """
    people = table if shown is None else shown
    paths = {end: folder / f"{name}.{end}" for end in ("csv", "parquet", "md", "tex")}
    table.to_csv(paths["csv"], index=False)
    table.to_parquet(paths["parquet"], index=False)
    paths["md"].write_text(markdown(people), encoding="utf-8")
    paths["tex"].write_text(latex(people if column is None else column, name), encoding="utf-8")
    return {path.name: path for path in paths.values()}


def render(table: pd.DataFrame, width: int | None = None) -> str:
    """The table for a terminal, fitted to its width, without colours."""
    from rich.console import Console

    console = Console(width=width, no_color=True, record=False)
    with console.capture() as capture:
        show(table, console)
    return capture.get()


def show(table: pd.DataFrame, console: Console) -> None:
    """Print the table, wrapped between words; where its columns are too narrow for their longest words, the entries of
    each row below each other."""
    widths = _widths(table, console.width)
    for made in [rich_table(table, widths)] if widths else rich_rows(table):
        console.print(made)


def rich_table(table: pd.DataFrame, widths: Sequence[int] = ()) -> Table:
    """The table as rich prints it, its columns of these widths where some are given; verdicts are coloured where the
    terminal has colours."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(table.columns):
        made.add_column(Text(str(column)), overflow="fold", width=widths[number] if widths else None)
    for row in plain(table).to_numpy().tolist():
        made.add_row(*(Text(str(cell), style=_style(str(cell))) for cell in row))
    return made


def _widths(table: pd.DataFrame, width: int) -> list[int]:
    """Characters of each column on a terminal: its longest word at least, and of what is left as much as it can use;
    empty where the words do not fit."""
    columns = [
        [str(cell) for cell in cells] for cells in zip(table.columns, *plain(table).to_numpy().tolist(), strict=True)
    ]
    words = [max((len(word) for cell in cells for word in cell.split()), default=1) for cells in columns]
    wanted = [max(map(len, cells)) - word for cells, word in zip(columns, words, strict=True)]
    left = width - sum(words) - GAP * len(columns)
    if left < 0:
        return []
    share = min(1.0, left / max(1, sum(wanted)))
    return [word + int(share * more) for word, more in zip(words, wanted, strict=True)]


def rich_rows(table: pd.DataFrame) -> Iterator[Table]:
    """Each row on its own: what names it in a line, below it the other columns by name."""
    from rich.table import Table
    from rich.text import Text

    names = [column for column in table.columns if column in NAMING]
    for row in plain(table).to_dict("records"):
        made = Table(
            title=Text(" · ".join(str(row[name]) for name in names if str(row[name])), style="bold"),
            title_justify="left",
            box=None,
            show_header=False,
            padding=(0, 0, 0, 2),
        )
        made.add_column(overflow="fold")
        made.add_column(overflow="fold")
        for name, cell in row.items():
            if name not in names and str(cell):
                made.add_row(Text(str(name)), Text(str(cell), style=_style(str(cell))))
        yield made


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
    "\\": r"\textbackslash{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_\allowbreak{}", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "▲": r"$\uparrow$",
    "✕": r"$\times$", "△": r"$\nearrow$", "■": r"$\bullet$",
    "○": r"$\circ$", "×": r"$\times$", "·": r"$\cdot$", "Σ": r"$\Sigma$", "σ": r"$\sigma$", "λ": r"$\lambda$",
    "τ": r"$\tau$", "κ": r"$\kappa$", "α": r"$\alpha$", "β": r"$\beta$", "²": "$^2$", "₁": "$_1$", "≤": r"$\leq$",
    "≥": r"$\geq$", "−": "$-$", "π": r"$\pi$", "∞": r"$\infty$", "→": r"$\to$", "–": "--",
    "<": "$<$", ">": "$>$", "|": "$|$", "Δ": r"$\Delta$", "₂": "$_2$", "±": r"$\pm$", "ℓ": r"$\ell$",
    "“": "``", "”": "''", "’": "'", "…": r"\dots{}", "½": "1/2", "¼": "1/4", "¾": "3/4", "μ": r"$\mu$", "χ": r"$\chi$",
    "√": r"$\surd$", "≈": r"$\approx$", "≠": r"$\neq$", "ε": r"$\varepsilon$", "θ": r"$\theta$", "—": "---",
    ",": r",\allowbreak{}", "=": r"=\allowbreak{}", "↑": r"$\uparrow$",
    "Π": r"$\Pi$", "δ": r"$\delta$", "ν": r"$\nu$", "ρ": r"$\rho$",
    "ψ": r"$\psi$", "‖": r"$\|$", "⁻": "$^-$", "↓": r"$\downarrow$",
}  # fmt: skip


def _tex(text: str) -> str:
    import unicodedata

    known = "".join(_TEX.get(c, c) for c in text)
    return unicodedata.normalize("NFKD", known).encode("ascii", "ignore").decode()

"""The head of a report: what was studied, on which data, how much of it, and what made the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from analysis.data import BROKEN, FAILED, STOPPED
from analysis.report import tables
from analysis.report.context import ReportContext

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Facts:
    """What stands under the title.

    Attributes:
        description: what is asked, in a line; empty where nobody said.
        terms: term and what it is, in order.
        warnings: what a reader must know, as of cells that did not run to their end.
    """

    description: str = ""
    terms: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def facts_of(study: ReportContext) -> Facts:
    """The head of a study's report."""
    frame = study.frame
    cells = frame.drop_duplicates("cell")
    size = (
        f"{_count(frame['config'].nunique(), 'configuration')} × {_policies(frame['policy'].nunique())} × "
        f"{_seeds(cells)}: {_count(len(cells), 'cell')}, {_count(len(frame), 'generation')}"
    )
    reached = frame.groupby("cell")["generation"].max()
    terms = (
        ("Size", size),
        ("Recursions", _recursions(study)),
        ("Data", _data_by_family(cells)),
        ("Rows of real data", _by_family(cells, "rows")),
        ("Generations", _by_family(cells.assign(reached=cells["cell"].map(reached)), "reached")),
        ("Made", f"{study.made:%-d %B %Y} by collapse-sweep {_version()}"),
    )
    return Facts(study.description, tuple(term for term in terms if term[1]), (*_warnings(cells), *study.notes))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _policies(number: int) -> str:
    return "1 policy" if number == 1 else f"{number:,} policies"


def _seeds(cells: pd.DataFrame) -> str:
    """How many seeds an entry has, where they differ from the fewest to the most."""
    held = cells.groupby(["config", "policy"])["seed"].nunique()
    return f"{tables.between(f'{held.min():,}', f'{held.max():,}')} seed{'' if held.max() == 1 else 's'}"


def _recursions(study: ReportContext) -> str:
    """Independent recursions an entry of the table rests on."""
    runs = study.loss["runs"] if len(study.loss) else study.loss
    if not len(runs):
        return ""
    return f"{tables.between(f'{runs.min():,}', f'{runs.max():,}')} independent ones in each entry"


def _by_family(rows: pd.DataFrame, column: str) -> str:
    """A column's range; by family where these differ."""
    held = rows.dropna(subset=[column])
    ranges = {
        str(family): tables.between(f"{own[column].min():,.0f}", f"{own[column].max():,.0f}")
        for family, own in held.groupby("family", sort=True)
    }
    if len(set(ranges.values())) == 1:
        return next(iter(ranges.values()))
    return "; ".join(f"{family}: {text}" for family, text in ranges.items())


def _data_by_family(cells: pd.DataFrame) -> str:
    """Where real rows come from; families of which nothing is recorded are left out."""
    held = {str(family): _data(own) for family, own in cells.groupby("family", sort=True)}
    return "; ".join(f"{family}: {text}" for family, text in held.items() if text)


def _data(cells: pd.DataFrame) -> str:
    """Where a family's real rows come from: its configs' `source`; one that has none draws them."""
    configs = cells["cell_config"].dropna().drop_duplicates()[:200] if "cell_config" in cells else ()
    named = list(dict.fromkeys(name for name in map(_source, configs) if name))
    if len(configs) and not named:
        return "drawn from a known distribution"
    return ", ".join(named[:4]) + (f" and {len(named) - 4} more" if len(named) > 4 else "")


def _source(config: Any) -> str:
    """Kind of a cell's data and, of files, their name without the folder."""
    family = json.loads(config).get("family", {}) if isinstance(config, str) else {}
    source = family.get("source") if isinstance(family, Mapping) else None
    if not isinstance(source, Mapping):
        return ""
    place = next((source[key] for key in ("path", "name", "repository") if isinstance(source.get(key), str)), "")
    return " ".join(part for part in (str(source.get("kind", "")), place.rstrip("/").rpartition("/")[2]) if part)


def _warnings(cells: pd.DataFrame) -> list[str]:
    said = []
    failed = int(cells["status"].isin((FAILED, BROKEN)).sum())
    if failed:
        said.append(f"{_count(failed, 'cell')} failed{_reasons(cells)}; earlier generations are included.")
    stopped = int((cells["status"] == STOPPED).sum())
    if stopped:
        said.append(
            f"A scheduler stopped {_count(stopped, 'cell')} early; each policy of a configuration is judged over the "
            "generations that all its cells reached, and time to collapse counts them as censored."
        )
    return said


def _reasons(cells: pd.DataFrame) -> str:
    """Why, where that is known: the most frequent reasons first."""
    if "reason" not in cells:
        return ""
    known = cells.loc[cells["status"].isin((FAILED, BROKEN)) & cells["reason"].astype(bool), "reason"].value_counts()
    told = [f"{reason} ({count})" if len(known) > 1 else str(reason) for reason, count in known.head(3).items()]
    return f": {'; '.join(told)}" if told else ""


def _version() -> str:
    try:
        return version("collapse-sweep")
    except PackageNotFoundError:
        return "(not installed)"

"""What a search has found: its best suggestion, or with several objectives the Pareto front. Printed, and kept with
the report, which MLflow shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sweep.scheduling import Board
from sweep.terminal import columns
from trainables.runtime import write_whole

FILE = "search.json"
TAG = "collapse_sweep.search"
"""Tag of the study's run that holds the same, cut to MLflow's length."""


def searches(board: Board) -> list[dict[str, Any]]:
    """Every search of a study that has found something."""
    return [plain for plain in (source.summary() for source in board.searches) if plain is not None]


def write(found: Sequence[dict[str, Any]], folder: Path) -> None:
    """Keep what was found beside the report."""
    if found:
        write_whole(folder / FILE, json.dumps(found, indent=1) + "\n")


def lines(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What was found, for people."""
    for plain in found:
        yield _headline(plain)
        if plain["best"]:
            yield _table(plain)


def _headline(plain: dict[str, Any]) -> str:
    sought = ", ".join(f"{name} ({mode})" for name, mode in zip(plain["objectives"], plain["modes"], strict=True))
    counts = [f"{plain['suggestions']} suggestions of {plain['sampler']}"]
    counts += [f"{plain['failed']} failed"] if plain["failed"] else []
    counts += [f"{plain['stopped_early']} stopped early"] if plain["stopped_early"] else []
    counts += [f"begun from {count} of {name}" for name, count in plain["warm_start"].items()]
    what = "Pareto front" if len(plain["objectives"]) > 1 else "Best"
    return f"{what} of {', '.join(counts)}; objective {sought}:"


def _table(plain: dict[str, Any]) -> str:
    paths = list(dict.fromkeys(path for one in plain["best"] for path in one["at"]))
    head = ["suggestion", *plain["objectives"], *paths]
    rows = [
        [str(one["number"]), *(f"{value:.6g}" for value in one["values"].values())]
        + [_short(one["at"].get(path, "")) for path in paths]
        for one in plain["best"]
    ]
    return columns([head, *rows])


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

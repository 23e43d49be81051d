"""Runs as plain files: tables of CSV, or one file of JSON lines. What a killed run left half written is cut off."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from search_spaces import Study
from sweep.scheduling import Job
from sweep.tracking.ledger import Ledger, Shown, local_folder, reported
from sweep.tracking.schema import Figures, flatten, identity_tags
from sweep.tracking.summaries import Summary
from sweep.workspace import Workspace

_CELL = ("study", "cell", "family", "policy", "architecture", "size", "seed")
_TOLD = ("policy.kind", "family.kind", "family.architecture", "family.size", "seed", "generations")
"""What a study sets of a cell that a row's other columns tell."""
CELLS_AFTER = 200
"""Changes of state after which the table of cells is written again, at the latest."""


class CsvTracker(Ledger):
    """A folder for each study: `generations.csv` (a row per cell and generation, with what the study set of it, which
    `report` and pandas read), `cells.csv`, `summaries.csv`, `study.json`.

    Args:
        uri: `csv://FOLDER`.
        study: whose runs these are.

    Raises:
        TrackingError: by every method, when the folder can't be used.
    """

    def __init__(self, uri: str, study: Study, workspace: Workspace, beside: bool = False) -> None:
        super().__init__(uri)
        self._study, self._folder = study.name, local_folder(uri) / study.name
        self._states: dict[str, dict[str, str]] = {}
        self._unwritten = 0
        with reported(uri):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._table = self._folder / "generations.csv"
            cut_line(self._table)
            rows = _read(self._table)
            self._columns = list(rows[0]) if rows else []
            self._done: dict[str, set[int]] = {}
            for row in rows:
                self._done.setdefault(row["cell"], set()).add(int(row["generation"]))
            self._states = {row["cell"]: row for row in _read(self._folder / "cells.csv")}
        self._rows: list[dict[str, str]] | None = None

    def find(self, job: Job) -> Shown:
        """What the tables have."""
        row = self._states.get(job.key, {})
        state = {name: row[name] for name in _STATE if name in row}
        return Shown(self._done.get(job.key, set()), state)

    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        """A row; metrics that are new to the table are a new column of it."""
        tags = identity_tags(self._study, job)
        row = {name: tags[name] for name in _CELL} | _settings(job) | {"generation": str(generation)}
        row |= {name: repr(float(value)) for name, value in metrics.items()}
        fresh = [name for name in row if name not in self._columns]
        if fresh:
            held = _read(self._table)
            self._columns += fresh
            _write(self._table, held, self._columns)
        with self._table.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns, restval="").writerow(row)

    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        """A row of the table of cells, which is written at the end, and now and then."""
        tags = identity_tags(self._study, job)
        figures = {name: repr(value) for name, value in statistics.items()}
        self._states[job.key] = {name: tags[name] for name in _CELL} | dict(state) | figures
        self._unwritten += 1
        if self._unwritten >= CELLS_AFTER:
            self._write_cells()

    def write_study(self, tags: Mapping[str, str]) -> None:
        """The study's own file."""
        path = self._folder / "study.json"
        held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"study": self._study}
        _replace(path, json.dumps(held | dict(tags), indent=1) + "\n")

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """A row per configuration, policy, metric and generation."""
        with reported(self.uri):
            rows = [row for summary in summaries for row in _points(summary)]
            if rows:
                _write(self._folder / "summaries.csv", rows, list(dict.fromkeys(name for row in rows for name in row)))

    def figures(self, job: Job) -> Figures:
        """What the table of generations has."""
        if self._rows is None:
            self._rows = _read(self._table)
        rows = [row for row in self._rows if row["cell"] == job.key]
        about = {*_CELL, *_settings(job), "generation"}
        return {
            (name, int(row["generation"])): float(text)
            for row in rows
            for name, text in row.items()
            if text and name not in about
        }

    def remove(self, job: Job) -> None:
        """Its rows of both tables."""
        _write(self._table, [row for row in _read(self._table) if row["cell"] != job.key], self._columns)
        self._states.pop(job.key, None)

    def finish(self) -> None:
        """Write the table of cells."""
        if self._unwritten:
            self._write_cells()

    def _write_cells(self) -> None:
        rows = list(self._states.values())
        _write(self._folder / "cells.csv", rows, list(dict.fromkeys(name for row in rows for name in row)))
        self._unwritten = 0


def _settings(job: Job) -> dict[str, str]:
    """What the study's space set of a cell, by path: cells that differ in nothing else are other configurations."""
    told = {path: value for path, value in flatten(job.values).items() if path not in _TOLD}
    return {path: value if isinstance(value, str) else json.dumps(value) for path, value in told.items()}


_STATE = ("status", "generations", "config", "reason", "failed_generation", "error")


def _points(summary: Summary) -> Iterable[dict[str, str]]:
    """A summary's curves, one row per metric and generation."""
    means = [name for name in summary.curves if f"verdict.{name}" in summary.tags]
    for metric in means:
        low, high = (summary.curves.get(f"{metric}_{end}", {}) for end in ("low", "high"))
        about = {name: text for name, text in summary.tags.items() if not name.startswith(("verdict", "reason"))}
        about |= {"metric": metric, "verdict": summary.tags[f"verdict.{metric}"]}
        for generation, mean in summary.curves[metric].items():
            bounds = {"low": low.get(generation), "high": high.get(generation)}
            figures = {name: "" if value is None else repr(value) for name, value in bounds.items()}
            yield about | {"generation": str(generation), "mean": repr(mean)} | figures


class JsonLinesTracker(Ledger):
    """A file for each study, `FOLDER/STUDY.jsonl`: a line for everything that happened, `event` says what.

    Args:
        uri: `jsonl://FOLDER`.
        study: whose runs these are.

    Raises:
        TrackingError: by every method, when the folder can't be used.
    """

    def __init__(self, uri: str, study: Study, workspace: Workspace, beside: bool = False) -> None:
        super().__init__(uri)
        self._study = study.name
        self._path = local_folder(uri) / f"{study.name}.jsonl"
        self._there: dict[str, Shown] = {}
        self._concluded: dict[str, str] = {}
        self._figures: dict[str, dict[tuple[str, int], float]] | None = None
        with reported(uri):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            cut_line(self._path)
            for line in lines_of(self._path):
                self._remember(json.loads(line), line)

    def find(self, job: Job) -> Shown:
        """What the lines say."""
        return self._there.get(job.key, Shown())

    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        """A line `generation`; numbers that JSON lacks are their names, as in Python's `float`."""
        figures = {name: _plain(value) for name, value in metrics.items()}
        self._add({"event": "generation", "cell": job.key, "generation": generation, "metrics": figures})

    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        """A line `cell`; the first of a cell has its parameters too."""
        about: dict[str, Any] = {"event": "cell", **identity_tags(self._study, job), "state": dict(state)}
        if not self._held(job).state:
            about["params"] = flatten(job.cell.canonical())
        self._add(about | ({"statistics": dict(statistics)} if statistics else {}))

    def write_study(self, tags: Mapping[str, str]) -> None:
        """A line `study`."""
        self._add({"event": "study", "study": self._study, **tags})

    def figures(self, job: Job) -> Figures:
        """What the lines `generation` say."""
        if self._figures is None:
            self._figures = {}
            for event in map(json.loads, lines_of(self._path)):
                if event["event"] == "generation":
                    told = {(name, event["generation"]): float(text) for name, text in event["metrics"].items()}
                    self._figures.setdefault(event["cell"], {}).update(told)
        return self._figures.get(job.key, {})

    def remove(self, job: Job) -> None:
        """Its lines."""
        kept = [line for line in lines_of(self._path) if json.loads(line).get("cell") != job.key]
        _replace(self._path, "".join(f"{line}\n" for line in kept))

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """A line `summary` for each that has changed; the last of a key counts."""
        with reported(self.uri):
            for one in summaries:
                curves = {name: {str(n): value for n, value in curve.items()} for name, curve in one.curves.items()}
                told = {"event": "summary", "key": one.key, "title": one.title, "tags": dict(one.tags)}
                line = _line(told | {"curves": curves, "statistics": dict(one.statistics)})
                if self._concluded.get(one.key) != line:
                    self._concluded[one.key] = line
                    _append(self._path, line)

    def _add(self, event: Mapping[str, Any]) -> None:
        _append(self._path, _line(event))

    def _remember(self, event: Mapping[str, Any], line: str) -> None:
        if event["event"] == "generation":
            self._there.setdefault(event["cell"], Shown()).generations.add(event["generation"])
        elif event["event"] == "cell":
            self._there.setdefault(event["cell"], Shown()).state = event["state"]
        elif event["event"] == "summary":
            self._concluded[event["key"]] = line


def _plain(value: float) -> float | str:
    return value if abs(value) < float("inf") else str(float(value))


def _line(event: Mapping[str, Any]) -> str:
    return json.dumps(event, allow_nan=False)


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def lines_of(path: Path) -> list[str]:
    """Lines of a file that need not be there."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def cut_line(path: Path) -> None:
    """Drop a last line that was not written to its end."""
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)


def _read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> None:
    fresh = path.with_suffix(".tmp")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(fresh, path)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)

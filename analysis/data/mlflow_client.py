"""Reads cells through MLflow's client: any tracking URI, one request per metric and run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from analysis.data.artifact_places import is_own
from analysis.data.runs import CellRun, Points, cell_runs, restore
from trainables.runtime import redact_urls

_PAGE = 1000
_THREADS = 8


def read(uri: str, study: str | None) -> tuple[list[CellRun], Points]:
    """Cells and metric points behind a tracking URI.

    Args:
        uri: any MLflow tracking URI.
        study: only this study's cells, None for all.

    Raises:
        ValueError: the server can't be reached or refuses; one line.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri)
        held = {run.info.run_id: run for run in _search(client, study)}
        cells = cell_runs({run: found.data.tags for run, found in held.items()}, study)
        runs = [CellRun(run, found, _config(uri, client, held[run])) for run, found in cells.items()]
        return runs, _points(client, [held[run] for run in cells])
    except MlflowException as problem:
        raise ValueError(redact_urls(f"{uri}: {str(problem).splitlines()[0]}")) from problem


def config_of(uri: str, run: str) -> str | None:
    """The config of one run, for a reader that found no tag."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return _config(uri, client, client.get_run(run)) or None


def _search(client: Any, study: str | None) -> Iterator[Any]:
    """All active runs of all experiments, oldest first."""
    experiments = [e.experiment_id for e in client.search_experiments()]
    where = "" if study is None or "'" in study else f"tags.study = '{study}'"  # MLflow's filters have no escapes
    token: str | None = None
    while True:
        page = client.search_runs(
            experiments,
            filter_string=where,
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _config(uri: str, client: Any, run: Any) -> str:
    """The cell's canonical JSON: tag, else param, else the artifact `config.json`; empty where there is none, or where
    the run says that its files are kept by somebody else."""
    for held in (run.data.tags, run.data.params):
        if held.get("config"):
            return str(held["config"])
    if not is_own(uri, run.info.artifact_uri):
        return ""
    if not any(item.path == "config.json" for item in client.list_artifacts(run.info.run_id)):
        return ""
    from mlflow.artifacts import load_text

    return json.dumps(json.loads(load_text(f"{run.info.artifact_uri}/config.json")))


def _points(client: Any, runs: Iterable[Any]) -> Points:
    """Every value of every metric; several requests at a time, since each waits for the server."""
    wanted = [(run.info.run_id, name) for run in runs for name in run.data.metrics]
    points = Points()
    with ThreadPoolExecutor(_THREADS) as pool:
        histories = pool.map(lambda item: client.get_metric_history(*item), wanted)
        for (run, name), history in zip(wanted, histories, strict=True):
            for metric in sorted(history, key=lambda m: m.timestamp):
                points.add(run, name, int(metric.step), restore(metric.value))
    return points

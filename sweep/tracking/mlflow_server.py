"""MLflow's server as the trackers reach it: a client, a study's experiment, what goes wrong in one line."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data import read_runs, restore
from search_spaces import Study
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking.schema import Difference, Figures, differences, figures_of, summary_of
from trainables.cell import Record
from trainables.runtime import required_by, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "collapse-sweep"
"""Experiment of all studies in earlier versions, which go on in it; now the first part of each study's own."""
VIEW = "collapse-sweep"
"""Name of the shared view of a study's experiment: configurations by policy, their growth and verdict in columns."""
QUERY = f"viewStateShareKey={VIEW}&workflowType=machine_learning"
"""Asks MLflow's page for that view. MLflow 3.17 opens experiments in its GenAI mode, which shows traces in place of
metrics, unless the page's own address says otherwise (its JavaScript, `mlflow.workflowType`)."""


_EXPECTED = ("mlflow", "requests", "sqlalchemy")


def probe(uri: str) -> None:
    """Reach the server once.

    Raises:
        TrackingError: it can't be used.
    """
    with mlflow_reported(uri):
        reach(uri).search_experiments(max_results=1)


def alone(uri: str) -> AbstractContextManager[object]:
    """Keeps other drivers waiting: MLflow makes the tables of a new file, which two can't do at once."""
    from filelock import FileLock

    file = sqlite_file(uri)
    return FileLock(f"{file}.lock", timeout=300) if file else nullcontext()


def reach(uri: str) -> MlflowClient:
    """A client that has reached its server. A server that does not answer is given up in seconds, not minutes."""
    for name, value in {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # it prints the tracking URI, password and all
    }.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # prints a traceback of what it raises
    if not uri.startswith(("sqlite:", "http:", "https:")):
        _try_database(uri)
    with _quickly_made(uri):
        client = MlflowClient(tracking_uri=uri)
    _forget_folder(uri)
    return client


@contextmanager
def _quickly_made(uri: str) -> Iterator[None]:
    """Within the block, the tables of a database file that is not there yet are made without waiting for the disk.

    MLflow makes them in hundreds of steps, each of which SQLite would have written through: seconds. A file that a loss
    of power leaves half made is set aside like any other broken one.
    """
    file = sqlite_file(uri)
    if file is None or os.path.exists(file):
        yield
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    opened: list[Any] = []

    def hurry(connection: Any, _: Any) -> None:
        opened.append(connection)
        connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hurry)
        for connection in opened:
            with suppress(sqlite3.Error):  # closed meanwhile
                connection.execute("PRAGMA synchronous = FULL")


def _forget_folder(uri: str) -> None:
    """MLflow makes the folder of a database file by the URI's text, escapes and all; an empty one goes again."""
    file = sqlite_file(uri)
    if file is not None and uri != f"sqlite:///{file}":
        with suppress(OSError):
            os.removedirs(Path(uri.removeprefix("sqlite:///").split("?")[0]).parent)


def _try_database(uri: str) -> None:
    """Reach a database server once, since MLflow would try for minutes before it says what is wrong."""
    from sqlalchemy import create_engine, pool

    create_engine(uri, poolclass=pool.NullPool).connect().close()


def experiment_of(study: str) -> str:
    """Name of a study's experiment."""
    return f"{EXPERIMENT}/{study}"


def pages(uri: str) -> dict[str, str]:
    """Where MLflow's pages show each study: study -> what follows the server's address, newest first.

    Raises:
        TrackingError: it can't be used.
    """
    with mlflow_reported(uri):
        found = reach(uri).search_experiments(order_by=["last_update_time DESC"])
    return {
        one.name.removeprefix(f"{EXPERIMENT}/"): f"/#/experiments/{one.experiment_id}/runs?{QUERY}"
        for one in found
        if one.name.startswith(f"{EXPERIMENT}/")
    }


def experiment_for(client: MlflowClient, study: Study, artifacts: Path | None) -> str:
    """The study's own; the common one of earlier versions where the study began in it."""
    former = client.get_experiment_by_name(EXPERIMENT)
    if former is not None and former.lifecycle_stage == "active":
        begun = client.search_runs([former.experiment_id], of_study(study.name), max_results=1)
        if begun:
            former_id: str = former.experiment_id
            return former_id
    name = experiment_of(study.name)
    found = client.get_experiment_by_name(name)
    if found is None:
        tags = {
            "mlflow.experimentKind": "custom_model_development",  # MLflow 3 opens on language-model traces else
            "mlflow.note.content": study.description,
            f"mlflow.sharedViewState.{VIEW}": json.dumps(_VIEW),
        }
        made: str = client.create_experiment(
            name, artifact_location=artifacts.as_uri() if artifacts else None, tags=tags
        )
        return made
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    kept: str = found.experiment_id
    return kept


_VIEW = {
    "searchFilter": "tags.`collapse_sweep.role` = 'summary'",
    "orderByKey": "metrics.`growth`",
    "orderByAsc": False,
    "selectedColumns": [f"tags.`{name}`" for name in ("configuration", "policy", "verdict")]
    + [f"metrics.`{name}`" for name in ("growth", "growth_low", "growth_high", "ratio", "test_loss", "seeds")],
    "groupBy": {"aggregateFunction": "average", "groupByKeys": [{"mode": "tag", "groupByData": "policy"}]},
    "useGroupedValuesInCharts": True,
    "runsHiddenMode": "SHOW_ALL",
}
"""State of MLflow 3's page of runs, as its own "share" button keeps it."""


def of_study(name: str) -> str:
    return f"tags.`collapse_sweep.role` = 'study' and tags.`collapse_sweep.study` = '{name}'"


@contextmanager
def mlflow_reported(uri: str) -> Iterator[None]:
    """What a tracking server can do wrong, as one line."""
    try:
        with required_by(f"--tracking-uri {uri}", TrackingError):
            yield
    except TrackingError:
        raise
    except Exception as problem:  # a view stops nothing, and a damaged database can make MLflow fail in any way
        raise TrackingError(f"--tracking-uri {uri}: {_reason(problem)}") from None


def _reason(problem: Exception) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    expected = type(problem).__module__.partition(".")[0] in _EXPECTED or isinstance(problem, OSError)
    text = ": ".join([*([] if expected and lines else [type(problem).__name__]), *lines[:1]])
    if "Max retries exceeded" in text or "timed out" in text:
        return "the tracking server can't be reached; start it, or leave the option out"
    return text[:300]


def children(client: MlflowClient, experiment: str, parent: str, role: str) -> Iterator[Run]:
    """A study's child runs of a role."""
    where, token = f"tags.mlflow.parentRunId = '{parent}' and tags.`collapse_sweep.role` = '{role}'", None
    while True:
        page = client.search_runs([experiment], where, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def points(metrics: Mapping[str, float], generation: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, generation) for name, value in metrics.items()]


def run_tags(tags: Mapping[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in tags.items()]


class ShownRuns:
    """All figures of a study's cells as they are now: every point, and the latest values, which MLflow keeps apart and
    shows in its list of runs."""

    def __init__(self, client: MlflowClient, uri: str, experiment: str, parent: str, study: str) -> None:
        self._points: dict[str, dict[tuple[str, int], float]] = defaultdict(dict)
        _, points = read_runs(uri, study)
        for run, name, step, value in zip(points.run, points.name, points.step, points.value, strict=True):
            self._points[run][name, step] = value
        self._latest = {
            run.info.run_id: {name: restore(value) for name, value in run.data.metrics.items()}
            for run in children(client, experiment, parent, "cell")
        }

    def differing(self, run: str, job: Job, records: Sequence[Record]) -> list[Difference]:
        """Of a finished job's run, all that is not as in the store."""
        stored = _expected(job, records)
        latest = {(name, step): stored[name, step] for name, step in sorted(stored, key=lambda point: point[1])}
        last = {name: (step, value) for (name, step), value in latest.items()}
        shown = {(name, last[name][0]): value for name, value in self._latest.get(run, {}).items() if name in last}
        found = differences(run, self._points.get(run, {}), stored)
        told = {(one.metric, one.generation) for one in found}
        listed = differences(run, shown, {(name, step): value for name, (step, value) in last.items()})
        return found + [one for one in listed if (one.metric, one.generation) not in told]


def _expected(job: Job, records: Sequence[Record]) -> Figures:
    """A job's figures as its run should show them; of one that is done, statistics of its whole curve too."""
    losses = {record.generation: record.test_loss for record in records}
    whole = summary_of(losses) if job.status == "done" else {}
    return {**figures_of(records), **{(name, job.done): value for name, value in whole.items()}}

"""The tracker that writes to MLflow, in the form of docs/decisions/0002-mlflow-schema.md."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data import is_own
from search_spaces import Study
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking import database
from sweep.tracking.schema import TAG, flatten, identity_tags, metrics_of, state_tags, summary_of
from trainables.cell import Cell, Record
from trainables.config import canonical_json
from trainables.runtime import current_provenance, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "collapse-sweep"

_PARAM = 6000  # characters at most, by MLflow's rule
_METRICS, _PARAMS = 900, 100  # in one batch at most; the rule for metrics is 1,000
_SAMPLES = "collapse_sweep.samples"
_EXPECTED = ("mlflow", "requests", "sqlalchemy")
"""Libraries whose errors say by themselves what is wrong."""
_STATUS = {"running": "RUNNING", "waiting": "KILLED", "done": "FINISHED", "failed": "FAILED", "stopped": "FINISHED"}


@dataclass
class _Child:
    """A cell's run: its tags as they were read or written, and the generations it shows (None: not yet read)."""

    run: str
    tags: dict[str, str]
    steps: set[int] | None = field(default_factory=set)
    named: bool = True


class MlflowTracker:
    """One parent run per study, one child run per cell. What is there already is found again, never doubled.

    Args:
        uri: MLflow's tracking URI.
        study: whose runs these are.
        artifacts: folder of the workspace for files beside runs; a server of MLflow's keeps them itself.
        beside: leave the study's run as it stands: another process may be running it.

    Raises:
        TrackingError: by every method, when the server can't be used.
    """

    trouble: str | None = None

    def __init__(self, uri: str, study: Study, artifacts: Path, beside: bool = False) -> None:
        self._uri, self._study = uri, study
        self._artifacts = None if uri.startswith(("http:", "https:")) else artifacts
        with _reported(uri), _alone(uri):
            self._client = _connect(uri)
            self._experiment = _experiment(self._client, self._artifacts)
            self._made = _made_by()
            self._parent = self._parent_run(beside)
            self._children = {run.data.tags["cell"]: _found(run) for run in self._find_children()}

    def admitted(self, job: Job) -> None:
        """Nothing: a cell is shown when it starts, or by `complete`."""

    def started(self, job: Job) -> None:
        """Show the cell as running."""
        self._show(job)

    def recorded(self, job: Job, record: Record) -> None:
        """Write a generation, where it is not there yet."""
        with _reported(self._uri):
            self._write(self._child(job), [record])

    def ended(self, job: Job) -> None:
        """Show how it ended."""
        self._show(job)

    def tick(self) -> None:
        """Nothing."""

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Write a finished job, where it is not there yet."""
        with _reported(self._uri):
            self._write(self._child(job), records)
        self._show(job)

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full. The tags that say so are written last."""
        child = self._children.get(job.key)
        return child is not None and state_tags(job).items() <= child.tags.items()

    def keep_report(self, folder: Path) -> None:
        """Lay a folder of tables, pictures and pages before the study's run."""
        with _reported(self._uri):
            self._keep(self._parent, folder, "report")

    def samples_kept(self, job: Job) -> bool:
        """Whether all generations' samples of a cell are there."""
        child = self._children.get(job.key)
        return child is None or child.tags.get(_SAMPLES) == str(job.done)

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay a folder of samples before a cell's run."""
        with _reported(self._uri):
            child = self._child(job)
            self._keep(child.run, folder, "samples")
            self._client.set_tag(child.run, _SAMPLES, str(job.done))
            child.tags[_SAMPLES] = str(job.done)

    def _keep(self, run: str, folder: Path, name: str) -> None:
        """Lay files before a run: in the workspace, or with the server that the user named, and nowhere else.

        Raises:
            TrackingError: the run says that its files are kept elsewhere.
        """
        place = str(self._client.get_run(run).info.artifact_uri)
        if self._artifacts is None and is_own(self._uri, place):
            self._client.log_artifacts(run, str(folder), name)
        elif self._artifacts is not None and place == f"{self._artifacts.as_uri()}/{run}/artifacts":
            database.keep(self._artifacts, run, name, folder)
        else:
            own = self._artifacts or "the server itself, as by mlflow server --artifacts-destination"
            raise TrackingError(
                f"--tracking-uri {self._uri}: run {run} keeps its files at {place}, where nothing is written; "
                f"only {own} would do"
            )

    def note(self, tags: Mapping[str, str]) -> None:
        """Write what the study as a whole has found to its own run."""
        if tags:
            with _reported(self._uri):
                self._client.log_batch(self._parent, tags=_tags({name: text[:TAG] for name, text in tags.items()}))

    def close(self, outcome: str) -> None:
        """End the parent run: `done`, `failed` or `stopped`."""
        with _reported(self._uri):
            status = {"done": "FINISHED", "failed": "FAILED"}.get(outcome, "KILLED")
            self._client.set_terminated(self._parent, status=status)

    def _parent_run(self, beside: bool) -> str:
        where = f"tags.`collapse_sweep.role` = 'study' and tags.`collapse_sweep.study` = '{self._study.name}'"
        tags = self._made | {
            "collapse_sweep.role": "study",
            "collapse_sweep.study": self._study.name,
            "config": canonical_json(self._study.canonical())[:TAG],
            "mlflow.note.content": _note(self._study)[:TAG],
        }
        for run in self._client.search_runs([self._experiment], where, max_results=1):
            found: str = run.info.run_id
            if not beside:
                self._client.log_batch(found, tags=_tags(tags))
                self._client.update_run(found, status="RUNNING")
            return found
        made: str = self._client.create_run(self._experiment, tags=tags, run_name=self._study.name).info.run_id
        return made

    def _find_children(self) -> Iterator[Run]:
        where, token = f"tags.mlflow.parentRunId = '{self._parent}'", None
        while True:
            page = self._client.search_runs([self._experiment], where, max_results=1000, page_token=token)
            yield from (run for run in page if "cell" in run.data.tags)
            token = page.token
            if not token:
                return

    def _child(self, job: Job) -> _Child:
        child = self._children.get(job.key)
        if child is None:
            tags = identity_tags(self._study.name, job) | state_tags(job)
            tags |= {"mlflow.parentRunId": self._parent, "git.commit": self._made["git.commit"]}
            run = self._client.create_run(self._experiment, tags=tags, run_name=job.title)
            known = {name: value for name, value in tags.items() if name != "status"}  # which `_show` writes last
            child = self._children[job.key] = _Child(run.info.run_id, known, named=False)
        if not child.named:  # new, or killed before its params were written; params never change
            self._name(child, job.cell)
        return child

    def _name(self, child: _Child, cell: Cell) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)[:_PARAM]) for name, value in flatten(cell.canonical()).items()]
        for start in range(0, len(params), _PARAMS):
            self._client.log_batch(child.run, params=params[start : start + _PARAMS])
        child.named = True

    def _show(self, job: Job) -> None:
        """Bring the tags and MLflow's own status up to date."""
        with _reported(self._uri):
            child = self._child(job)
            changed = {name: value for name, value in state_tags(job).items() if child.tags.get(name) != value}
            if changed:
                summary = self._summary(child, job) if job.status == "done" else []
                self._client.log_batch(child.run, metrics=summary, tags=_tags(changed))
            child.tags |= changed
            if job.status in ("done", "failed", "stopped"):
                self._client.set_terminated(child.run, status=_STATUS[job.status])
            else:
                self._client.update_run(child.run, status=_STATUS[job.status])

    def _summary(self, child: _Child, job: Job) -> list[Any]:
        """Metrics of the whole curve, at its last generation; what an earlier run recorded is asked of the server."""
        losses = {n: record.test_loss for n, record in job.records.items()}
        if len(losses) < job.done:
            history = self._client.get_metric_history(child.run, "test_loss")
            losses = {point.step: point.value for point in history} | losses
        return _points(summary_of(losses), job.done)

    def _write(self, child: _Child, records: Iterable[Record]) -> None:
        if child.steps is None:
            child.steps = {point.step for point in self._client.get_metric_history(child.run, "test_loss")}
        batch: list[Any] = []
        steps: set[int] = set()
        for record in records:
            if record.generation in child.steps | steps:
                continue
            metrics = _points(metrics_of(record), record.generation)
            if len(batch) + len(metrics) > _METRICS:
                self._client.log_batch(child.run, metrics=batch)
                child.steps |= steps
                batch, steps = [], set()
            batch += metrics
            steps.add(record.generation)
        if batch:
            self._client.log_batch(child.run, metrics=batch)
        child.steps |= steps


def probe(uri: str) -> None:
    """Reach the server once.

    Raises:
        TrackingError: it can't be used.
    """
    with _reported(uri):
        _connect(uri).search_experiments(max_results=1)


def _made_by() -> dict[str, str]:
    """Source state, versions and hardware of this driver, as tags."""
    found = current_provenance()
    tags = {f"version.{name}": text for name, text in found["packages"].items()}
    tags |= {f"hardware.{name}": str(value) for name, value in found["hardware"].items()}
    git = found["git"]
    return tags | {
        "python": found["python"]["version"],
        "git.commit": git.get("commit", ""),
        "git.dirty": str(git.get("changed", "")).lower(),
    }


def _found(run: Run) -> _Child:
    return _Child(run.info.run_id, dict(run.data.tags), steps=None, named=bool(run.data.params))


def _points(metrics: Mapping[str, float], generation: int) -> list[Any]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, value, now, generation) for name, value in metrics.items()]


def _note(study: Study) -> str:
    """What the study's page says in MLflow, in Markdown."""
    return f"""{study.description}

Each child run is one recursion; steps of its metrics are generations. The report, its tables and pictures are this
run's artifacts under `report`; samples of every generation lie with the runs of the lowest seed.

In the list of runs, filter by `tags.study = '{study.name}'` and sort by `growth`, the slope of the held-out loss per
generation: sorted by a metric, the list unfolds, and the charts show every run. Group them by the tag `policy`.
"""


def _tags(tags: Mapping[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(name, value) for name, value in tags.items()]


def _alone(uri: str) -> AbstractContextManager[object]:
    """Keeps other drivers waiting: MLflow makes the tables of a new file, which two can't do at once."""
    from filelock import FileLock

    file = sqlite_file(uri)
    return FileLock(f"{file}.lock", timeout=300) if file else nullcontext()


def _connect(uri: str) -> MlflowClient:
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
    if not uri.startswith(("sqlite:", "http:", "https:")):
        _try_database(uri)
    client = MlflowClient(tracking_uri=uri)
    _forget_folder(uri)
    return client


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


def _experiment(client: MlflowClient, artifacts: Path | None) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        shown_as = {"mlflow.experimentKind": "custom_model_development"}  # MLflow 3 opens on language-model traces else
        place = artifacts.as_uri() if artifacts else None
        made: str = client.create_experiment(EXPERIMENT, artifact_location=place, tags=shown_as)
        return made
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    kept: str = found.experiment_id
    return kept


@contextmanager
def _reported(uri: str) -> Iterator[None]:
    """What a tracking server can do wrong, as one line."""
    try:
        yield
    except ModuleNotFoundError as problem:
        raise TrackingError(
            f"--tracking-uri {uri}: needs the package {problem.name}; for PostgreSQL: "
            'pip install "collapse-sweep[postgres]"'
        ) from None
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

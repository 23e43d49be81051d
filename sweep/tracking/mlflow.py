"""The tracker that writes to MLflow, in the form of docs/decisions/0002-mlflow-schema.md."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data import FORMER, is_own, metrics_of
from search_spaces import Study
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking import database
from sweep.tracking.mlflow_server import (
    ShownRuns,
    alone,
    children,
    experiment_for,
    mlflow_reported,
    of_study,
    points,
    reach,
    run_tags,
)
from sweep.tracking.mlflow_summaries import description, show_summaries
from sweep.tracking.schema import TAG, Difference, flatten, identity_tags, state_tags, summary_of
from sweep.tracking.summaries import Summary
from trainables.cell import Cell, Record
from trainables.config import canonical_json
from trainables.runtime import current_provenance

if TYPE_CHECKING:
    from mlflow.entities import Run

_PARAM = 6000  # characters at most, by MLflow's rule
_METRICS, _PARAMS = 900, 100  # in one batch at most; the rule for metrics is 1,000
_SAMPLES = "collapse_sweep.samples"
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
    """One experiment and one parent run per study; one child run per cell, one per configuration and policy. What is
    there already is found again, never doubled.

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
        with mlflow_reported(uri), alone(uri):
            self._client = reach(uri)
            self._experiment = experiment_for(self._client, study, self._artifacts)
            self._made = _made_by()
            self._parent = self._parent_run(beside)
            self._shown: ShownRuns | None = None
            self._children = {
                run.data.tags["cell"]: _found(run)
                for run in children(self._client, self._experiment, self._parent, "cell")
            }

    def admitted(self, job: Job) -> None:
        """Nothing: a cell is shown when it starts, or by `complete`."""

    def started(self, job: Job) -> None:
        """Show the cell as running."""
        self._show(job)

    def recorded(self, job: Job, record: Record) -> None:
        """Write a generation, where it is not there yet."""
        with mlflow_reported(self._uri):
            self._write(self._child(job), [record])

    def ended(self, job: Job) -> None:
        """Show how it ended."""
        self._show(job)

    def tick(self) -> None:
        """Nothing."""

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Write a finished job, where it is not there yet."""
        with mlflow_reported(self._uri):
            self._write(self._child(job), records)
        self._show(job)

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full. The tags that say so are written last."""
        child = self._children.get(job.key)
        return child is not None and state_tags(job).items() <= child.tags.items()

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job anew, as another run, where its figures are not the store's: points of a run can't be taken back.
        The run that was wrong is deleted as MLflow deletes, and can be restored there."""
        child = self._children.get(job.key)
        if child is None:
            return ()
        with mlflow_reported(self._uri):
            if self._shown is None:
                self._shown = ShownRuns(self._client, self._uri, self._experiment, self._parent, self._study.name)
            found = self._shown.differing(child.run, job, records)
            if found:
                self._client.delete_run(child.run)
                del self._children[job.key]
        if found:
            self.complete(job, records)
        return found

    def outdate(self, current: Collection[str]) -> None:
        """Tag the runs of cells that the study no longer has; take the tag from those that it has again."""
        with mlflow_reported(self._uri):
            for key, child in self._children.items():
                mark = "" if key in current else "yes"
                if child.tags.get(FORMER, "") != mark:
                    self._client.set_tag(child.run, FORMER, mark)
                    child.tags[FORMER] = mark

    def keep_report(self, folder: Path) -> None:
        """Lay a folder of tables, pictures and pages before the study's run."""
        with mlflow_reported(self._uri):
            self._keep(self._parent, folder, "report")

    def samples_kept(self, job: Job) -> bool:
        """Whether all generations' samples of a cell are there."""
        child = self._children.get(job.key)
        return child is None or child.tags.get(_SAMPLES) == str(job.done)

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay a folder of samples before a cell's run."""
        with mlflow_reported(self._uri):
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
            with mlflow_reported(self._uri):
                self._client.log_batch(self._parent, tags=run_tags({name: text[:TAG] for name, text in tags.items()}))

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """A child run of each, made anew where it has changed; verdicts counted on the study's own run."""
        with mlflow_reported(self._uri):
            show_summaries(self._client, self._experiment, self._parent, self._study, summaries)

    def close(self, outcome: str) -> None:
        """End the parent run: `done`, `failed` or `stopped`."""
        if not outcome:
            return
        with mlflow_reported(self._uri):
            status = {"done": "FINISHED", "failed": "FAILED"}.get(outcome, "KILLED")
            self._client.set_terminated(self._parent, status=status)

    def _parent_run(self, beside: bool) -> str:
        where = of_study(self._study.name)
        tags = self._made | {
            "collapse_sweep.role": "study",
            "collapse_sweep.study": self._study.name,
            "config": canonical_json(self._study.canonical())[:TAG],
            "mlflow.note.content": description(self._study)[:TAG],
        }
        for run in self._client.search_runs([self._experiment], where, max_results=1):
            found: str = run.info.run_id
            if not beside:
                self._client.log_batch(found, tags=run_tags(tags))
                self._client.update_run(found, status="RUNNING")
            return found
        made: str = self._client.create_run(self._experiment, tags=tags, run_name=self._study.name).info.run_id
        return made

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
        with mlflow_reported(self._uri):
            child = self._child(job)
            changed = {name: value for name, value in state_tags(job).items() if child.tags.get(name) != value}
            if changed:
                summary = self._summary(child, job) if job.status == "done" else []
                self._client.log_batch(child.run, metrics=summary, tags=run_tags(changed))
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
        return points(summary_of(losses), job.done)

    def _write(self, child: _Child, records: Iterable[Record]) -> None:
        if child.steps is None:
            child.steps = {point.step for point in self._client.get_metric_history(child.run, "test_loss")}
        batch: list[Any] = []
        steps: set[int] = set()
        for record in records:
            if record.generation in child.steps | steps:
                continue
            metrics = points(metrics_of(record), record.generation)
            if len(batch) + len(metrics) > _METRICS:
                self._client.log_batch(child.run, metrics=batch)
                child.steps |= steps
                batch, steps = [], set()
            batch += metrics
            steps.add(record.generation)
        if batch:
            self._client.log_batch(child.run, metrics=batch)
        child.steps |= steps


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

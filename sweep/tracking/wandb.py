"""Runs for Weights & Biases, online, or offline as its own settings say (`WANDB_MODE=offline`, then `wandb sync`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from search_spaces import Study
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking.files import cut_line, lines_of
from sweep.tracking.ledger import Ledger, Shown, reported
from sweep.tracking.schema import flatten, identity_tags
from sweep.tracking.summaries import Summary
from sweep.workspace import Workspace
from trainables.lineage import make_key
from trainables.runtime import required_by


class WandbTracker(Ledger):
    """One run per cell, grouped by study, its job type the policy. What was sent is remembered in the workspace, since
    an offline run can't be asked.

    Args:
        uri: `wandb://PROJECT` or `wandb://ENTITY/PROJECT`.
        study: whose runs these are.
        workspace: keeps what was sent, and W&B's own files.

    Raises:
        TrackingError: by every method, when W&B can't be used.
    """

    def __init__(self, uri: str, study: Study, workspace: Workspace, beside: bool = False) -> None:
        super().__init__(uri)
        entity, _, project = uri.partition("://")[2].rpartition("/")
        if not project:
            raise TrackingError(f"--tracking-uri {uri}: names no project; as in wandb://my-project")
        self._where: dict[str, Any] = {"project": project, **({"entity": entity} if entity else {})}
        self._study, self._folder = study.name, workspace.root / "wandb"
        self._memory = self._folder / f"{make_key('sent', uri=uri, study=study.name)[:16]}.jsonl"
        self._runs: dict[str, Any] = {}
        with self._telling():
            import wandb

            self._wandb = wandb
            self._folder.mkdir(parents=True, exist_ok=True)
            self._there: dict[str, Shown] = {}
            self._concluded: dict[str, str] = {}
            cut_line(self._memory)
            for line in lines_of(self._memory):
                self._recall(**json.loads(line))

    def find(self, job: Job) -> Shown:
        """What earlier runs sent."""
        return self._there.get(job.key, Shown())

    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        """A step of the cell's run."""
        with self._telling():
            self._run(job).log({**metrics, "generation": generation}, step=generation)
        self._remember(key=job.key, generation=generation)

    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        """The run's summary; one that has ended is finished."""
        with self._telling():
            run = self._run(job)
            run.summary.update({**{n: text for n, text in state.items() if n != "config"}, **statistics})
            if job.status != "running":
                self._runs.pop(job.key).finish(exit_code=int(job.status == "failed"))
        self._remember(key=job.key, state=dict(state))

    def write_study(self, tags: Mapping[str, str]) -> None:
        """A run of its own."""
        with self._telling():
            run = self._open(make_key("study", study=self._study), self._study, "study", {})
            run.summary.update(dict(tags))
            run.finish()

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """A run per configuration and policy, job type `summary`; one that has not changed is left alone. Of one that
        has, verdict and statistics are replaced and the curves follow those of before: W&B's history only grows.
        """
        for one in summaries:
            told = make_key("told", tags=dict(one.tags), curves=[[n, sorted(c.items())] for n, c in one.curves.items()])
            if self._concluded.get(one.key) == told:
                continue
            with self._telling():
                run = self._open(
                    make_key("version", study=self._study, key=one.key), one.title, "summary", dict(one.tags)
                )
                run.define_metric("*", step_metric="generation")
                for generation in sorted({n for curve in one.curves.values() for n in curve}):
                    point = {name: curve[generation] for name, curve in one.curves.items() if generation in curve}
                    run.log({**point, "generation": generation})
                run.summary.update({**one.statistics, "verdict": one.tags["verdict"]})
                run.finish()
            self._remember(key=one.key, told=told)

    def finish(self) -> None:
        """End runs that are still open."""
        with self._telling():
            for run in self._runs.values():
                run.finish()
            self._runs.clear()

    def _run(self, job: Job) -> Any:
        if job.key not in self._runs:
            config = flatten(job.cell.canonical()) | identity_tags(self._study, job)
            name = make_key("run", study=self._study, cell=job.key)
            self._runs[job.key] = self._open(name, job.title, job.cell.policy.kind, config)
        return self._runs[job.key]

    def _open(self, key: str, title: str, kind: str, config: Mapping[str, Any]) -> Any:
        """A run, found again by its id where it is there; several may be open at a time."""
        about: dict[str, Any] = {"id": key[:32], "name": title, "job_type": kind, "group": self._study, **self._where}
        return self._wandb.init(
            **about,
            config=dict(config),
            dir=str(self._folder),
            resume="allow",
            reinit="create_new",
            settings={"silent": True},
        )

    def _remember(self, **what: Any) -> None:
        with reported(self.uri), self._memory.open("a", encoding="utf-8") as file:
            file.write(json.dumps(what) + "\n")
        self._recall(**what)

    def _recall(
        self, key: str, generation: int | None = None, state: dict[str, str] | None = None, told: str = ""
    ) -> None:
        if told:
            self._concluded[key] = told
            return
        held = self._there.setdefault(key, Shown())
        held.generations |= {generation} if generation is not None else set()
        held.state = state if state is not None else held.state

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What W&B can do wrong, as one line."""
        try:
            with reported(self.uri), required_by(f"--tracking-uri {self.uri}", TrackingError):
                yield
        except TrackingError:
            raise
        except Exception as problem:
            text = " ".join(str(problem).split())[:300] or type(problem).__name__
            raise TrackingError(f"--tracking-uri {self.uri}: {text}") from None

"""Failed cells are told once for each reason, with their log and what to do."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Study
from search_spaces.expansion import expand
from sweep.commands.failures import failures
from sweep.scheduling import Failure, Job, make_job
from sweep.workspace import open_workspace


def jobs() -> list[Job]:
    study = Study.model_validate(
        {
            "name": "s",
            "cell": {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}},
            "space": {"seed": {"grid": [0, 1, 2, 3]}},
        }
    )
    return [make_job(point.cell, point.values) for point in expand(study)]


def test_each_reason_is_told_once_with_what_to_do(tmp_path: Path) -> None:
    one, two, three, fine = made = jobs()
    for job, generation in ((one, 2), (two, 4)):
        job.status, job.failure = "failed", Failure("the loss is nan", generation)
    three.status, three.failure = "failed", Failure("MemoryError", final=False)
    fine.status = "done"
    workspace = open_workspace(tmp_path)
    log = workspace.log(three.key)
    log.parent.mkdir(parents=True)
    log.write_text("failed: MemoryError\n")
    told = list(failures(made, workspace, "collapse-sweep run s"))
    assert len(told) == 2
    assert told[0].startswith(
        f"failed: {one.title} and 1 more: generation 2: the loss is nan; the same settings end alike"
    )
    assert told[1] == (
        f"failed: {three.title}: MemoryError (log: {log}); once that is mended, try again with: collapse-sweep run s"
    )


def test_nothing_is_told_where_nothing_failed(tmp_path: Path) -> None:
    assert list(failures(jobs(), open_workspace(tmp_path), "again")) == []

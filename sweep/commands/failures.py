"""Failed cells for people: each reason once, how many cells it stopped, where the log is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sweep.scheduling import Failure, Job
from sweep.workspace import Workspace

FINAL = "the same settings end alike, and verdicts count it as diverged; for another outcome change the study"


def failures(jobs: Iterable[Job], workspace: Workspace, again: str) -> Iterator[str]:
    """A line for each reason, the most frequent first.

    Args:
        jobs: those of a study; only failed ones are told.
        workspace: keeps the logs.
        again: the command that goes on with the study.
    """
    reasons: dict[tuple[str, bool], list[tuple[Job, Failure]]] = {}
    for job in jobs:
        if job.status == "failed" and job.failure is not None:
            reasons.setdefault((job.failure.reason, job.failure.final), []).append((job, job.failure))
    for failed in sorted(reasons.values(), key=len, reverse=True):
        job, failure = failed[0]
        more = f" and {len(failed) - 1:,} more" if failed[1:] else ""
        what = FINAL if failure.final else f"once that is mended, try again with: {again}"
        yield f"failed: {job.title}{more}: {failure}{_log(job, workspace)}; {what}"


def _log(job: Job, workspace: Workspace) -> str:
    path = workspace.log(job.key)
    return f" (log: {path})" if path.is_file() else ""

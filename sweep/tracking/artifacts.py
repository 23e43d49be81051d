"""What trackers show besides numbers: the report, and samples of each generation. Local or remote."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import representatives
from search_spaces import Study
from sweep.scheduling import Board, Job
from sweep.tracking.connection import connect_beside
from sweep.tracking.summaries import summarise
from sweep.workspace import NO_TRACKING
from trainables.store import Payload, Store

if TYPE_CHECKING:
    import pandas as pd

    from sweep.workspace import Workspace


def exhibit(
    study: Study,
    board: Board,
    workspace: Workspace,
    store: Store,
    frame: pd.DataFrame,
    table: pd.DataFrame,
    folder: Path | None,
    warn: Callable[[str], None],
) -> None:
    """Show what the study came to: summaries and the report with the study, samples with its cells.

    Args:
        study: whose runs these are.
        board: its cells.
        workspace: says which server.
        store: holds the samples.
        frame: the study's generations, as `analysis.load` gives them.
        table: its robustness table.
        folder: the report's; None where none was written.
        warn: told in one line of each tracker that fails, which stops nothing.
    """
    if workspace.tracking_uris == (NO_TRACKING,):
        return
    tracker = connect_beside(study, workspace, warn)
    tracker.outdate({*board.jobs, *board.left_out})
    tracker.conclude(summarise(frame, table))
    if folder is not None:
        tracker.keep_report(folder)
    for job in _representatives(board, frame):
        if not tracker.samples_kept(job):
            with _samples(job, store) as files:
                if files is not None:
                    tracker.keep_samples(job, files)
    tracker.close("")


def _representatives(board: Board, frame: pd.DataFrame) -> list[Job]:
    """One cell per configuration and policy, the lowest seed of those that got furthest."""
    cells = representatives(frame, len(frame))["cell"]
    return [board.jobs[key] for key in cells if key in board.jobs]


@contextmanager
def _samples(job: Job, store: Store) -> Iterator[Path | None]:
    """A folder of the files that a job's records hold, named by generation; None where the first holds none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for generation in range(1, job.done + 1):
            record: Payload | None = store.get("record", job.stages[generation - 1].record)
            files = record.files if record is not None else {}
            for path, shown in names(generation, list(files)).items():
                (folder / shown).write_bytes(files[path])
            if not any(folder.iterdir()):
                yield None
                return
        yield folder


def names(generation: int, paths: Sequence[str]) -> dict[str, str]:
    """What a generation's files are called: by number and kind; several of one kind by their own names too."""
    kinds = Counter(Path(path).suffix for path in paths)
    own = {path: f"-{path.replace('/', '-')}" if kinds[Path(path).suffix] > 1 else Path(path).suffix for path in paths}
    return {path: f"generation-{generation:04d}{name}" for path, name in own.items()}

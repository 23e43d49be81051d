"""Optuna's own storage in the workspace: one journal a study, which `optuna-dashboard` opens.

A journal says what was suggested and told. Results are in the store, so that a search whose journal is lost asks for
cells that are done already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.workspace import Workspace
from trainables.runtime import write_whole

if TYPE_CHECKING:
    import optuna


def keep(path: Path | None, writing: bool = True) -> optuna.storages.BaseStorage:
    """The journal at a path; without one in memory.

    Args:
        path: of the file.
        writing: False reads what the journal says, as far as it can be read, and changes nothing on the disk.
    """
    from optuna.storages import InMemoryStorage, JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if path is None:
        return InMemoryStorage()
    if not writing:
        return _replayed(_lines(path.read_bytes())) or InMemoryStorage()
    path.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(path)))


def known_journal(workspace: Workspace, study: str) -> Path | None:
    """The journal that holds a study's searches now; None where there is none. Earlier versions had one for all."""
    return next((path for path in (workspace.searches(study), workspace.all_searches) if path.is_file()), None)


def ready_journal(workspace: Workspace, study: str, warn: Callable[[str], None]) -> Path:
    """A study's journal, such that it can be gone on with: a torn last line, as a full disk or a loss of power leaves
    it, is cut off; of a damaged one a copy is kept, and what precedes the damage is gone on with.

    Args:
        workspace: where.
        study: its name.
        warn: told in one line where anything is lost.
    """
    from optuna.storages.journal import JournalFileSymlinkLock
    from optuna.storages.journal._file import get_lock_file

    path, held = workspace.searches(study), known_journal(workspace, study)
    if held is None:
        return path
    if held != path:
        write_whole(path, held.read_bytes(), durable=True)
    with get_lock_file(JournalFileSymlinkLock(str(path))):  # nobody is writing a line now
        content = path.read_bytes()
        whole = _lines(content)
        if _replayed(whole) is None:
            whole = []
        good = b"".join(whole)
        if good != content:
            _mend(path, content, good, warn)
    return path


def _mend(path: Path, content: bytes, good: bytes, warn: Callable[[str], None]) -> None:
    if content.startswith(good) and b"\n" not in content[len(good) :]:
        warn(f"{path}: its last line is torn and cut off; what it told is found in the store again")
    else:
        aside = path.with_name(f"{path.name}.broken-{time.strftime('%Y%m%dT%H%M%S')}")
        write_whole(aside, content)
        lines = f"{good.count(10):,} of its {content.count(10):,} lines are gone on with"
        warn(f"{path}: is damaged; it is kept as {aside.name}, {lines}, and results are found in the store again")
    write_whole(path, good, durable=True)


def _lines(content: bytes) -> list[bytes]:
    """The lines up to the first that is torn or no operation."""
    good = []
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n") or not _is_operation(line):
            break
        good.append(line)
    return good


def _is_operation(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _replayed(lines: Iterable[bytes]) -> optuna.storages.JournalStorage | None:
    """A journal in memory that begins with these lines; None where Optuna can make nothing of them."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import BaseJournalBackend

    class Memory(BaseJournalBackend):  # type: ignore[misc]
        """Operations in a list."""

        def __init__(self) -> None:
            self.operations: list[dict[str, Any]] = [json.loads(line) for line in lines]

        def read_logs(self, log_number_from: int) -> list[dict[str, Any]]:
            """Those from a number on."""
            return self.operations[log_number_from:]

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            """Add some, as they would come back from a file."""
            self.operations += json.loads(json.dumps(logs))

    try:
        return JournalStorage(Memory())
    except Exception:  # whatever a flipped byte makes Optuna do
        return None

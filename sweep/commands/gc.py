"""`collapse-sweep gc`."""

from __future__ import annotations

import json as jsonlib
from collections import Counter
from collections.abc import Sequence
from typing import get_args

from search_spaces import load_study
from sweep.commands.outcome import DONE
from sweep.engine import open_board
from sweep.errors import UsageError
from sweep.progress import read_note
from sweep.workspace import Workspace
from trainables.recursion import Keep, Report, collect, readable
from trainables.store import FsspecStore, Store, StoreError, discard, leftovers, open_store

Leftovers = Sequence[tuple[str, int]]
"""Paths in a store that no artifact needs, with bytes."""


def gc(reference: str, overrides: Sequence[str], workspace: Workspace, keep: str, dry_run: bool, json: bool) -> int:
    """Remove what a study's finished cells no longer need; its records stay."""
    kept = level(keep, frozenset({"all"}))
    study = load_study(reference, overrides)
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store)
    note = read_note(workspace.running(study.name))
    if note is not None and not dry_run:
        raise UsageError(
            f"{study.name}: is running as process {note['pid']} on {note['host']}; collect when it is done, or run it "
            f"with --keep {kept}"
        )
    report = collect(store, kept, [job.cell for job in board.jobs.values()], dry_run)
    stray = _stray(store, dry_run)
    if isinstance(store, FsspecStore) and not dry_run:
        discard(store, stray)
    print(_as_json(study.name, report, stray) if json else _as_text(study.name, report, stray))
    return DONE


def _stray(store: Store, dry_run: bool) -> Leftovers:
    """What killed writes left. Their age is told by a file that is written beside them: of a store that takes none,
    nothing is told, and nothing could go.

    Raises:
        StoreError: the store can't be written, and something is to go.
    """
    if not isinstance(store, FsspecStore):
        return []
    try:
        return leftovers(store)
    except StoreError:
        if dry_run:
            return []
        raise


def level(keep: str, useless: frozenset[str] = frozenset()) -> Keep:
    """What `--keep` asks for (`trainables.recursion.retention`).

    Raises:
        UsageError: there is no such level, or it is of no use here.
    """
    levels: dict[str, Keep] = {name: name for name in get_args(Keep) if name not in useless}
    if keep not in levels:
        raise UsageError(f"--keep {keep}: is none of {', '.join(levels)}")
    return levels[keep]


def _as_text(name: str, report: Report, stray: Leftovers) -> str:
    word = "would go" if report.dry_run else "are gone"
    kinds = Counter(removal.kind for removal in report.removals)
    what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "nothing"
    return (
        f"{name}: {len(report.removals)} artifacts {word} ({what}), {readable(report.size)}; "
        f"computing them again would take about {report.seconds:.0f} s of one core. Records stay. "
        f"Leftovers of writes that never ended, in the whole store: {len(stray):,} "
        f"({readable(sum(size for _, size in stray))}) {word}."
    )


def _as_json(name: str, report: Report, stray: Leftovers) -> str:
    removed = [{"kind": r.kind, "key": r.key, "size": r.size, "seconds": r.seconds} for r in report.removals]
    return jsonlib.dumps({"study": name, "dry_run": report.dry_run, "removed": removed, "leftovers": dict(stray)})

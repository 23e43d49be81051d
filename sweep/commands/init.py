"""`collapse-sweep init`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from search_spaces import load_study
from search_spaces.loading import study_template
from sweep.commands.outcome import DONE
from sweep.errors import UsageError
from sweep.planning import reach_line
from trainables.runtime import write_whole


def init(
    family: str,
    out: Path,
    data: str | None,
    policies: Sequence[str],
    seeds: int,
    generations: int | None,
    force: bool,
) -> int:
    """Write a commented study for a family and one's own data.

    Raises:
        UsageError: the file is there already, or can't be written.
        StudyError: what was asked for can't be a study; nothing is left behind.
    """
    if out.exists() and not force:
        raise UsageError(f"--out {out}: is there already; choose another name, or add --force to replace it")
    text = study_template(family, out.stem, data, policies, seeds, generations, out, note=reach_line())
    try:
        before = out.read_bytes() if out.exists() else None
        write_whole(out, text)
    except OSError as problem:
        raise UsageError(f"--out {out}: can't be written: {problem.strerror}") from None
    try:
        load_study(str(out))
    except ValueError:
        out.unlink() if before is None else out.write_bytes(before)
        raise
    print(f"{out}: written; next: {shlex.join(['collapse-sweep', 'plan', str(out)])}")
    return DONE

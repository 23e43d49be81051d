"""`collapse-sweep report FILE`: someone else's runs, judged as if they were ours."""

from __future__ import annotations

import hashlib
import json as jsonlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import analysis
from analysis.data import notes, parse_columns, require_direction
from sweep.commands.outcome import DONE, FULL, say
from sweep.commands.report import print_table
from sweep.errors import UsageError
from sweep.reporting import records, replacing
from sweep.workspace import Workspace

SOURCE = "source.txt"
"""Says which file a report is about."""


def report(path: str, columns: Sequence[str], worse: str | None, workspace: Workspace, json: bool) -> int:
    """Write the report of a table of runs, and print its robustness table.

    Args:
        path: a csv, tsv or parquet file, a row per run and generation.
        columns: `OURS=THEIRS` each, see `analysis.data.external.read`.
        worse: `lower` where a larger test_loss is better, see `analysis.data.external.read`; None where nobody said.
        workspace: the report goes to `reports/imported/<name of the file>`.
        json: print the table as JSON.

    Raises:
        UsageError: the file or the mapping is of no use, or nobody said which test_loss is worse and it is doubtful;
            one line.
    """
    import pandas as pd

    from analysis.report import build_report

    name = Path(path).name.partition(".")[0]
    try:
        mapping = parse_columns(list(columns))
        frame = analysis.load(path, columns=mapping, worse=worse)
        told = notes(frame)
        require_direction(frame)
        for one in told:
            say(f"note: {one}")
        folder = _folder(workspace, name, Path(path).absolute())
        words = [part for pair in columns for part in ("--column", pair)]
        words += ["--worse", worse] if worse else []
        command = shlex.join(["collapse-sweep", "report", path, *words, "--workspace", workspace.named])
        with replacing(folder) as fresh:
            (fresh / SOURCE).write_text(f"{Path(path).absolute()}\n", encoding="utf-8")
            built = build_report(frame, fresh, name, command=command, notes=told)
            files = {file: folder / file for file in built}
    except OSError as problem:
        if problem.errno not in FULL:
            raise
        raise UsageError(f"--workspace {workspace.root}: the report can't be written: {problem.strerror}") from None
    except ValueError as problem:
        raise UsageError(re.sub(r"^columns\b[.:]? ?", "--column ", str(problem))) from None
    table = pd.read_parquet(files["robustness.parquet"]) if "robustness.parquet" in files else pd.DataFrame()
    if json:
        print(jsonlib.dumps({"study": name, "report": str(folder), "robustness": records(table)}))
        return DONE
    print_table(table)
    print(f"Report: {files['report.html']}")
    return DONE


def _folder(workspace: Workspace, name: str, path: Path) -> Path:
    """The report's, by the name of the file; another file of that name gets one of its own."""
    folder = workspace.report(f"imported/{name}")
    source = folder / SOURCE
    if not source.is_file() or source.read_text(encoding="utf-8").strip() == str(path):
        return folder
    return workspace.report(f"imported/{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}")

"""`collapse-sweep report FILE`: someone else's runs, judged as if they were ours."""

from __future__ import annotations

import json as jsonlib
import shlex
from collections.abc import Sequence
from pathlib import Path

from sweep.commands.outcome import DONE
from sweep.commands.report import print_table
from sweep.errors import UsageError
from sweep.reporting import replacing
from sweep.workspace import Workspace


def report(path: str, columns: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Write the report of a table of runs, and print its robustness table.

    Args:
        path: a csv, tsv or parquet file, a row per run and generation.
        columns: `OURS=THEIRS` each, see `analysis.data.external.read`.
        workspace: the report goes to `reports/imported/<name of the file>`.
        json: print the table as JSON.

    Raises:
        UsageError: the file or the mapping is of no use; one line.
    """
    import pandas as pd

    import analysis
    from analysis.data import parse_columns
    from analysis.report import build_report

    name = Path(path).name.partition(".")[0]
    try:
        frame = analysis.load(path, columns=parse_columns(list(columns)))
        folder = workspace.report(f"imported/{name}")
        words = [part for pair in columns for part in ("--column", pair)]
        command = shlex.join(["collapse-sweep", "report", path, *words, "--workspace", str(workspace.root)])
        with replacing(folder) as fresh:
            files = {name: folder / name for name in build_report(frame, fresh, name, command=command)}
    except ValueError as problem:
        raise UsageError(str(problem)) from None
    table = pd.read_parquet(files["robustness.parquet"]) if "robustness.parquet" in files else pd.DataFrame()
    if json:
        rows = jsonlib.loads(table.to_json(orient="records", double_precision=15))
        print(jsonlib.dumps({"study": name, "report": str(folder), "robustness": rows}))
        return DONE
    print_table(table)
    print(f"Report: {files['report.html']}")
    return DONE

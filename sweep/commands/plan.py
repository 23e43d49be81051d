"""`collapse-sweep plan`."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence

from search_spaces import load_study
from sweep.gpus import PEAK, UTILISATION, gpu_hours
from sweep.plan import Plan, Totals, plan
from sweep.workspace import Workspace
from trainables.store import open_store


def show_plan(reference: str, overrides: Sequence[str], workspace: Workspace, gpu: str, json: bool) -> int:
    """Print what a study comes to."""
    study = load_study(reference, overrides)
    found = plan(study, open_store(workspace.storage))
    hours = gpu_hours(found.totals.flops, gpu)
    if json:
        print(jsonlib.dumps(found.as_json() | {"gpu": gpu, "gpu_hours": hours, "utilisation": UTILISATION}))
        return 0
    print(_table(found))
    print(_summary(found))
    print(
        f"On one {gpu}, at {UTILISATION:.0%} of its {PEAK[gpu] / 1e12:.0f} TFLOP/s, the arithmetic of all of it takes "
        f"about {hours:.3g} GPU-hours."
    )
    return 0


def _table(found: Plan) -> str:
    from sweep.commands.text import columns

    head = ["family", "size", "parameters", "cells", "generations", "to train", "rows", "tokens", "FLOPs", "disk"]
    rows = [[line.family, line.size, si(line.parameters), *_figures(line.totals)] for line in found.lines]
    return columns([head, *rows, ["total", "", "", *_figures(found.totals)]], left=2)


def _figures(totals: Totals) -> list[str]:
    return [
        f"{totals.cells:,}",
        f"{totals.generations:,}",
        f"{totals.trained - totals.stored:,}",
        si(totals.rows),
        si(totals.tokens),
        si(totals.flops),
        si(totals.size) + "B",
    ]


def _summary(found: Plan) -> str:
    totals = found.totals
    shared = totals.generations - totals.trained
    said = [
        f"{found.study}: {totals.cells:,} cells of {totals.generations:,} generations; "
        f"{shared:,} of these are shared between cells, {totals.stored:,} are in the store, "
        f"{totals.trained - totals.stored:,} are to be trained."
    ]
    if found.estimated:
        said.append("Some cells depend on results: random draws stand for them here.")
    if found.left_out:
        said.append(f"The budget leaves out {found.left_out:,} cells.")
    return " ".join(said)


def si(value: float) -> str:
    """A number in three digits with k, M, G, T, P, E."""
    for unit in ("", "k", "M", "G", "T", "P"):
        if abs(value) < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}E"

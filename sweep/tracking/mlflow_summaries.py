"""What MLflow shows of a study as a whole: a run per configuration and policy, and the study's own run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import Study
from sweep.tracking.mlflow_server import children, points, run_tags
from sweep.tracking.schema import TAG, flatten
from sweep.tracking.summaries import Summary
from trainables.lineage import make_key

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_SUMMARY, _TOLD = "collapse_sweep.summary", "collapse_sweep.told"
_NAME = re.compile(r"[^A-Za-z0-9_./ -]+")  # what names of metrics and params may not hold
_METRICS, _PARAMS, _PARAM, _LABEL = 900, 100, 6000, 100


def show_summaries(
    client: MlflowClient, experiment: str, parent: str, study: Study, summaries: Sequence[Summary]
) -> None:
    """A child run of each, made anew where it has changed; counts of verdicts and a table on the study's own run."""
    there = {run.data.tags.get(_SUMMARY, ""): run for run in children(client, experiment, parent, "summary")}
    for one in summaries:
        held = there.get(one.key)
        if held is not None and held.data.tags.get(_TOLD) == told(one):
            del there[one.key]
        else:
            _show(client, experiment, parent, study, one)
    for left in there.values():
        client.delete_run(left.info.run_id)
    _show_study(client, parent, study, summaries)


def _show(client: MlflowClient, experiment: str, parent: str, study: Study, one: Summary) -> None:
    tags = {name: text[:TAG] for name, text in one.tags.items()} | {_SUMMARY: one.key}
    tags |= {"collapse_sweep.role": "summary", "collapse_sweep.study": study.name, "study": study.name}
    tags |= {"mlflow.parentRunId": parent, "status": "done"}
    run = client.create_run(experiment, tags=tags, run_name=one.title).info.run_id
    shown = [p for name, curve in one.curves.items() for n, value in curve.items() for p in points({name: value}, n)]
    shown += points(one.statistics, max((n for curve in one.curves.values() for n in curve), default=0))
    for start in range(0, len(shown), _METRICS):
        client.log_batch(run, metrics=shown[start : start + _METRICS])
    client.set_tag(run, _TOLD, told(one))  # last: what a kill cut short is made anew
    client.set_terminated(run)


def _show_study(client: MlflowClient, parent: str, study: Study, summaries: Sequence[Summary]) -> None:
    """Metrics, parameters and description of the study's own run."""
    run = client.get_run(parent)
    counts = dict.fromkeys((name for name in run.data.metrics if name.startswith("verdicts/")), 0.0)
    for one in summaries:
        name = f"verdicts/{_named(one.tags['policy'])}/{_named(one.tags['verdict'])}"
        counts[name] = counts.get(name, 0.0) + 1.0
    counts["configurations"] = float(len({one.tags["configuration"] for one in summaries}))
    counts["recursions"] = sum(one.statistics.get("runs", 0.0) for one in summaries)
    changed = {name: value for name, value in counts.items() if run.data.metrics.get(name) != value}
    note = (description(study) + verdicts(summaries))[:TAG]
    client.log_batch(parent, points(changed, 0), _new_params(study, run), run_tags({"mlflow.note.content": note}))


def _named(label: str) -> str:
    """A label as a part of a metric's name, which is of 250 characters at most: `ratio_mix-ratio-0.3`."""
    plain = _NAME.sub("-", label).strip("-")
    return plain if len(plain) <= _LABEL else f"{plain[:_LABEL]}-{make_key('label', label=label)[:8]}"


def _new_params(study: Study, run: Run) -> list[Any]:
    """What the study says, flat, as far as it is not there: params never change."""
    from mlflow.entities import Param

    plain = {name: value for name, value in study.canonical().items() if name != "blocks"}
    for number, block in enumerate(study.canonical()["blocks"]):
        plain[block["name"] or (f"block {number}" if len(study.blocks) > 1 else "block")] = block
    flat = {_NAME.sub("-", name): str(value)[:_PARAM] for name, value in flatten(plain).items()}
    fresh = [Param(name, value) for name, value in flat.items() if name not in run.data.params and value != "None"]
    return fresh[:_PARAMS]


def told(one: Summary) -> str:
    """Names what a summary says."""
    curves = [[name, sorted(curve.items())] for name, curve in sorted(one.curves.items())]
    return make_key("told", title=one.title, tags=dict(one.tags), curves=curves, statistics=dict(one.statistics))


def verdicts(summaries: Sequence[Summary]) -> str:
    """What the configurations came to, in Markdown."""
    rows = [f"| {s.tags['configuration']} | {s.tags['policy']} | {s.tags['verdict']} |" for s in summaries]
    return "\n".join(["", "| configuration | policy | verdict |", "|---|---|---|", *rows, ""]) if rows else ""


def description(study: Study) -> str:
    """What the study's page says in MLflow, in Markdown."""
    return f"""{study.description}

Each child run is one recursion, or (tag `collapse_sweep.role` = `summary`) what a configuration came to under one
policy: means over recursions with their 95 % intervals, and the verdict as a tag. Steps of metrics are generations.
The report, its tables and pictures are this run's artifacts under `report`; samples of every generation lie with the
runs of the lowest seed.

`growth` is the slope of the held-out loss per generation: sorted by it, the list of runs unfolds, and the charts show
every run. `collapse-sweep ui` names a page that is filtered and grouped already.
"""

"""What each artifact of a cell is derived from, by role, as "kind/key"; from configs alone."""

from __future__ import annotations

from trainables.policies import FRESH
from trainables.recursion.steps import BatchStep, Step, Steps

Parents = dict[str, str]
"""Role -> "kind/key". Roles of batches end in their number, so that they sort by it."""


def of_record(steps: Steps, step: Step) -> Parents:
    """A record judges a model, in some families beside model 1."""
    found = {"model": f"model/{step.model}"}
    if steps.cell.family.compares:
        found["first model"] = f"model/{steps.step(1).model}"
    return found


def of_model(steps: Steps, step: Step) -> Parents:
    """A model is fitted on the batches its recipe draws on, and where it draws by score, on these scores."""
    found: Parents = {}
    for draw in step.draws:
        for batch in steps.drawn(draw):
            role = f"fresh rows {batch.start}" if batch.number == FRESH else f"batch {batch.number}"
            found[role] = f"batch/{batch.key}"
            if draw.how == "scored":
                found[f"scores {batch.number}"] = f"scores/{steps.scores_key(batch)}"
    return found


def of_batch(steps: Steps, batch: BatchStep) -> Parents:
    """A synthetic batch is sampled from a model; real rows may be edited, and a judge may select."""
    if batch.recipe is None or batch.recipe.sampling is None:
        return {}
    found = {"model": f"model/{steps.step(batch.number).model}"}
    if batch.recipe.sampling.edit is not None:
        found["edited rows"] = f"batch/{steps.real(0, batch.recipe.sampling.rows).key}"
    if batch.recipe.selection is not None:
        judge = batch.recipe.selection.judge
        found["judge"] = _judge(steps, judge)
        if batch.recipe.selection.rule == "accept":  # the bar is set on real rows
            found["scores 0"] = f"scores/{steps.scores_key(steps.batch(0), judge)}"
    return found


def of_scores(steps: Steps, batch: BatchStep, judge: str) -> Parents:
    """Scores are a judge's of a batch."""
    return {"batch": f"batch/{batch.key}", "judge": _judge(steps, judge)}


def of_judge(steps: Steps, judge: str) -> Parents:
    """A judge is fitted on real rows, a detector also on rows of model 1."""
    found = {"real rows": f"batch/{steps.batch(0).key}"}
    if judge == "detector":
        found["model"] = f"model/{steps.step(1).model}"
    return found


def _judge(steps: Steps, judge: str) -> str:
    return f"{'model' if judge == 'first' else 'judge'}/{steps.judge_key(judge)}"

"""How long each artifact of a cell is needed, from its configs alone.

An artifact is needed by the generation that computes it, by those that read it, and by the generation in which
something is first computed that is derived from it.
"""

from __future__ import annotations

from collections.abc import Callable

from trainables.recursion.steps import BatchStep, Step, Steps

Name = tuple[str, str]
"""Kind and lineage key."""


def last_uses(steps: Steps, further: bool = False) -> dict[Name, int]:
    """The last generation that needs each artifact of a cell, its records excepted.

    Args:
        steps: of the cell.
        further: whether the generation after the cell's last is to come too; its own model is left out.
    """
    uses = _Uses(steps)
    generations = steps.cell.generations
    for generation in range(1, generations + 1):
        uses.record(steps.step(generation))
    if further:
        uses.corpus(steps.step(generations + 1), generations + 1)
    return uses.last


class _Uses:
    """A walk through a recursion in the order of its generations."""

    def __init__(self, steps: Steps) -> None:
        self.last: dict[Name, int] = {}
        self._steps = steps

    def record(self, step: Step) -> None:
        """A record judges a model, in some families beside model 1."""
        self._model(step, step.generation)
        if self._steps.cell.family.compares:
            self._model(self._steps.step(1), step.generation)

    def corpus(self, step: Step, at: int) -> None:
        """What a model is fitted on, at generation `at`."""
        for draw in step.draws:
            for batch in self._steps.drawn(draw):
                self._batch(batch, at)
                if draw.how == "scored":
                    self._scores(batch, "detector", at)

    def _model(self, step: Step, at: int) -> None:
        self._visit(("model", step.model), at, lambda: self.corpus(step, at))

    def _batch(self, batch: BatchStep, at: int) -> None:
        self._visit(("batch", batch.key), at, lambda: self._sampled(batch, at))

    def _sampled(self, batch: BatchStep, at: int) -> None:
        sampling = batch.recipe.sampling if batch.recipe else None
        if batch.recipe is None or sampling is None:
            return  # real rows
        self._model(self._steps.step(batch.number), at)
        if sampling.edit is not None:
            self._batch(self._steps.real(0, sampling.rows), at)
        selection = batch.recipe.selection
        if selection is not None:
            self._judge(selection.judge, at)
            if selection.rule == "accept":
                self._scores(self._steps.batch(0), selection.judge, at)

    def _scores(self, batch: BatchStep, judge: str, at: int) -> None:
        def scored() -> None:
            self._batch(batch, at)
            self._judge(judge, at)

        self._visit(("scores", self._steps.scores_key(batch, judge)), at, scored)

    def _judge(self, judge: str, at: int) -> None:
        def fitted() -> None:
            self._batch(self._steps.batch(0), at)
            if judge == "detector":
                self._model(self._steps.step(1), at)

        if judge == "first":
            self._model(self._steps.step(1), at)
        else:
            self._visit(("judge", self._steps.judge_key(judge)), at, fitted)

    def _visit(self, name: Name, at: int, derived: Callable[[], None]) -> None:
        """Note a use; what has not been computed before needs what it is derived from."""
        fresh = name not in self.last
        self.last[name] = at
        if fresh:
            derived()

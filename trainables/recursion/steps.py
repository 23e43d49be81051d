"""The steps of a cell and their keys, from the config alone: no data, no model, no store.

Whoever plans a study knows from here which steps its cells share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from trainables.cell import Cell
from trainables.lineage import make_key
from trainables.policies import FRESH, Draw, Recipe
from trainables.population import Feed

_KEPT = 32
"""Draws whose batches are remembered."""
POOLED = 1
"""Raised when the pooled record of a population measures something more."""


@dataclass(frozen=True)
class BatchStep:
    """A batch to be made: real rows (`recipe` None) or those of a member's model `number`, as `recipe` wants them."""

    number: int
    key: str
    rows: int
    start: int = 0
    recipe: Recipe | None = None
    member: int = 1


@dataclass(frozen=True)
class Step:
    """One generation of one lineage: what it draws on, and the keys of its model and record.

    In a population `record` is the pooled one of all members, and `own_record` the one that judges this model alone.
    """

    generation: int
    recipe: Recipe
    draws: tuple[Draw, ...]
    model: str
    own_record: str
    pooled: str = ""

    @property
    def record(self) -> str:
        """The key of the record that the cell reports."""
        return self.pooled or self.own_record


class Steps:
    """Steps of one cell, each computed when first asked for; in a population, those of one member.

    Args:
        cell: whose.
        data: what real rows are taken to be made of; None asks the family, which may read them.

    Attributes:
        member: number of the lineage.
    """

    def __init__(self, cell: Cell, data: Mapping[str, Any] | None = None) -> None:
        self.cell = cell
        self.member = 1
        self._others: tuple[Steps, ...] = ()
        self._given = data
        self._steps: dict[int, Step] = {}
        self._batches: dict[int, BatchStep] = {}
        self._reported: dict[int, Step] = {}
        self._pooled: dict[int, str] = {}
        self._drawn: dict[int, tuple[Draw, list[BatchStep]]] = {}
        self._sizes, self._recipe = cell.batch_sizes, cell.recipe
        if cell.population is not None:
            self._sizes, self._recipe = cache(cell.batch_sizes), cache(cell.recipe)
            self._others = (self, *(self._beside(member) for member in cell.members[1:]))
            for other in self._others[1:]:
                other._others = self._others

    def _beside(self, member: int) -> Steps:
        """The steps of another member."""
        other = copy(self)
        other.member, other._steps, other._batches, other._reported, other._drawn = member, {}, {}, {}, {}
        return other

    @cached_property
    def _data(self) -> dict[str, Any]:
        if self.member > 1:
            return self.members[0]._data
        return dict(self._given) if self._given is not None else self.cell.family.data_identity()

    @cached_property
    def _fit(self) -> dict[str, Any]:
        return self.cell.family.fit_identity()

    @property
    def members(self) -> tuple[Steps, ...]:
        """The steps of every member, in order; of a cell without a population, these alone."""
        return self._others or (self,)

    @property
    def origin(self) -> int:
        """Where batch 0 starts among the real training rows."""
        return self.cell.origin(self.member)

    def real(self, start: int, rows: int, number: int = 0) -> BatchStep:
        """Rows `start` to `start + rows` of the real training rows."""
        cell = self.cell
        key = make_key("real", data=self._data, replicates=cell.replicates, rows=rows, seed=cell.seed, start=start)
        return BatchStep(number=number, key=key, rows=rows, start=start)

    def batch(self, number: int) -> BatchStep:
        """Batch 0 (real) or j (sampled from model j as generation j + 1's recipe says)."""
        if number not in self._batches:
            self._batches[number] = self.real(self.origin, self.cell.rows) if number == 0 else self._synthetic(number)
        return self._batches[number]

    def edited(self, rows: int) -> BatchStep:
        """The first real rows of batch 0, to be edited."""
        return self.real(self.origin, rows)

    def drawn(self, draw: Draw) -> list[BatchStep]:
        """The batches that a draw names. Fitting, provenance and audit of a generation ask for the same ones."""
        known = self._drawn.get(id(draw))
        if known is None or known[0] is not draw:
            if len(self._drawn) >= _KEPT:
                self._drawn.clear()
            known = self._drawn[id(draw)] = draw, self._named(draw)
        return known[1]

    def _named(self, draw: Draw) -> list[BatchStep]:
        if draw.batches == (FRESH,):
            return [self.real(self.cell.rows + draw.start, draw.rows or 0, FRESH)]
        if isinstance(draw, Feed) and draw.source != self.member:
            source = self.members[draw.source - 1]
            theirs = source._batches
            return [theirs.get(j) or source.batch(j) if j > 0 else self.batch(j) for j in draw.batches]
        known = self._batches
        return [known.get(number) or self.batch(number) for number in draw.batches]

    def step(self, generation: int) -> Step:
        """Generation `generation` (1, 2, …)."""
        for earlier in range(len(self._steps) + 1, generation):
            for member in self.members:
                member._make(earlier)
        if self.cell.population is None:
            return self._make(generation)
        if generation not in self._reported:
            self._reported[generation] = replace(self._make(generation), pooled=self.members[0]._pool(generation))
        return self._reported[generation]

    def population_key(self, generation: int) -> str:
        """Names the models of all members; the model itself, where they are one."""
        models = [member._make(generation).model for member in self.members]
        return models[0] if len(set(models)) == 1 else make_key("models", members=models)

    def own_key(self, generation: int) -> str:
        """The key of the record that judges this lineage's model alone."""
        return self.step(generation).own_record

    def _pool(self, generation: int) -> str:
        """The key of the record of all members."""
        if generation not in self._pooled:
            records = [member._make(generation).own_record for member in self.members]
            self._pooled[generation] = make_key("record", members=records, version=POOLED)
        return self._pooled[generation]

    def _make(self, generation: int) -> Step:
        if generation not in self._steps:
            recipe = self._recipe(generation, self.member)
            draws = self._canonical(self.cell.draws(recipe, self.member, self._sizes))
            resolved = [self._resolved(draw) for draw in draws]
            fit = self._fit | self.cell.family.fitted_on(self._rows(draws))
            model = make_key("model", draws=resolved, fit=fit, seed=self.cell.seed, **self._start(generation))
            judged: dict[str, Any] = {"evaluation": self.cell.family.evaluation_identity(), "model": model}
            if self.cell.family.prompted:  # what is judged by its samples
                judged |= self._placed()
            if self.cell.family.compares:
                judged["first"] = self._make(1).model if generation > 1 else model
            self._steps[generation] = Step(generation, recipe, draws, model, make_key("record", **judged))
        return self._steps[generation]

    def _rows(self, draws: Sequence[Draw]) -> int:
        """Rows of a corpus."""
        return sum(draw.rows or sum(batch.rows for batch in self.drawn(draw)) for draw in draws)

    def _placed(self) -> dict[str, int]:
        """Where batch 0 lies, where that is not the start and samples have anything of its rows."""
        return {"origin": self.origin} if self.origin and self.cell.family.conditioned else {}

    def _start(self, generation: int) -> dict[str, str]:
        """What a generation's fit starts from, by key; nothing where it starts fresh."""
        match self.cell.family.starts_from(generation):
            case "previous":
                return {"previous": self._make(generation - 1).model}
            case "checkpoint":
                return {"checkpoint": self.checkpoint}
        return {}

    @cached_property
    def checkpoint(self) -> str:
        """The lineage key of the pretrained model."""
        key = self.cell.family.checkpoint_key()
        assert key is not None  # a family that starts from a checkpoint names one
        return key

    def _synthetic(self, number: int) -> BatchStep:
        recipe = self._recipe(number + 1, self.member)
        sampling, selection = recipe.sampling, recipe.selection
        assert sampling is not None  # a recipe from generation 2 on always samples
        parts: dict[str, Any] = {
            "model": self._make(number).model,
            "number": number,  # equal models of two generations sample apart
            "sampler": self.cell.family.sampling_identity(),
            "sampling": sampling.canonical(),
        }
        if sampling.edit is not None:
            parts["edits"] = self.edited(sampling.rows).key
        elif self.cell.family.prompted:
            parts["prompts"] = self.batch(0).key
        if sampling.correct is not None:
            parts["corrector"] = self.judge_key("corrector")
        if self.member > 1:  # equal models of two members sample apart
            parts["member"] = self.member
        parts |= self._placed()
        if selection is not None:
            parts |= {"scoring": self.scoring_key(selection.judge, number), "selection": selection.canonical()}
        return BatchStep(number, make_key("batch", **parts), recipe.kept_rows, recipe=recipe, member=self.member)

    @property
    def bias(self) -> float:
        """λ of the sampler whose rows a detector learns to tell: the cell's policy's."""
        sampling = self.cell.recipe(2, self.member).sampling
        assert sampling is not None  # a recipe from generation 2 on always samples
        return sampling.bias

    def judge_key(self, judge: str, number: int = 1) -> str:
        """The lineage key of who scores rows: model 1, model `number` for `own`, or a judge fitted on real rows.

        A detector is fitted on batch 0 against model 1's samples, once for the whole recursion. A corrector, which
        moves rows and scores none, is kept as judges are.
        """
        if judge == "own":
            return self._make(number).model
        first = self._make(1).model
        if judge == "first":
            return first
        against = {"model": first, "bias": self.bias} | self._placed() if judge == "detector" else None
        family = self.cell.family.judge_identity()
        if judge == "reference":
            family |= self.cell.family.judged_on(self.cell.rows)
        return make_key("judge", against=against, family=family, judge=judge, real=self.batch(0).key)

    def scores_key(self, batch: BatchStep, judge: str = "detector") -> str:
        """The lineage key of a judge's scores of a pool batch."""
        return make_key("scores", batch=batch.key, scoring=self.scoring_key(judge))

    def scoring_key(self, judge: str, number: int = 1) -> str:
        """Names what decides the scores that a judge gives to any rows; `number` is the model's that `own` means."""
        whose = self.judge_key(judge, number)
        return make_key("scoring", family=self.cell.family.judge_identity(), judge=whose, kind=judge)

    def _canonical(self, draws: Sequence[Draw]) -> tuple[Draw, ...]:
        """The draws in one order and form, so that equal corpora have equal keys.

        Whole batches of equal weight become one draw, a subsample of everything becomes the whole, weights
        are relative to the largest.
        """
        heaviest = max(draw.weight for draw in draws)
        flat: list[Draw] = []
        whole: dict[tuple[float, int], list[set[int]]] = {}
        for draw in draws:
            weight = float(f"{draw.weight / heaviest:.12g}")  # 1 − 0.618 and 0.382 are one weight
            if draw.batches != (FRESH,) and self._takes_all(draw):
                _spread(draw.batches, whole.setdefault((weight, _source(draw)), [set()]))
            else:
                flat.append(draw.model_copy(update={"weight": weight}))
        for (weight, source), layers in whole.items():
            flat += [_all_of(tuple(sorted(layer)), weight, source) for layer in layers]
        return tuple(sorted(flat, key=lambda d: (d.batches, d.how, d.start, d.rows or 0, d.weight, _source(d))))

    def _takes_all(self, draw: Draw) -> bool:
        if draw.how == "all":
            return True
        unordered = draw.how in ("subsample", "first") and draw.start == 0
        return unordered and draw.rows == sum(batch.rows for batch in self.drawn(draw))

    def _resolved(self, draw: Draw) -> dict[str, Any]:
        """The draw as plain data, its batches by key."""
        parts: dict[str, Any] = {"how": draw.how, "rows": draw.rows, "start": draw.start, "weight": draw.weight}
        parts["batches"] = [batch.key for batch in self.drawn(draw)]
        if draw.how == "scored":
            parts["scoring"] = self.scoring_key("detector")
        return parts


def _source(draw: Draw) -> int:
    """The member whose batches it names; 0 where there is no population."""
    return draw.source if isinstance(draw, Feed) else 0


def _all_of(batches: tuple[int, ...], weight: float, source: int) -> Draw:
    return Feed(batches=batches, weight=weight, source=source) if source else Draw(batches=batches, weight=weight)


def _spread(batches: tuple[int, ...], layers: list[set[int]]) -> None:
    """Add whole batches to draws of equal weight, each batch at most once a draw."""
    if layers[0].isdisjoint(batches):
        layers[0].update(batches)
        return
    for number in batches:
        free = next((layer for layer in layers if number not in layer), None)
        if free is None:
            layers.append({number})
        else:
            free.add(number)

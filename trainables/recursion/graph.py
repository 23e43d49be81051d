"""The artifacts of a cell as one graph, from its configs alone: what each is derived from, and how long it is needed.

Provenance, lifetimes, removal, cost and the generation loop all read these nodes; none states a parent of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from trainables.policies import FRESH
from trainables.recursion.steps import BatchStep, Step, Steps

Name = tuple[str, str]
"""Kind and lineage key."""

Parents = Mapping[str, "Node"]
"""Role -> node. Roles of batches end in their number, so that they sort by it."""


@dataclass(frozen=True, eq=False)
class Node:
    """One artifact.

    Attributes:
        kind: as the store calls it: `record`, `model`, `batch`, `scores`, `judge` or `checkpoint`.
        key: its lineage key.
        step: the generation or the batch that it belongs to.
        derive: gives its parents; called when they are first asked for.
    """

    kind: str
    key: str
    step: Step | BatchStep
    derive: Callable[[], Parents]

    @cached_property
    def parents(self) -> Parents:
        """What it is derived from, by role."""
        return self.derive()

    @property
    def name(self) -> Name:
        """Kind and lineage key."""
        return self.kind, self.key

    @property
    def provenance(self) -> dict[str, str]:
        """Its parents as a store keeps them: role -> "kind/key"."""
        return {role: f"{parent.kind}/{parent.key}" for role, parent in self.parents.items()}

    @property
    def provenance_later(self) -> Mapping[str, str]:
        """The same, derived when it is first read: what is stored already needs none."""
        return _Provenance(self)


class _Provenance(Mapping[str, str]):
    def __init__(self, node: Node) -> None:
        self._node = node

    @cached_property
    def _names(self) -> dict[str, str]:
        return self._node.provenance

    def __getitem__(self, role: str) -> str:
        return self._names[role]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Graph:
    """The nodes of one cell.

    Args:
        steps: of the cell; they hold the keys. In a population the nodes are those of one member, but for `record`.
    """

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self._others: dict[int, Graph] = {steps.member: self}

    def of(self, member: int) -> Graph:
        """The graph of a member of the population."""
        if member not in self._others:
            self._others[member] = Graph(self.steps.members[member - 1])
        return self._others[member]

    def record(self, generation: int) -> Node:
        """What the cell reports: a record, or that of a population, which pools its members' records and models."""
        if self.steps.cell.population is None:
            return self.own_record(generation)
        step = self.steps.step(generation)
        return Node("record", step.record, step, lambda: self._pooled(generation))

    def _pooled(self, generation: int) -> Parents:
        found: dict[str, Node] = {}
        for member in self.steps.cell.members:
            found[f"record {member}"] = self.of(member).own_record(generation)
            found[f"model {member}"] = self.of(member).model(generation)
        return found | self._adapted()

    def own_record(self, generation: int) -> Node:
        """A record judges a model, in some families beside model 1."""
        step = self.steps.step(generation)
        return Node("record", step.own_record, step, lambda: self.judged(generation))

    def judged(self, generation: int) -> Parents:
        """The models that a generation is judged by."""
        found = {"model": self.model(generation)}
        if self.steps.cell.family.compares:
            found["first model"] = self.model(1)
        return found | self._adapted()

    def model(self, generation: int) -> Node:
        """A model is fitted on the batches its recipe draws on, and where it draws by score, on these scores; it may
        start from the one before it or from a checkpoint."""
        step = self.steps.step(generation)

        def derive() -> Parents:
            found: dict[str, Node] = {}
            for draw in step.draws:
                for batch in self.steps.drawn(draw):
                    others = batch.recipe is not None and batch.member != self.steps.member
                    whose = f"member {batch.member} " if others else ""
                    role = f"fresh rows {batch.start}" if batch.number == FRESH else f"{whose}batch {batch.number}"
                    found[role] = self.batch(batch)
                    if draw.how == "scored":
                        found[f"{whose}scores {batch.number}"] = self.scores(batch, "detector")
            return found | self._start(generation) | self._adapted()

        return Node("model", step.model, step, derive)

    def _start(self, generation: int) -> dict[str, Node]:
        """What a fit starts from, but for a fresh one."""
        match self.steps.cell.family.starts_from(generation):
            case "previous":
                return {"previous": self.model(generation - 1)}
            case "checkpoint":
                return {"checkpoint": self.checkpoint()}
        return {}

    def _adapted(self) -> dict[str, Node]:
        """What stored models can't be read without."""
        return {"checkpoint": self.checkpoint()} if self.steps.cell.family.adapts else {}

    def checkpoint(self) -> Node:
        """The pretrained model. In a store only where the study makes it."""
        return Node("checkpoint", self.steps.checkpoint, self.steps.step(1), dict)

    def batch(self, batch: BatchStep) -> Node:
        """A synthetic batch is sampled from a model; real rows may be edited, and a judge may select."""
        if batch.recipe is not None and batch.member != self.steps.member:
            return self.of(batch.member).batch(batch)

        def derive() -> Parents:
            sampling = batch.recipe.sampling if batch.recipe else None
            if batch.recipe is None or sampling is None:
                return {}  # real rows
            found = {"model": self.model(batch.number)} | self._adapted()
            if sampling.edit is not None:
                found["edited rows"] = self.batch(self.steps.edited(sampling.rows))
            elif self.steps.cell.family.prompted:
                found["prompts"] = self.batch(self.steps.batch(0))
            if sampling.correct is not None:
                found["corrector"] = self.judge("corrector")
            selection = batch.recipe.selection
            if selection is not None:
                found["judge"] = self.judge(selection.judge, batch.number)
                if selection.rule == "accept":  # the bar is set on real rows
                    found["scores 0"] = self.scores(self.steps.batch(0), selection.judge)
            return found

        return Node("batch", batch.key, batch, derive)

    def scores(self, batch: BatchStep, judge: str) -> Node:
        """Scores are a judge's of a batch."""
        key = self.steps.scores_key(batch, judge)

        def derive() -> Parents:
            return {"batch": self.batch(batch), "judge": self.judge(judge)} | self._adapted()

        return Node("scores", key, batch, derive)

    def judge(self, judge: str, number: int = 1) -> Node:
        """Model 1, model `number` for `own`, or a judge fitted on real rows, a detector also on rows of model 1."""
        if judge in ("first", "own"):
            return self.model(number if judge == "own" else 1)

        def derive() -> Parents:
            found = {"real rows": self.batch(self.steps.batch(0))}
            if judge == "detector":
                found["model"] = self.model(1)
            elif "checkpoint" in self.steps.cell.family.judge_identity():
                found["checkpoint"] = self.checkpoint()
            return found

        return Node("judge", self.steps.judge_key(judge), self.steps.batch(0), derive)


def last_uses(steps: Steps, further: bool = False) -> dict[Name, int]:
    """The last generation that needs each artifact of a cell, its records excepted.

    An artifact is needed by the generation that computes it, by those that read it, and by the generation in which
    something is first computed that is derived from it.

    Args:
        steps: of the cell.
        further: whether the generation after the cell's last is to come too; its own model is left out.
    """
    graph, last = Graph(steps), dict[Name, int]()
    generations = steps.cell.generations
    for generation in range(1, generations + 1):
        _use(graph.record(generation).parents, generation, last)
    for member in steps.cell.members if further else ():
        _use(graph.of(member).model(generations + 1).parents, generations + 1, last)
    return last


def _use(parents: Parents, generation: int, last: dict[Name, int]) -> None:
    """Note a use of these; what has not been computed before needs what it is derived from. Records always stay."""
    for node in parents.values():
        if node.kind == "record":
            _use(node.parents, generation, last)
            continue
        fresh = node.name not in last
        last[node.name] = generation
        if fresh:
            _use(node.parents, generation, last)

"""What a study's seeds can resolve: the power of its design at the spread between seeds that the store's records show.

The tests are those of the tables: Student's t over recursions of one policy (growth), or over pairs of recursions
that share a seed, and with it generation 1 (gap); or the verdict's own word (`sweep.planning.foreseen`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

from search_spaces import Study, StudyError
from search_spaces.study import PowerRequirement
from sweep.planning.foreseen import foresee
from sweep.planning.plan import Plan, plan_study
from sweep.scheduling import Stage
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.store import Store

FEW = 3
"""Seeds below which no verdict is given."""
COUNTED = 10_000
"""Recursions up to which it is counted how many would do."""


@dataclass(frozen=True)
class Design:
    """The seeds of one family and size.

    Attributes:
        name: family and size.
        seeds: of the configuration that has fewest recursions.
        replicates: recursions of a seed of it.
        generations: of the shortest recursion.
        deviation: of one recursion's statistic between seeds; None where nothing was asked of it.
        freedom: degrees of freedom it rests on, 0 where it is assumed.
        needed: recursions of a policy that the question needs; None where no number that is counted would do.
        power: with which the effect is found.
        detectable: the effect that is found with the asked power.
        rows: of the table whose words are corrected, where a word was asked for.
        longer: generations that would give the asked power to these recursions, where a word was asked for.
    """

    name: str
    seeds: int
    replicates: int
    generations: int
    deviation: float | None = None
    freedom: int = 0
    needed: int | None = None
    power: float | None = None
    detectable: float | None = None
    rows: int | None = None
    longer: int | None = None

    @property
    def runs(self) -> int:
        """Recursions of one policy."""
        return self.seeds * self.replicates

    @property
    def underpowered(self) -> bool:
        """Whether the design can't answer: too little power, or, where nothing was asked, no interval to speak of."""
        if self.power is None:
            return self.runs < FEW
        return self.needed is None or self.runs < self.needed

    def as_json(self) -> dict[str, Any]:
        """Plain data, None for what is not known."""
        known = {name: None if value != value else value for name, value in asdict(self).items()}
        return known | {"underpowered": self.underpowered}

    def line(self, question: PowerRequirement | None) -> str:
        """What people are told."""
        if question is None:
            seeds = "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
            return f"warning: {self.name}: {seeds} a configuration; below {FEW} no verdict is given"
        detectable = "nothing" if self.detectable is None or math.isnan(self.detectable) else f"{self.detectable:.3g}"
        return (
            f"{'warning: underpowered: ' if self.underpowered else ''}{self.name}: {_effect(question)} is found with "
            f"power {self.power:.2f} by {self.runs:,} recursions a policy, and {self._wanted(question)} give "
            f"{question.power:.2f}; these find {detectable} so ({self._basis(question)})"
        )

    def refusal(self, question: PowerRequirement | None) -> str:
        """Why the study is refused."""
        if question is None or self.power is None:
            return f"seed: {self.name} has {self.seeds} seeds a configuration; at least {FEW} are needed for a verdict"
        beyond = self._beyond(question, COUNTED // self.replicates)
        seeds = beyond if self.needed is None else str(math.ceil(self.needed / self.replicates))
        return (
            f"seed: {self.name} has {self.seeds} seeds a configuration and needs {seeds} to find {_effect(question)} "
            f"with power {question.power:.2f} ({self._basis(question)})"
        )

    def _wanted(self, question: PowerRequirement) -> str:
        ways = [] if self.needed is None else [f"{self.needed:,}"]
        ways += [f"{self.longer} generations"] if self.longer else []
        return " or ".join(ways) or f"only {self._beyond(question, COUNTED)}"

    def _beyond(self, question: PowerRequirement, counted: int) -> str:
        if question.on == "verdict" or self.flat(question):
            return "more generations"
        return f"more than {counted:,}"

    def flat(self, question: PowerRequirement) -> bool:
        """Whether a recursion has no growth to be found."""
        return question.on == "growth" and self.generations < 2

    def _basis(self, question: PowerRequirement) -> str:
        table = f", in a table of {self.rows} rows" if self.rows is not None else ""
        spread = f"a standard deviation of {self.deviation:.3g} between recursions"
        if self.freedom:
            return f"{spread}, from stored records with {self.freedom} degrees of freedom{table}"
        assumed = "a tenth of the effect" if question.on == "verdict" else "equal to the effect"
        return f"{spread}, {'as stated' if question.deviation else f'assumed {assumed}: no records yet'}{table}"


def _effect(question: PowerRequirement) -> str:
    if question.on == "verdict":
        from analysis.verdicts import foresight

        law = question.truth.replace("_", " ")
        a = "an" if law.startswith("i") else "a"
        return f"“{foresight.SHAPES[question.truth][1]}” for a rise of {question.effect:g} along {a} {law}"
    what = "growth per generation" if question.on == "growth" else "gap between policies in the last loss"
    return f"a {what} of {question.effect:g}"


def designs(found: Plan, store: Store, question: PowerRequirement | None) -> list[Design]:
    """What the planned cells' seeds can resolve, by family and size; without a question, only those that no verdict can
    rest on."""
    by_line: dict[str, list[Cell]] = {}
    for cell in found.asked:
        by_line.setdefault(_line(cell), []).append(cell)
    bare = [_bare(name, cells) for name, cells in by_line.items()]
    if question is None:
        return [design for design in bare if design.underpowered]
    if question.on == "verdict":
        pilots = _pilots(found.left.complete, store)
        rows = len({_without(cell, "seed") for cell in found.asked})
        return [_foreseen(one, pilots.get(one.name, []), rows, question) for one in bare]
    spreads = _spreads(found.left.complete, store, question)
    return [_judge(design, spreads.get(design.name), question) for design in bare]


def require_power(study: Study, store: Store) -> None:
    """Refuse a study whose seeds can't resolve what it requires.

    Raises:
        StudyError: which family and size has too few, and how many are needed.
    """
    if study.require_power is None:
        return
    for design in designs(plan_study(study, store), store, study.require_power):
        if design.underpowered:
            raise StudyError(f"{study.name}: {design.refusal(study.require_power)}")


def _line(cell: Cell) -> str:
    return f"{cell.family.kind} {cell.family.title}".strip()


def _bare(name: str, cells: Sequence[Cell]) -> Design:
    groups: dict[tuple[str, int], set[int]] = {}
    for cell in cells:
        groups.setdefault((_without(cell, "seed"), cell.replicates), set()).add(cell.seed)
    generations = min(cell.generations for cell in cells)
    every = [Design(name, len(seeds), replicates, generations) for (_, replicates), seeds in groups.items()]
    return min(every, key=lambda design: (design.runs, design.seeds))


def _without(cell: Cell, *fields: str) -> str:
    return canonical_json({name: value for name, value in cell.canonical().items() if name not in fields})


def _judge(design: Design, spread: tuple[float, int] | None, question: PowerRequirement) -> Design:
    deviation, freedom = question.deviation or question.effect, 0
    if question.deviation is None and spread is not None:
        deviation, freedom = spread
    judged = replace(design, deviation=deviation, freedom=freedom)
    return replace(judged, power=0.0) if design.flat(question) else _tested(judged, deviation, question)


def _tested(design: Design, deviation: float, question: PowerRequirement) -> Design:
    """By Student's t."""
    from analysis.stats import detectable, power_of, runs_needed

    effect, runs, confidence = question.effect, design.runs, question.confidence
    needed = runs_needed(effect, deviation, confidence, question.power)
    beyond = needed >= COUNTED and power_of(effect, deviation, COUNTED, confidence) < question.power
    return replace(
        design,
        needed=None if beyond else needed,
        power=power_of(effect, deviation, runs, confidence),
        detectable=detectable(deviation / math.sqrt(runs), runs, confidence, question.power),
    )


def _foreseen(
    design: Design, pilot: Sequence[Sequence[Sequence[float]]], rows: int, question: PowerRequirement
) -> Design:
    found = foresee(question, pilot, design.runs, design.generations, rows)
    return replace(design, **asdict(found), rows=rows)


def _pilots(complete: Iterable[tuple[Cell, Sequence[Stage]]], store: Store) -> dict[str, list[list[list[float]]]]:
    """Losses of finished cells as those of one recursion, by family and size: [seeds, generations] of each
    configuration and policy."""
    groups: dict[tuple[str, str], list[list[float]]] = {}
    for cell, stages in complete:
        losses = _losses(stages, store)
        if losses is not None:
            groups.setdefault((_line(cell), _without(cell, "seed")), []).append(_of_one(cell, losses))
    found: dict[str, list[list[list[float]]]] = {}
    for (line, _), curves in groups.items():
        found.setdefault(line, []).append(curves)
    return found


def _of_one(cell: Cell, losses: Sequence[float]) -> list[float]:
    """Losses whose spread is that of one recursion, where they are means over replicates."""
    return [math.sqrt(cell.replicates) * loss for loss in losses]


def _spreads(
    complete: Iterable[tuple[Cell, Sequence[Stage]]], store: Store, question: PowerRequirement
) -> dict[str, tuple[float, int]]:
    """Standard deviation of one recursion's statistic between seeds and its degrees of freedom, by family and size,
    pooled over configurations."""
    curves: dict[tuple[str, str, int], dict[str, list[float]]] = {}
    for cell, stages in complete:
        losses = _losses(stages, store)
        if losses is not None:
            place = _line(cell), _without(cell, "seed", "policy", "fork"), cell.seed
            policy = canonical_json({"policy": cell.policy.canonical(), "fork": cell.fork and cell.fork.canonical()})
            curves.setdefault(place, {})[policy] = _of_one(cell, losses)
    groups: dict[tuple[str, str, str], list[float]] = {}
    for (line, config, _), found in curves.items():
        for name, value in _statistics(found, question.on).items():
            groups.setdefault((line, config, name), []).append(value)
    return _pooled(groups)


def _losses(stages: Sequence[Stage], store: Store) -> list[float] | None:
    """The held-out losses of a finished cell; None where it failed."""
    held = [store.describe("record", stage.record) for stage in stages]
    losses = [found.meta["test_loss"] for found in held if found is not None and "test_loss" in found.meta]
    return losses if len(losses) == len(stages) else None


def _statistics(curves: Mapping[str, list[float]], on: str) -> dict[str, float]:
    """Of one configuration and seed: each policy's growth, or each pair of policies' gap."""
    if on == "growth":
        return {policy: _slope(losses) for policy, losses in curves.items() if len(losses) > 1}
    return {f"{a}-{b}": curves[a][-1] - curves[b][-1] for a, b in combinations(sorted(curves), 2)}


def _slope(losses: Sequence[float]) -> float:
    """Least squares over generations."""
    middle = (len(losses) + 1) / 2
    weights = [n - middle for n in range(1, len(losses) + 1)]
    return sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(w * w for w in weights)


def _pooled(groups: Mapping[tuple[str, str, str], Sequence[float]]) -> dict[str, tuple[float, int]]:
    squares: dict[str, float] = {}
    freedom: dict[str, int] = {}
    for (line, _, _), values in groups.items():
        if len(values) > 1:
            mean = sum(values) / len(values)
            squares[line] = squares.get(line, 0.0) + sum((value - mean) ** 2 for value in values)
            freedom[line] = freedom.get(line, 0) + len(values) - 1
    return {line: (math.sqrt(squares[line] / freedom[line]), freedom[line]) for line in squares}

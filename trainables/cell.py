"""`Cell`, one point of a study, and `Record`, what one of its generations reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from trainables.config import Config
from trainables.families import FAMILIES, FamilyConfig
from trainables.lineage import make_key
from trainables.policies import Budget, Draw, PolicyConfig, Recipe
from trainables.population import AnyPolicy, Population, feeds

if TYPE_CHECKING:
    AnyFamily = FamilyConfig
else:
    AnyFamily = FAMILIES.union()


@lru_cache(maxsize=256)
def _fresh_rows(policy: PolicyConfig, generations: int, budget: Budget) -> int:
    return policy.fresh_rows(generations, budget)


@lru_cache(maxsize=256)
def _budget(rows: int) -> Budget:
    return Budget(rows=rows)


@lru_cache(maxsize=1024)
def _recipe(policy: PolicyConfig, generation: int, budget: Budget) -> Recipe:
    """Cells of a study ask the same few policies again and again."""
    return policy.recipe(generation, budget)


@lru_cache(maxsize=1024)
def _fed_alike(population: Population, member: int, draws: tuple[Draw, ...]) -> tuple[Draw, ...]:
    """Checks, keys and closed forms ask for the same draws."""
    return feeds(population, member, draws, None)


Sizes = Callable[[int, int], tuple[int, int]]
"""Rows of a batch by its number and member: planned, and held."""


class Fork(Config):
    """Follow another policy after generation `generation`. It goes on in the reserve where the first one stopped."""

    generation: int = Field(ge=1)
    policy: AnyPolicy


class Cell(Config):
    """One recursion: everything that decides its records, and nothing else.

    Attributes:
        family: what is fitted, sampled and judged.
        policy: what each generation is fitted on.
        generations: fits in all; generation 1 is fitted on real rows only.
        rows: N, real rows of batch 0 and rows of a synthetic batch.
        replicates: independent recursions side by side, for vectorised families.
        seed: root of all randomness.
        fork: from a generation on, another policy.
        population: several lineages that feed each other; None is one alone, and then no part of any key.
    """

    family: AnyFamily
    policy: AnyPolicy
    generations: int = Field(ge=1, le=10_000)
    rows: int = Field(ge=1)
    replicates: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    fork: Fork | None = None
    population: Population | None = None

    @model_serializer(mode="wrap")
    def _without_empty_population(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The canonical form of a cell without one is what it was before there were populations."""
        fields: dict[str, Any] = plain(self)
        return {name: value for name, value in fields.items() if name != "population" or value is not None}

    @model_validator(mode="before")
    @classmethod
    def _family_defaults(cls, data: Any) -> Any:
        """`rows` and `generations`, where absent, are what the family finds sensible on a laptop."""
        if not isinstance(data, Mapping):
            return data
        family = data.get("family")
        kind = family.get("kind") if isinstance(family, Mapping) else getattr(family, "kind", None)
        if not isinstance(kind, str) or kind not in FAMILIES:  # refused further on, and then for that alone
            return {"rows": 1, "generations": 1} | dict(data)
        config = FAMILIES.get(kind)
        return {"rows": config.default_rows, "generations": config.default_generations} | dict(data)

    @model_validator(mode="after")
    def _possible(self) -> Cell:
        self._check_family()
        for place, policy in self._policies().items():
            missing = policy.requires() - self.family.abilities
            if missing:
                raise ValueError(
                    f"{place}: {policy.kind} needs a family with {', '.join(sorted(missing))}; "
                    f"{self.family.kind} has {', '.join(sorted(self.family.abilities)) or 'none'}"
                )
        return self

    def _check_family(self) -> None:
        """What the family refuses, by the field's place in a cell."""
        try:
            self.family.check(self.rows, self.replicates)
        except ValueError as problem:
            field = str(problem).partition(":")[0].partition(".")[0]
            if field in type(self.family).model_fields:
                raise ValueError(f"family.{problem}") from problem
            raise

    def _policies(self) -> dict[str, PolicyConfig]:
        """Every policy that somebody follows, by its place."""
        found = {"policy": self.policy}
        if self.fork is not None:
            found["fork.policy"] = self.fork.policy
        if self.population is not None and self.population.anchor is not None:
            found["population.anchor"] = self.population.anchor
        return found

    @property
    def budget(self) -> Budget:
        """What the policy may count on."""
        return _budget(self.rows)

    @property
    def members(self) -> range:
        """Numbers of the lineages side by side: 1 alone, or those of a population."""
        return range(1, (self.population.models if self.population else 1) + 1)

    def origin(self, member: int = 1) -> int:
        """Where in the seed's order of real rows a member's batch 0 starts."""
        return (member - 1) * self.rows if self.population and self.population.real == "own" else 0

    def recipe(self, generation: int, member: int = 1) -> Recipe:
        """The recipe of a generation, by the policy that rules it; in a population, of one of its members.

        A member leaves a batch of as many rows as any reader's own policy plans for, unless it selects or edits rows.
        """
        if self.population is None:
            return self._ruled(generation, member)
        return self._placed(self._widened(generation, member), generation, member)

    def draws(self, recipe: Recipe, member: int = 1, sizes: Sizes | None = None) -> tuple[Draw, ...]:
        """What a corpus is drawn from; in a population, a `Feed` for each member that is read.

        Args:
            recipe: of a generation of the member.
            member: whose corpus it is.
            sizes: `batch_sizes`, or what remembers its answers.
        """
        if self.population is None:
            return recipe.draws
        if self.population.anchor is None:  # everybody plans for the same rows
            return _fed_alike(self.population, member, recipe.draws)
        known = sizes or self.batch_sizes

        def scale(source: int, number: int) -> float:
            return known(number, member)[0] / known(number, source)[1]

        return feeds(self.population, member, recipe.draws, scale)

    def batch_sizes(self, number: int, member: int) -> tuple[int, int]:
        """Rows of a member's batch `number` as its own policy plans it, and as its readers need it."""
        return self._ruled(number + 1, member).kept_rows, self._widened(number + 1, member).kept_rows

    def _anchor(self, member: int) -> PolicyConfig | None:
        population = self.population
        return population.anchor if population is not None and member in population.anchored else None

    def _ruled(self, generation: int, member: int) -> Recipe:
        """By the member's own policy alone."""
        anchor = self._anchor(member)
        if anchor is not None:
            return _recipe(anchor, generation, self.budget)
        if self.fork is None or generation <= self.fork.generation:
            return _recipe(self.policy, generation, self.budget)
        recipe = _recipe(self.fork.policy, generation, self.budget)
        if not recipe.takes_fresh_rows:
            return recipe
        at, budget = self.fork.generation, self.budget
        used = _fresh_rows(self.policy, at, budget) - _fresh_rows(self.fork.policy, at, budget)
        return recipe.shift_fresh(used)

    def _widened(self, generation: int, member: int) -> Recipe:
        """With a batch that serves every reader."""
        recipe, population = self._ruled(generation, member), self.population
        sampling = recipe.sampling
        if population is None or population.anchor is None:  # everybody plans for the same rows
            return recipe
        if sampling is None or sampling.edit is not None or recipe.selection is not None:
            return recipe
        wanted = [self._ruled(generation, reader).kept_rows for reader in population.readers(member)]
        rows = max([sampling.rows, *wanted])
        if rows == sampling.rows:
            return recipe
        return recipe.model_copy(update={"sampling": sampling.model_copy(update={"rows": rows})})

    def _placed(self, recipe: Recipe, generation: int, member: int) -> Recipe:
        """With fresh rows behind everybody's batch 0, and in each generation one member's behind another's."""
        if self.population is None or self.population.real == "shared" or not recipe.takes_fresh_rows:
            return recipe
        before = sum(self._used(generation - 1, other) for other in self.members)
        taken = [self._used(generation, other) - self._used(generation - 1, other) for other in range(1, member)]
        start = self.origin(self.members[-1]) + before + sum(taken)
        return recipe.shift_fresh(start - self._used(generation - 1, member))

    def _used(self, generation: int, member: int) -> int:
        """Rows of the reserve that a member's policies have used up by the end of a generation."""
        anchor, budget = self._anchor(member), self.budget
        if anchor is not None or self.fork is None or generation <= self.fork.generation:
            return _fresh_rows(anchor or self.policy, generation, budget)
        at, later = self.fork.generation, self.fork.policy
        return (
            _fresh_rows(self.policy, at, budget)
            + _fresh_rows(later, generation, budget)
            - _fresh_rows(later, at, budget)
        )

    @property
    def key(self) -> str:
        """Names the cell. The number of generations does not enter: a longer cell goes on with a shorter one."""
        return self.key_on(self.family.data_identity())

    def key_on(self, data: Mapping[str, Any]) -> str:
        """The key that it has where its real rows are made of `data`."""
        family = self.family
        parts = {
            "data": dict(data),
            "fit": family.fit_identity() | family.fitted_on(self.rows),
            "evaluation": family.evaluation_identity(),
            "judge": family.judge_identity(),
            "policy": self.policy.canonical(),
            "fork": self.fork.canonical() if self.fork else None,
        }
        if self.population is not None:
            parts["population"] = self.population.canonical()
        start = family.start_identity()
        parts |= {"start": start} if start else {}
        return make_key("cell", rows=self.rows, replicates=self.replicates, seed=self.seed, **parts)


class Record(Config):
    """What one generation reports.

    Attributes:
        generation: 1, 2, …
        test_loss: held-out real loss in the family's unit.
        corpus_rows: rows the model was fitted on; in a population, all models together.
        real_fraction: share of them that are real.
        metrics: further figures by name; `theory_<metric>` is the closed form's value.
        model: lineage key of the model.
        composition: what the corpus held: rows and loss weight by batch number, duplicates, rejected rows.
        seconds: wall time of fit, evaluation and sampling where this record was computed; not identity.
    """

    generation: int
    test_loss: float
    corpus_rows: int
    real_fraction: float
    metrics: dict[str, float]
    model: str
    composition: dict[str, Any]
    seconds: dict[str, float]

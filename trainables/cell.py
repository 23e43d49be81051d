"""`Cell`, one point of a study, and `Record`, what one of its generations reports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from trainables.config import Config
from trainables.families import FAMILIES, FamilyConfig
from trainables.lineage import make_key
from trainables.policies import POLICIES, Budget, PolicyConfig, Recipe

if TYPE_CHECKING:
    AnyFamily = FamilyConfig
    AnyPolicy = PolicyConfig
else:
    AnyFamily = FAMILIES.union()
    AnyPolicy = POLICIES.union()


@lru_cache(maxsize=256)
def _fresh_rows(policy: PolicyConfig, generations: int, budget: Budget) -> int:
    return policy.fresh_rows(generations, budget)


@lru_cache(maxsize=1024)
def _recipe(policy: PolicyConfig, generation: int, budget: Budget) -> Recipe:
    """Cells of a study ask the same few policies again and again."""
    return policy.recipe(generation, budget)


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
    """

    family: AnyFamily
    policy: AnyPolicy
    generations: int = Field(ge=1, le=10_000)
    rows: int = Field(ge=1)
    replicates: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)
    fork: Fork | None = None

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
        policies = {"policy": self.policy} | ({"fork.policy": self.fork.policy} if self.fork else {})
        for place, policy in policies.items():
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

    @property
    def budget(self) -> Budget:
        """What the policy may count on."""
        return Budget(rows=self.rows)

    def recipe(self, generation: int) -> Recipe:
        """The recipe of a generation, by the policy that rules it."""
        if self.fork is None or generation <= self.fork.generation:
            return _recipe(self.policy, generation, self.budget)
        recipe = _recipe(self.fork.policy, generation, self.budget)
        if not recipe.takes_fresh_rows:
            return recipe
        at, budget = self.fork.generation, self.budget
        used = _fresh_rows(self.policy, at, budget) - _fresh_rows(self.fork.policy, at, budget)
        return recipe.shift_fresh(used)

    @property
    def key(self) -> str:
        """Names the cell. The number of generations does not enter: a longer cell goes on with a shorter one."""
        return self.key_on(self.family.data_identity())

    def key_on(self, data: Mapping[str, Any]) -> str:
        """The key that it has where its real rows are made of `data`."""
        family = self.family
        parts = {
            "data": dict(data),
            "fit": family.fit_identity(),
            "evaluation": family.evaluation_identity(),
            "judge": family.judge_identity(),
            "policy": self.policy.canonical(),
            "fork": self.fork.canonical() if self.fork else None,
        }
        start = family.start_identity()
        parts |= {"start": start} if start else {}
        return make_key("cell", rows=self.rows, replicates=self.replicates, seed=self.seed, **parts)


class Record(Config):
    """What one generation reports.

    Attributes:
        generation: 1, 2, …
        test_loss: held-out real loss in the family's unit.
        corpus_rows: rows the model was fitted on.
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

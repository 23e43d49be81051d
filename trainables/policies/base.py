"""POLICY CONTRACT: what a policy answers, and nothing of how it is realised.

A policy is a pure function of (generation, budget). It never sees data. Its answer, a `Recipe`, is
plain data: it can be logged, hashed and tested without training anything. Recipes are built from five
parts:

1. `Sampling`  how many rows are sampled from the latest model, and how (bias, editing real tokens);
2. `Selection` which of those candidates are kept as that model's batch;
3. `Draw`      which shares of the pool enter the corpus (whole, subsample, bootstrap, first, scored);
4. real rows   draws of batch 0 (fixed real data) or of the reserve (fresh real data, `FRESH`);
5. `weight`    of each draw in the loss.

Batch 0 is real, batch j is sampled from model j, so the recipe of generation n may name 0 … n−1 and
its `sampling` and `selection` define batch n−1. A recipe that names the future is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from trainables.config import Config

FRESH = -1
"""The batch number of the reserve: real rows that are in neither batch 0 nor the held-out split."""

Color = Literal["orange", "blue", "green", "purple", "brown", "pink", "teal", "grey"]
"""Of a policy's curves; what each looks like is the report's."""

How = Literal["all", "first", "subsample", "bootstrap", "scored"]


class Budget(Config):
    """What a cell grants its policy: `rows` (N), the rows of batch 0 and of one synthetic batch."""

    rows: int = Field(ge=1)


class Sampling(Config):
    """Part 1: how batch n−1 comes from model n−1.

    Attributes:
        rows: candidates to sample.
        bias: λ of MAD's sampling bias; 1 samples the model itself, less than 1 sharpens it.
        edit: instead of sampling from BOS, take real rows and resample tokens whose probability under
            the model is at least this (ToEdit, Zhu et al. 2024); None samples freely.
        correct: γ, by which samples are moved towards the data (Gillman et al. 2024); None leaves them as they are.
    """

    rows: int = Field(ge=1)
    bias: float = Field(default=1.0, gt=0)
    edit: float | None = Field(default=None, gt=0, le=1)
    correct: float | None = Field(default=None, gt=0, exclude_if=lambda strength: strength is None)

    @model_validator(mode="after")
    def _one_way(self) -> Sampling:
        if self.edit is not None and self.correct is not None:
            raise ValueError("correct: real rows are edited, not sampled, so there are no samples to correct")
        if self.edit is not None and self.bias != 1.0:
            raise ValueError("bias: rows are edited, not sampled, so there is no sampler to bias")
        return self


class Selection(Config):
    """Part 2: which candidates are kept, in the order they were sampled.

    Attributes:
        rule: `accept` keeps the first ones that score at least as high as the share `level` of real rows
            does not; where too few do, the best of the others; `top` keeps the best by score, `bottom` the
            worst, which surprise the judge most; `best_of`
            keeps one of each `of` consecutive candidates, drawn by softmax of reward / temperature
            (Bradley–Terry; Ferbach et al. 2024).
        judge: who scores: `reference` (an oracle or a model fitted on real data), `first` (model 1's
            own likelihood), `own` (that of the model that they are sampled from), `detector` (a classifier of
            real against synthetic).
        keep: rows kept at most.
        of: group size of `best_of`.
        temperature: of the Bradley–Terry choice; small values take the best.
        level: quantile of the judge's scores of batch 0 that `accept` asks for.
    """

    rule: Literal["accept", "top", "bottom", "best_of"]
    judge: Literal["reference", "first", "own", "detector"]
    keep: int = Field(ge=1)
    of: int = Field(default=1, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    level: float = Field(default=0.0, ge=0, lt=1)


class Draw(Config):
    """Parts 3 to 5: one share of the corpus.

    Attributes:
        batches: the batches drawn on, ascending; `(FRESH,)` is the reserve.
        how: `all` their rows; the `first` rows from `start` on; `subsample` without replacement from
            their union; `bootstrap` with replacement; `scored`, with replacement by a judge's score.
        rows: how many, None for `all`.
        start: offset of `first`.
        weight: of each row in the loss, relative to the corpus's other draws.
    """

    batches: tuple[int, ...] = Field(min_length=1)
    how: How = "all"
    rows: int | None = Field(default=None, ge=1)
    start: int = Field(default=0, ge=0)
    weight: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Draw:
        if (self.how == "all") != (self.rows is None):
            raise ValueError("a draw of `all` rows has no `rows`; every other draw needs them")
        if list(self.batches) != sorted(set(self.batches)):
            raise ValueError(f"batches {self.batches} must be ascending, each once")
        return self


class Recipe(Config):
    """A policy's answer for generation n: the corpus (`draws`) and how batch n−1 was to be made."""

    generation: int = Field(ge=1)
    sampling: Sampling | None = None
    selection: Selection | None = None
    draws: tuple[Draw, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _causal(self) -> Recipe:
        latest = max(batch for draw in self.draws for batch in draw.batches)
        if latest >= self.generation:
            raise ValueError(f"generation {self.generation} can't draw on batch {latest}")
        if (self.sampling is None) != (self.generation == 1):
            raise ValueError("every generation but the first says how the latest batch is sampled")
        if self.selection is not None:
            wanted, candidates = self.selection.keep * self.selection.of, self.sampling.rows if self.sampling else 0
            if candidates < wanted:
                raise ValueError(f"keeping {self.selection.keep} rows takes {wanted} candidates, not {candidates}")
        return self

    @property
    def takes_fresh_rows(self) -> bool:
        """Whether the reserve is drawn on."""
        return any(draw.batches == (FRESH,) for draw in self.draws)

    def shift_fresh(self, rows: int) -> Recipe:
        """The recipe with its fresh rows taken so many rows further on in the reserve."""
        moved = [d.model_copy(update={"start": d.start + rows * (d.batches == (FRESH,))}) for d in self.draws]
        return self.model_copy(update={"draws": tuple(moved)})

    @property
    def kept_rows(self) -> int:
        """Rows of batch n−1, after selection; 0 for generation 1, which has no such batch."""
        if self.selection is not None:
            return self.selection.keep
        return self.sampling.rows if self.sampling is not None else 0


class PolicyConfig(Config, ABC):
    """Base of every policy. Subclasses add `kind: Literal[...]` and implement `later` and `requires`.

    Implementations are pure: equal arguments give equal recipes, with no state and no randomness.
    Most are a `NamedPolicy`, a composition of the five parts (see `compose.py`), and implement `parts` alone.
    """

    kind: str
    color: ClassVar[Color] = "grey"
    """Its own in every picture, unless a policy before it in the order of tables has it there."""
    bias: float = Field(default=1.0, gt=0, description="modifier biased_sampling: λ of the sampler")

    @abstractmethod
    def requires(self) -> frozenset[str]:
        """What a family must be able to do to run this policy, as configured (see `FamilyConfig.abilities`)."""

    def fresh_rows(self, generations: int, budget: Budget) -> int:
        """Rows of the reserve that a recursion of `generations` uses up in all."""
        draws = [d for n in range(1, generations + 1) for d in self.recipe(n, budget).draws]
        return max((d.start + (d.rows or 0) for d in draws if d.batches == (FRESH,)), default=0)

    def recipe(self, generation: int, budget: Budget) -> Recipe:
        """The recipe of `generation` (1, 2, …). Generation 1 is batch 0, whatever the policy."""
        if generation == 1:
            return Recipe(generation=1, draws=(Draw(batches=(0,)),))
        return self.later(generation, budget)

    @abstractmethod
    def later(self, generation: int, budget: Budget) -> Recipe:
        """The recipe of a generation from 2 on."""

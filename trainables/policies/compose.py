"""`compose`: a policy put together from the five parts; every named policy is one of these.

The vocabulary (`parts.py`) is declarative, so that a study states a policy of its own in YAML; see
docs/policies.md.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from trainables.config import explain
from trainables.policies.base import Budget, Color, Draw, PolicyConfig, Recipe, Sampling
from trainables.policies.parts import Keep, Sample, Share, nearest


class Compose(PolicyConfig):
    """A policy of one's own: the five parts, side by side. Without any, it is `replace`."""

    kind: Literal["compose"] = "compose"
    color: ClassVar[Color] = "grey"
    sample: Sample = Sample()
    keep: Keep | None = None
    corpus: tuple[Share, ...] = Field(default=(Share(source="latest"),), min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Compose:
        if self.sample.edit is not None and self.bias != 1.0:
            raise ValueError("bias: rows are edited, not sampled, so there is no sampler to bias")
        if sum(share.fill is not None for share in self.corpus) > 1:
            raise ValueError("corpus: only one share can fill what is left")
        if any(share.fill is not None for share in self.corpus) and any(share.whole for share in self.corpus):
            raise ValueError("corpus: where one share fills what is left, every other one needs `times` or `rows`")
        shares = [share.loss_share for share in self.corpus if share.loss_share is not None]
        if shares and (len(shares) < len(self.corpus) or not math.isclose(math.fsum(shares), 1, abs_tol=1e-9)):
            raise ValueError(f"corpus: loss_share of every share must be given and add up to 1, not {shares}")
        return self

    def requires(self) -> frozenset[str]:
        scored = self.keep is not None or any(share.how == "scored" for share in self.corpus)
        corrected = self.sample.correct is not None
        asked = {
            "bias": self.bias != 1.0,
            "correct": corrected,
            "edit": self.sample.edit is not None,
            "score": scored,
        }
        return frozenset(ability for ability, needed in asked.items() if needed)

    def later(self, generation: int, budget: Budget) -> Recipe:
        """The shares that hold rows, and the batch that they need.

        Raises:
            ValueError: none holds any.
        """
        sizes = self._sizes(generation, budget)
        kept = self._batch_rows(generation, budget, sizes)
        draws = self._draws(generation, budget, sizes)
        if not draws:
            raise ValueError(f"corpus: generation {generation} would be fitted on no rows at all")
        candidates = kept if self.keep is None else math.ceil(round(kept * self.keep.candidates, 9))
        return Recipe(
            generation=generation,
            sampling=Sampling(rows=candidates, bias=self.bias, edit=self.sample.edit, correct=self.sample.correct),
            selection=self.keep.selection(kept) if self.keep else None,
            draws=draws,
        )

    def _sizes(self, generation: int, budget: Budget) -> list[int | None]:
        """Rows of each share; None for all of its source."""
        sizes = [None if s.whole or s.fill is not None else s.at(generation, budget) for s in self.corpus]
        for number, share in enumerate(self.corpus):
            if share.fill is not None:
                taken = sum(size or 0 for size in sizes)
                sizes[number] = max(nearest(budget.rows * share.fill) - taken, 0)
        return sizes

    def _batch_rows(self, generation: int, budget: Budget, sizes: list[int | None]) -> int:
        """Rows of batch n−1: as stated; else what the corpus takes of it alone; else N."""
        if self.sample.times is not None or self.sample.rows is not None or not self.sample.steady:
            return max(self.sample.at(generation, budget), 1)
        wanted = 0
        for share, size in zip(self.corpus, sizes, strict=True):
            if generation - 1 in share.batches(generation):
                alone = share.source == "latest" and share.how == "first" and size is not None
                wanted = max(wanted, size if alone and size is not None else budget.rows)
        return wanted or budget.rows

    def _draws(self, generation: int, budget: Budget, sizes: list[int | None]) -> tuple[Draw, ...]:
        draws = []
        start = self._fresh_before(generation, budget)
        for share, size in zip(self.corpus, sizes, strict=True):
            batches = share.batches(generation)
            if size == 0 or not batches:
                continue
            weight = share.weight
            if share.loss_share is not None:
                weight = share.loss_share / (size or self._held(batches, budget))
            if size is None:
                draws.append(Draw(batches=batches, weight=weight))
            else:
                fresh = share.source == "fresh"
                draws.append(Draw(batches=batches, how=share.how, rows=size, start=start * fresh, weight=weight))
                start += size * fresh
        return tuple(draws)

    def _held(self, batches: tuple[int, ...], budget: Budget) -> int:
        """Rows of whole batches."""
        later = (number + 1 for number in batches if number > 0)
        synthetic = sum(self._batch_rows(n, budget, self._sizes(n, budget)) for n in later)
        return synthetic + (budget.rows if 0 in batches else 0)

    def _fresh_before(self, generation: int, budget: Budget) -> int:
        """Rows of the reserve that generations 2 … n−1 used up."""
        if not any(share.source == "fresh" for share in self.corpus):
            return 0
        if all(share.steady for share in self.corpus):
            return (generation - 2) * self._fresh_at(2, budget)
        return sum(self._fresh_at(earlier, budget) for earlier in range(2, generation))

    def _fresh_at(self, generation: int, budget: Budget) -> int:
        sizes = zip(self.corpus, self._sizes(generation, budget), strict=True)
        return sum(size or 0 for share, size in sizes if share.source == "fresh")


class NamedPolicy(PolicyConfig):
    """A composition with a name. Subclasses add `kind: Literal[...]`, their parameters, and `parts`."""

    @abstractmethod
    def parts(self) -> Compose:
        """The five parts, the sampler's bias left out."""

    @model_validator(mode="after")
    def _composable(self) -> NamedPolicy:
        try:
            self.composition()
        except ValidationError as error:
            raise ValueError(explain(error, Compose)) from error
        return self

    def composition(self) -> Compose:
        """What to write under `kind: compose` for the same recipes, and so the same lineage."""
        return Compose.model_validate(self.parts().canonical() | {"bias": self.bias})

    def requires(self) -> frozenset[str]:
        return self.composition().requires()

    def later(self, generation: int, budget: Budget) -> Recipe:
        return self.composition().later(generation, budget)

"""The words of a composition: how many rows, which are kept, which share of the corpus they make.

Sizes are multiples of N (`times`) or rows (`rows`), and may follow a schedule over generations.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from trainables.config import Config
from trainables.policies.base import FRESH, Budget, Selection

ShareOf = Literal["real", "fresh", "latest", "synthetic", "pool"]


class Amount(Config):
    """So many rows at generation n: `rows`, or `times`·N; either is multiplied by n^power · decay^(n−1).

    Attributes:
        times: a multiple of N; 1 where neither is given.
        rows: a number of rows.
        power: exponent of n; 1 grows with the generation, −1 falls as 1/n.
        decay: factor per generation.
    """

    times: float | None = Field(default=None, ge=0)
    rows: int | None = Field(default=None, ge=0)
    power: float = 0.0
    decay: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _one_size(self) -> Amount:
        if self.times is not None and self.rows is not None:
            raise ValueError("rows: give `times` or `rows`, not both")
        return self

    @property
    def steady(self) -> bool:
        """Whether every generation takes as many."""
        return self.power == 0 and self.decay == 1

    def at(self, generation: int, budget: Budget) -> int:
        """Rows at a generation, rounded half up."""
        rows = self.rows if self.rows is not None else budget.rows * (1.0 if self.times is None else self.times)
        try:
            return nearest(rows * generation**self.power * self.decay ** (generation - 1))
        except OverflowError:
            raise ValueError(f"power, decay: a schedule beyond all numbers at generation {generation}") from None


class Keep(Config):
    """Part 2: each batch is what a judge picks from more candidates.

    Attributes:
        rule: `accept`, those that pass for real; `top` or `bottom`, the best or the worst by score; or `best_of`, one
            of each `candidates` in a row, by Bradley–Terry.
        judge: `reference`, `first`, `own` or `detector`, as in `Selection`; `own` has no bar for `accept`.
        candidates: sampled for each row kept; a whole number for `best_of`.
        temperature: of the Bradley–Terry choice.
        level: of `accept`: a row passes if it scores no lower than this quantile of real rows.
    """

    rule: Literal["accept", "top", "bottom", "best_of"]
    judge: Literal["reference", "first", "own", "detector"] = "reference"
    candidates: float = Field(default=2.0, ge=1)
    temperature: float = Field(default=1.0, gt=0)
    level: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _whole_groups(self) -> Keep:
        if self.rule == "best_of" and self.candidates != int(self.candidates):
            raise ValueError(f"candidates: the best of a group needs a whole number, not {self.candidates}")
        if self.rule == "accept" and self.judge == "own":
            raise ValueError(
                "judge: own changes with every model, and so would the bar of `accept`; take top or bottom"
            )
        return self

    def selection(self, rows: int) -> Selection:
        """The selection that keeps so many rows."""
        of = int(self.candidates) if self.rule == "best_of" else 1
        own = {
            "accept": {"level": self.level},
            "top": {},
            "bottom": {},
            "best_of": {"of": of, "temperature": self.temperature},
        }
        return Selection.model_validate({"rule": self.rule, "judge": self.judge, "keep": rows} | own[self.rule])


class Sample(Amount):
    """Part 1: the batch that each generation leaves behind. Sizes default to what the corpus takes of it, else N.

    Attributes:
        edit: instead of sampling, resample the tokens (or labels) of real rows whose probability is at least this.
        correct: γ, samples are moved γ/(1 + γ) of their way to the data before any is selected.
    """

    edit: float | None = Field(default=None, gt=0, le=1)
    correct: float | None = Field(default=None, gt=0, exclude_if=lambda strength: strength is None)

    @model_validator(mode="after")
    def _one_way(self) -> Sample:
        if self.edit is not None and self.correct is not None:
            raise ValueError("correct: real rows are edited, not sampled, so there are no samples to correct")
        return self


class Share(Amount):
    """Parts 3 to 5: one share of the corpus. All rows of its source, where no size is given.

    Attributes:
        source: `real` (batch 0), `fresh` (new real rows each generation, from the reserve), `latest`
            (batch n−1), `synthetic` (batches 1 … n−1) or `pool` (batches 0 … n−1).
        window: only the last so many batches of `synthetic` or `pool`.
        fill: as many rows as bring the corpus up to this multiple of N.
        how: which rows, if not all: the `first`; a `subsample` (without replacement) or `bootstrap` (with),
            drawn anew each generation; or `scored`, with replacement by the detector's confidence.
        weight: of each row in the loss, relative to the other shares' rows.
        loss_share: of the whole loss, however many rows there are; all shares have one or none has.
    """

    source: ShareOf
    window: int | None = Field(default=None, ge=1)
    fill: float | None = Field(default=None, gt=0)
    how: Literal["first", "subsample", "bootstrap", "scored"] = "first"
    weight: float = Field(default=1.0, gt=0)
    loss_share: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _meaningful(self) -> Share:
        sizes = [self.times, self.rows, self.fill]
        if sum(size is not None for size in sizes) > 1:
            raise ValueError("fill: give one of `times`, `rows` and `fill`")
        if self.window is not None and self.source not in ("synthetic", "pool"):
            raise ValueError(f"window: only `synthetic` and `pool` have batches to choose from, not `{self.source}`")
        if self.whole and (self.source == "fresh" or self.how != "first" or not self.steady):
            raise ValueError("times: how many rows? give `times`, `rows` or `fill`")
        if self.fill is not None and not self.steady:
            raise ValueError("fill: what fills the corpus has no schedule of its own")
        if self.source == "fresh" and self.how != "first":
            raise ValueError("how: fresh rows are new already; leave `how` out")
        if self.loss_share is not None and self.weight != 1.0:
            raise ValueError("weight: give `weight` (of a row) or `loss_share` (of them all), not both")
        return self

    @property
    def whole(self) -> bool:
        """Whether it takes all rows of its source."""
        return self.times is None and self.rows is None and self.fill is None

    def batches(self, generation: int) -> tuple[int, ...]:
        """The batches it draws on."""
        if self.source == "fresh":
            return (FRESH,)
        if self.source == "real":
            return (0,)
        oldest = {"latest": generation - 1, "synthetic": 1, "pool": 0}[self.source]
        if self.window is not None:
            oldest = max(oldest, generation - self.window)
        return tuple(range(oldest, generation))


def nearest(rows: float) -> int:
    """The nearest whole number, half up, and deaf to the last bits of a product such as 0.35 · 10."""
    return math.floor(round(rows, 9) + 0.5)

"""Ladders: what a size is, apart from how a size is trained.

A size is a set of family fields; a budget rule says how many rows each size gets. Their product is a list of
settings for a study's space. Model shapes belong to families (`families/*/sizes.py`), budgets to this module.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trainables.config import Config
from trainables.families import FAMILIES

if TYPE_CHECKING:
    from trainables.families import FamilyConfig

Settings = dict[str, Any]
"""Dotted path of a cell's field -> value."""


class BudgetRule(Config, ABC):
    """How many rows a model of a size is trained on, per generation and per batch."""

    kind: str

    @abstractmethod
    def rows(self, family: FamilyConfig) -> int:
        """N for this model; at least 1."""


class FixedRows(BudgetRule):
    """The same rows for every size: what a size does with equal data."""

    kind: Literal["fixed_rows"] = "fixed_rows"
    n: int = Field(ge=1)

    def rows(self, family: FamilyConfig) -> int:
        """N = n."""
        return self.n


class TokensPerParameter(BudgetRule):
    """D = ratio · N_parameters tokens.

    `ratio` 20 is the compute-optimal rule of thumb of Hoffmann et al. 2022 (arXiv 2203.15556, table 3, where
    D/N is about 20 from 0.4B to 10B parameters); small models on simple text are commonly given more.
    """

    kind: Literal["tokens_per_parameter"] = "tokens_per_parameter"
    ratio: float = Field(default=20.0, gt=0)

    def rows(self, family: FamilyConfig) -> int:
        """N = ratio · parameters / tokens per row."""
        cost = family.cost(1)
        return _at_least_one(self.ratio * cost.parameters / cost.tokens_per_row)


class FixedCompute(BudgetRule):
    """Equal training compute: C = F · N rows, F the family's own operations per row over all epochs.

    For transformers F is 6 · parameters · tokens · epochs (Kaplan et al. 2020, arXiv 2001.08361, section 2.1).
    """

    kind: Literal["fixed_compute"] = "fixed_compute"
    flops: float = Field(gt=0)

    def rows(self, family: FamilyConfig) -> int:
        """N = C / F."""
        return _at_least_one(self.flops / family.cost(1).fit_flops)


def ladder(family: Mapping[str, Any], sizes: Sequence[Settings], rule: BudgetRule) -> list[Settings]:
    """One setting per size: the size's fields and the rows that the rule grants it.

    Args:
        family: the base cell's family as plain data, `kind` included.
        sizes: fields of the family that make a size, without the `family.` prefix.
        rule: how many rows a size gets.

    Raises:
        pydantic.ValidationError: a size is no valid family config.
    """
    cls = FAMILIES.get(str(family["kind"]))
    settings = []
    for size in sizes:
        config: FamilyConfig = cls.model_validate(dict(family) | size)
        settings.append({f"family.{name}": value for name, value in size.items()} | {"rows": rule.rows(config)})
    return settings


def isoflop(family: Mapping[str, Any], sizes: Sequence[Settings], budgets: Sequence[float]) -> list[Settings]:
    """An isoFLOP grid: every size at every compute budget (Hoffmann et al. 2022, approach 2).

    Args:
        family: the base cell's family as plain data.
        sizes: fields that make a size.
        budgets: training operations of one generation, one profile each.
    """
    return [setting for flops in budgets for setting in ladder(family, sizes, FixedCompute(flops=flops))]


def geometric(low: float, high: float, steps: int) -> list[float]:
    """`steps` budgets from `low` to `high`, evenly spaced in their logarithm.

    Raises:
        ValueError: `low` or `high` is not positive, or there are fewer than two steps.
    """
    if min(low, high) <= 0 or steps < 2:
        raise ValueError(f"geometric: needs positive ends and two steps or more, not {low}, {high}, {steps}")
    ratio = math.log(high / low) / (steps - 1)
    return [low * math.exp(ratio * step) for step in range(steps)]


def _at_least_one(rows: float) -> int:
    return max(1, round(rows))

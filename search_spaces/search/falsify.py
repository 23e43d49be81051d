"""`search: {kind: falsify}`: seek the configuration that speaks most against a claim, then test it on fresh seeds.

Plain config; `search_spaces.expansion.falsify` says what is explored, `sweep.search.falsification` does the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from search_spaces.search.claims import FEWEST_GENERATIONS, Claim, parse_claim
from search_spaces.search.initial_points import check_sampler
from search_spaces.search.kinds import OptunaSearch, SearchConfig
from search_spaces.search.samplers import SAMPLERS, SamplerConfig, Tpe, by_name
from search_spaces.space import Grid, Space
from trainables.config import Config

if TYPE_CHECKING:
    AnySampler = SamplerConfig
else:
    AnySampler = Annotated[SAMPLERS.union(), BeforeValidator(by_name)]

FRESH_SEED = 1_000_000
"""First seed of a retest. Exploration counts from 0 and never gets here."""


class Confirm(Config):
    """How suspicious configurations are retested.

    Attributes:
        candidates: the strongest so many are retested, those alone that speak against the claim.
        seeds: fresh ones, the same for every candidate.
    """

    candidates: int = Field(default=3, ge=1, le=100)
    seeds: int = Field(default=8, ge=3, le=1000)


class FalsifySearch(SearchConfig):
    """A hunt for counterexamples.

    Attributes:
        claim: what is to be refuted, as in "accumulate stays bounded".
        num_samples: configurations to try.
        independent: of these, the first so many are drawn independently of all results; what was searched without a
            counterexample is told of them. The sampler suggests the others.
        sampler: Optuna's, by name.
        seeds: exploration seeds of each configuration: 0, 1, …
        confirm: the retest.
        alpha: chance of refuting a true claim, at most, over all retested candidates.
        seed: of the draws.
    """

    kind: Literal["falsify"] = "falsify"
    adaptive: ClassVar[bool] = True
    claim: str
    sampler: AnySampler = Tpe()
    num_samples: int = Field(default=30, ge=1)
    independent: int = Field(default=10, ge=1)
    seeds: int = Field(default=3, ge=2, le=1000)
    confirm: Confirm = Confirm()
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    seed: int = Field(default=0, ge=0)

    @field_validator("claim")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            parse_claim(value)
        except ValueError as problem:
            raise ValueError(str(problem).removeprefix("claim: ")) from None
        return value

    @property
    def parsed(self) -> Claim:
        """The claim."""
        return parse_claim(self.claim)

    @property
    def fresh_seeds(self) -> range:
        """Seeds of the retest."""
        return range(FRESH_SEED, FRESH_SEED + self.confirm.seeds)

    @property
    def exploration(self) -> OptunaSearch:
        """What seeks suspicious configurations."""
        return OptunaSearch(sampler=self.sampler, num_samples=self.num_samples, mode="max", seed=self.seed)

    @property
    def draw_seed(self) -> int:
        """The seed."""
        return self.seed

    @property
    def retests(self) -> int:
        """The candidates."""
        return self.confirm.candidates

    @property
    def suggestions(self) -> int:
        """Configurations that are tried."""
        return self.num_samples

    @property
    def ranking(self) -> None:
        """Recursions are judged whole."""

    def check_stopping(self) -> None:
        """Recursions are judged whole."""
        raise ValueError("scheduler: a hunt judges whole recursions; leave it out")

    def check_space(self, cell: Mapping[str, Any], space: Space) -> None:
        """A configuration is drawn whole; policies and seeds are the search's own business.

        Raises:
            ValueError: the block says otherwise; the line starts with the field's name.
        """
        super().check_space(cell, space)
        for path, word in space.items():
            if path in ("seed", "policy", "policy.kind"):
                own = "search.seeds says how many seeds" if path == "seed" else "the claim names the policies"
                raise ValueError(f"space.{path}: {own}; leave it out")
            if isinstance(word, Grid):
                raise ValueError(f"space.{path}: a falsify search draws every path; say choice in place of grid")
        for name in ("seed", "policy"):
            if name in cell and not (name == "policy" and _kind(cell[name]) == self.parsed.policy):
                said = (
                    "exploration counts seeds from 0" if name == "seed" else f"the claim is about {self.parsed.policy}"
                )
                raise ValueError(f"cell.{name}: {said}; leave it out")
        fewest, generations = FEWEST_GENERATIONS[self.parsed.assertion], cell.get("generations")
        if isinstance(generations, int) and generations < fewest:
            raise ValueError(f"cell.generations: this claim is judged from {fewest} on, not {generations}")
        check_sampler(self.sampler, space)


def _kind(policy: Any) -> Any:
    return policy.get("kind") if isinstance(policy, Mapping) else policy

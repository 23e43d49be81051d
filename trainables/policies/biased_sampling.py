"""`biased_sampling`: any policy, with a sampler sharpened in favour of quality over diversity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from trainables.policies import POLICIES
from trainables.policies.base import Budget, Color, PolicyConfig, Recipe
from trainables.policies.replace import Replace

if TYPE_CHECKING:
    AnyBase = PolicyConfig
else:
    AnyBase = POLICIES.union(but={"biased_sampling"})


class BiasedSampling(PolicyConfig):
    """The base policy with samples biased by λ (Alemohammad et al. 2023, arXiv 2307.01850, section 2).

    λ = 1 samples the model itself, λ → 0 its mode: a Gaussian's λΣ, a language model's temperature, a
    diffusion model's noise. The same as the base policy with `bias: λ`, and of the same lineage.
    """

    kind: Literal["biased_sampling"] = "biased_sampling"
    color: ClassVar[Color] = "orange"
    strength: float = Field(default=0.5, gt=0, description="λ of the sampler")
    base: AnyBase = Replace()

    @model_validator(mode="after")
    def _one_bias(self) -> BiasedSampling:
        if self.bias != 1.0 or self.base.bias != 1.0:
            raise ValueError("bias: biased_sampling has `strength` for it")
        if "edit" in self.base.requires():
            raise ValueError(f"base: {self.base.kind} edits rows instead of sampling, so there is no sampler to bias")
        return self

    def requires(self) -> frozenset[str]:
        return self._biased().requires()

    def later(self, generation: int, budget: Budget) -> Recipe:
        return self._biased().later(generation, budget)

    def _biased(self) -> PolicyConfig:
        return self.base.model_copy(update={"bias": self.strength})

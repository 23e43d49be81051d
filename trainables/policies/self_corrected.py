"""`self_corrected`: any policy, with samples that are moved towards the data before they are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from trainables.policies import POLICIES
from trainables.policies.base import Budget, Color, PolicyConfig, Recipe
from trainables.policies.replace import Replace

if TYPE_CHECKING:
    AnyBase = PolicyConfig
else:
    AnyBase = POLICIES.union(but={"biased_sampling", "self_corrected"})


class SelfCorrected(PolicyConfig):
    """The base policy with samples corrected by γ (Gillman et al. 2024, "Self-correcting self-consuming loops for
    generative model training", arXiv 2402.07087).

    Their π_γ p = (p + γp*)/(1 + γ) blends a model with the truth: γ = 0 leaves its samples as they are, γ → ∞ gives
    real rows. Numbers move γ/(1 + γ) of their way, categories and labels are drawn from the truth with that chance.
    """

    kind: Literal["self_corrected"] = "self_corrected"
    color: ClassVar[Color] = "green"
    strength: float = Field(default=1.0, gt=0, description="γ of the correction")
    base: AnyBase = Replace()

    @model_validator(mode="after")
    def _one_way(self) -> SelfCorrected:
        if self.base.bias != 1.0:
            raise ValueError("base.bias: state `bias` of the policy itself")
        if "edit" in self.base.requires():
            raise ValueError(f"base: {self.base.kind} edits real rows, so there are no samples to correct")
        if getattr(getattr(self.base, "sample", None), "correct", None) is not None:
            raise ValueError("base.sample.correct: self_corrected has `strength` for it")
        return self

    def requires(self) -> frozenset[str]:
        return self._base.requires() | {"correct"}

    def later(self, generation: int, budget: Budget) -> Recipe:
        recipe = self._base.later(generation, budget)
        assert recipe.sampling is not None  # a recipe from generation 2 on always samples
        return recipe.model_copy(update={"sampling": recipe.sampling.model_copy(update={"correct": self.strength})})

    @property
    def _base(self) -> PolicyConfig:
        """The base policy, its sampler biased as this one's is."""
        return self.base.model_copy(update={"bias": self.bias})

"""`FeaturesConfig`: everything that decides a recursion of ridge regressions on random features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.families.base import Cost, FamilyConfig, World
from trainables.families.metrics import Metric, disagreement

if TYPE_CHECKING:
    from trainables.families.closed_form.features.family import RandomFeatures


class FeaturesConfig(FamilyConfig):
    """Ridge on `width` random features Sᵀx of x ~ N(0, Σ): v̂ = argmin Σ(y − v·Sᵀx)²/n + penalty·‖v‖², entries of S
    independent N(0, 1/width) (Dohmatob et al. 2024, "Strong model collapse", arXiv 2410.04840).

    Real labels are y = x·w* + ε, ε ~ N(0, noise²). In the eigenbasis of Σ, λ_k = k^−capacity and
    λ_k·w*_k² ∝ k^−(1 + 2·smoothness·capacity) with random signs: capacity and source condition of Dohmatob et al. 2024,
    "Model collapse demystified", arXiv 2402.07712. Every batch has inputs of its own.

    Attributes:
        dim: of the inputs.
        width: random features m; without one, ridge on the inputs themselves, which m → ∞ comes to.
        penalty: of ridge, beside the mean squared residual.
        noise: standard deviation σ of labels, real or synthetic.
        signal: standard deviation of x·w*.
        capacity: how fast eigenvalues of Σ fall.
        smoothness: r of the source condition; the larger, the smoother the target.
        features: whether each generation draws S anew, as a fresh initialisation, or all have one S.
        labeller: who labels synthetic rows: the model, or a fixed surrogate of the truth at distance `distortion`
            from it, as in the single fit of "Strong model collapse".
        distortion: E‖δ‖²_Σ, where synthetic labels are those of ŵ + δ (a new δ for each batch) or of the surrogate
            w* + δ; Gaussian, Σ^½δ of no preferred direction. 0 is the best quality.
    """

    kind: Literal["random_features"] = "random_features"
    dim: int = Field(default=50, ge=1, le=5000)
    width: int | None = Field(default=25, ge=1, le=100_000)
    penalty: float = Field(default=0.01, ge=1e-8)
    noise: float = Field(default=0.5, gt=0)
    signal: float = Field(default=1.0, gt=0)
    capacity: float = Field(default=1.0, ge=0, le=10)
    smoothness: float = Field(default=0.5, ge=0, le=10)
    features: Literal["fresh", "shared"] = "fresh"
    labeller: Literal["model", "surrogate"] = "model"
    distortion: float = Field(default=0.0, ge=0)
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 300}
    loss_unit: ClassVar[str] = "squared Σ-norm"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("norm_ratio", "length of coefficients, fitted over true"),
        disagreement("squared Σ-distance of two models"),
    )
    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "score"})
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"dim", "noise", "signal", "capacity", "smoothness"})
    sampling_fields: ClassVar[frozenset[str]] = frozenset({"labeller", "distortion"})

    @property
    def spectrum(self) -> np.ndarray:
        """Eigenvalues of Σ, [dim]."""
        values: np.ndarray = np.arange(1, self.dim + 1, dtype=float) ** -self.capacity
        return values

    @property
    def energy(self) -> np.ndarray:
        """λ_k·w*_k², [dim]; adds up to signal²."""
        fall = np.arange(1, self.dim + 1, dtype=float) ** -(1 + 2 * self.smoothness * self.capacity)
        values: np.ndarray = self.signal**2 * fall / fall.sum()
        return values

    @classmethod
    def tiny(cls) -> tuple[FeaturesConfig, int]:
        return cls(dim=6, width=4), 50

    def size_label(self) -> str:
        return f"dim {self.dim}" if self.width is None else f"width {self.width} of dim {self.dim}"

    def cost(self, rows: int) -> Cost:
        """Statistics cost the same whatever the rows; what is given here is that cost per row."""
        rank = min(self.width or self.dim, self.dim)
        work = 2.0 * self.dim**2 * rank / rows
        return Cost(self.width or self.dim, work, 2.0 * self.dim**2 / rows, 8.0 * self.dim / rows, parameter_bytes=8)

    def build(self, world: World) -> RandomFeatures:
        from trainables.families.closed_form.features.family import RandomFeatures

        return RandomFeatures(self, world)

"""`KdeConfig`: what is estimated, and by which bandwidth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from trainables.families.base import Cost, FamilyConfig, World
from trainables.families.closed_form.mixtures import Shape, dimension
from trainables.families.metrics import Metric, disagreement

if TYPE_CHECKING:
    from trainables.families.closed_form.kde.family import Kde


class KdeConfig(FamilyConfig):
    """Rows of a blurred shape, fitted by a kernel estimate (Silverman 1986), sampled with its noise.

    Lengths are in units of the data's standard deviation. A fixed bandwidth adds its square to the variance
    in every generation; `scott` and `silverman` follow the corpus's own spread and size.
    """

    kind: Literal["kde"] = "kde"
    data: Shape = "moons"
    blur: float = Field(default=0.1, gt=0, lt=1, description="standard deviation of the Gaussian around the shape")
    bandwidth: float | Literal["scott", "silverman"] = Field(default=0.1, description="a length, or a rule")
    held_out: int = Field(default=500, ge=2, description="real rows that the loss is measured on")
    directions: int = Field(default=16, ge=1, description="of the sliced Wasserstein distance")
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 100, "generations": 10}
    loss_unit: ClassVar[str] = "nats per row"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("excess_nll", "held-out loss above the truth's", "nats per row", worse=1),
        Metric("trace_ratio", "variance, tr Σ̂ / tr Σ", worse=-1, role="spread"),
        Metric("mean_sq_error", "squared error of the mean", worse=1),
        Metric("det_ratio", "generalised variance, det Σ̂ / det Σ", worse=-1),
        Metric("sliced_wasserstein", "sliced Wasserstein distance", worse=1),
        Metric("mode_overlap", "share of samples between modes", worse=1, role="overlap", when="of several modes"),
        Metric("bandwidth", "bandwidth"),
        disagreement("squared difference of two log-densities", "nats²"),
    )
    vectorised: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    validates: ClassVar[bool] = True
    default_rows: ClassVar[int] = 200
    default_generations: ClassVar[int] = 10
    data_fields: ClassVar[frozenset[str]] = frozenset({"data", "blur"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"held_out", "directions"})
    evaluation_version: ClassVar[int] = 1

    def check(self, rows: int, replicates: int) -> None:
        """A bandwidth is positive, and one that is estimated needs two rows."""
        super().check(rows, replicates)
        if isinstance(self.bandwidth, float) and self.bandwidth <= 0:
            raise ValueError(f"bandwidth: must be more than 0, not {self.bandwidth}")
        if isinstance(self.bandwidth, str) and rows < 2:
            raise ValueError(f"rows: the {self.bandwidth} bandwidth needs at least 2, not {rows}")

    @property
    def dim(self) -> int:
        """Coordinates of a row."""
        return dimension(self.data)

    @classmethod
    def tiny(cls) -> tuple[FamilyConfig, int]:
        return cls(held_out=40, directions=4), 20

    def size_label(self) -> str:
        return str(self.data)

    def cost(self, rows: int) -> Cost:
        """Dominated by kernel values between held-out rows and the corpus."""
        return Cost(rows * self.dim, 5.0 * self.held_out, 5.0 * self.dim, 8.0 * self.dim, parameter_bytes=8)

    def build(self, world: World) -> Kde:
        from trainables.families.closed_form.kde.family import Kde

        return Kde(self, world)

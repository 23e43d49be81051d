"""`GlmConfig`: everything that decides a recursion of generalised linear models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from trainables.families.base import Cost, FamilyConfig, World
from trainables.families.closed_form.glm.labels import Link
from trainables.families.metrics import SEPARATED, Metric, disagreement
from trainables.sources.tables import TABLES, Simulated, TableSource, load

if TYPE_CHECKING:
    from trainables.families.closed_form.glm.family import Glm

    AnyTable = Simulated | TableSource
else:
    AnyTable = TABLES.union()

STEPS = 5.0
"""Newton steps of a fit, about."""

_KNOWN = "where the truth is known"
_CLASSES = "of two classes"


class GlmConfig(FamilyConfig):
    """y | x of mean g⁻¹(x·β): logistic, probit or Poisson regression by maximum likelihood, refitted to labels of its
    own (Dey & Donoho 2024, arXiv 2410.22812; He, Xu & Cheng 2025, arXiv 2502.18049).

    Model n labels the inputs of batch 0 again, whatever the batch: m rows of it are the first m, repeated from the
    start where m > N. With a `fresh` design (simulated inputs only) every batch has inputs of its own.

    Attributes:
        source: what real rows are: drawn from a known model, or a table.
        link: of the mean; binary labels, or counts for `poisson`.
        penalty: of ridge, Σ log p − penalty/2·‖slopes‖², weights scaled to a mean of 1; 0 is maximum likelihood.
        design: whose inputs a synthetic batch has.
        limit: Newton steps at most.
        held_out: inputs that models of simulated rows are judged at; a table holds rows out by its own hash.
    """

    kind: Literal["glm"] = "glm"
    source: AnyTable = Simulated()
    link: Link = "logistic"
    penalty: float = Field(default=0.0, ge=0)
    design: Literal["fixed", "fresh"] = "fixed"
    limit: int = Field(default=40, ge=1, le=1000)
    held_out: int = Field(default=200, ge=10)
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 1000}
    own_data: ClassVar[Mapping[str, str]] = {"": "table"}
    loss_unit: ClassVar[str] = "nats per label"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("fisher_error", "squared error of coefficients, Fisher metric", worse=1, judged=True, when=_KNOWN),
        Metric("coefficient_error", "squared error of coefficients", worse=1, when=_KNOWN),
        Metric("accuracy", "held-out accuracy", worse=-1, when=_CLASSES),
        Metric("calibration_error", "expected calibration error", worse=1, when=_CLASSES),
        SEPARATED,
        Metric("out_of_steps", "share of fits that ran out of steps", worse=1),
        Metric("newton_steps", "Newton steps of a fit"),
        disagreement("squared distance of two models' coefficients"),
    )
    fit_version: ClassVar[int] = 2
    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"source", "link", "design"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"held_out"})

    @property
    def conditioned(self) -> bool:
        """Labels are drawn for inputs of batch 0's rows where these are a table's; a simulated design is shared."""
        return not isinstance(self.source, Simulated)

    def check(self, rows: int, replicates: int) -> None:
        """Simulated inputs alone can be drawn anew; without a penalty there are rows for every coefficient."""
        super().check(rows, replicates)
        if self.design == "fresh" and not isinstance(self.source, Simulated):
            raise ValueError(f"design: inputs of {self.source.kind} can't be drawn anew; leave it `fixed`")
        if not self.penalty and rows < self.columns + 2:
            raise ValueError(
                f"rows: {self.columns} coefficients need at least {self.columns + 2} rows, not {rows}; or a penalty"
            )

    @property
    def columns(self) -> int:
        """Coefficients, the constant among them; of a file's table 2, which it has at least."""
        return 1 + self.source.columns

    def data_identity(self) -> dict[str, Any]:
        return super().data_identity() | {"source": self.source.identity()}

    def evaluation_identity(self) -> dict[str, Any]:
        """With what the truth has of the loss, mended for labels of two links: records of theirs are judged anew."""
        mended = isinstance(self.source, Simulated) and self.link != "logistic"
        return super().evaluation_identity() | ({"least": 2} if mended else {})

    def available_rows(self) -> int | None:
        if isinstance(self.source, Simulated):
            return None
        found = load(self.source, counts=self.link == "poisson")
        if not self.penalty and found.repeated is not None:
            raise ValueError(
                f"source: column {found.repeated!r} follows from those before it in all {found.train.rows} training "
                "rows; leave it out, or give a penalty"
            )
        return found.train.rows

    @classmethod
    def tiny(cls) -> tuple[GlmConfig, int]:
        return cls(source=Simulated(dim=2)), 50

    def size_label(self) -> str:
        return f"{self.link}, {self.columns} coefficients"

    def cost(self, rows: int) -> Cost:
        """Newton steps on the inputs of batch 0, whatever the corpus repeats of them."""
        work = STEPS * self.columns * (self.columns + 4.0)
        return Cost(self.columns, work, 2.0 * self.columns, 1.0, parameter_bytes=8)

    def build(self, world: World) -> Glm:
        from trainables.families.closed_form.glm.family import Glm

        return Glm(self, world)

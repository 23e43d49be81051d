"""What a metric means: its unit, and in which direction it is worse. Tables and plots take their words from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Metric:
    """One metric's meaning.

    Attributes:
        name: column of the frame.
        label: how plots and tables call it.
        unit: of its values, empty for pure numbers.
        worse: +1 where larger is worse, −1 where smaller is.
    """

    name: str
    label: str
    unit: str = ""
    worse: int = 1

    @property
    def axis(self) -> str:
        """Axis label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def growth_unit(self) -> str:
        """Unit of growth."""
        return f"{self.unit} per generation" if self.unit else "per generation"


_LOSS_UNITS: Mapping[str, str] = {
    "linear": "squared Σ-norm",
    "gaussian": "nats per row",
    "language": "nats per token",
    "vae": "nats per image",
    "diffusion": "denoising error per coordinate",
    "kde": "nats per row",
    "discrete": "squared distance of frequencies",
    "bernoulli": "squared error of the mean",
    "poisson": "squared error of the mean",
    "mixture": "nats per row",
    "glm": "nats per label",
    "random_features": "squared Σ-norm",
}
_KNOWN = (
    Metric("trace_ratio", "variance, tr Σ̂ / tr Σ", worse=-1),
    Metric("variance_ratio", "variance, fitted over true", worse=-1),
    Metric("gini_simpson", "diversity, 1 − Σp²", worse=-1),
    Metric("mean_sq_error", "squared error of the mean"),
    Metric("fisher_error", "squared error of coefficients, Fisher metric"),
    Metric("nll", "held-out negative log-likelihood", "nats"),
)
_EXTRA: Mapping[str, tuple[str, ...]] = {
    "gaussian": ("trace_ratio",),
    "discrete": ("gini_simpson",),
    "bernoulli": ("variance_ratio",),
    "poisson": ("variance_ratio",),
    "mixture": ("trace_ratio",),
    "glm": ("fisher_error",),
}


def describe(name: str, family: str = "") -> Metric:
    """The meaning of a metric; one that is not known here is taken as a loss without unit."""
    if name == "test_loss":
        return Metric(name, "held-out loss", _LOSS_UNITS.get(family, ""))
    return next((m for m in _KNOWN if m.name == name), Metric(name, name.replace("_", " ")))


def judged(family: str, frame: pd.DataFrame) -> list[Metric]:
    """The metrics that the robustness table judges for a family: held-out loss, and what else says collapse there."""
    names = ("test_loss", *_EXTRA.get(family, ()))
    return [describe(n, family) for n in names if n in frame and frame.loc[frame["family"] == family, n].notna().any()]

"""Rows whose law is known: what a family draws itself."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from trainables.sources.base import Source


class Simulated(Source):
    """Inputs of mean 0 and variance 1, independent rows; labels from a model of known coefficients.

    Attributes:
        dim: inputs beside the constant.
        inputs: `gaussian`, or `signs`, −1 and 1 with equal chances.
        correlation: ρ of neighbouring Gaussian inputs, ρ^|i−j| of any two.
        signal: length of the slopes, whose direction is random: of independent inputs, the linear predictor's
            standard deviation.
        intercept: its mean.
    """

    kind: Literal["simulated"] = "simulated"
    dim: int = Field(default=5, ge=1, le=1000)
    inputs: Literal["gaussian", "signs"] = "gaussian"
    correlation: float = Field(default=0.0, gt=-1, lt=1)
    signal: float = Field(default=1.0, ge=0)
    intercept: float = 0.0

    @property
    def columns(self) -> int:
        """Inputs beside the constant."""
        return self.dim

    def identity(self) -> dict[str, Any]:
        """What the rows are: every field."""
        return self.canonical()

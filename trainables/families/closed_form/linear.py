"""`linear`: least squares on a model's own labels, many independent recursions side by side.

Whole batches are drawn and fitted by sufficient statistics, at a cost that depends on neither rows nor
generation. Rows exist on demand, conditional on the statistics, wherever a policy looks at single rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from trainables.families.base import Cost, Evaluation, FamilyConfig, Start, World
from trainables.families.closed_form.inputs import Design, Tiled
from trainables.families.closed_form.regression import Equations, Estimator, Solver, times
from trainables.families.closed_form.relabelling import Relabelling
from trainables.families.correction import share_moved
from trainables.families.metrics import INFINITE_MEAN, Metric, disagreement
from trainables.families.replicate_summary import summarise_each
from trainables.lineage import Stream
from trainables.store import Payload


class LinearConfig(FamilyConfig):
    """x ~ N(0, Σ), y = x·w* + ε, ε ~ N(0, noise²) (Gerstgrasser et al. 2024, arXiv 2404.01413, section 2).

    With `start: previous` a fit goes on from ŵ_{n−1}: gradient descent begins there, `ridge` penalises the distance
    from it, and `minimum_norm` takes the nearest of the least-squares solutions. Generation 1 is that of `fresh`,
    which begins at zero.

    Model n relabels inputs: y = x·ŵ_n + ε with the same noise. With a `fixed` design these are the inputs of
    batch 0, whatever the batch: m rows of it are its first m, repeated from the start where m > N. With a
    `fresh` design every batch, real or synthetic, has inputs of its own.
    """

    kind: Literal["linear"] = "linear"
    dim: int = Field(default=10, ge=1, le=5000)
    noise: float = Field(default=1.0, gt=0, description="standard deviation σ of labels")
    design: Literal["fixed", "fresh"] = "fixed"
    estimator: Estimator = "ols"
    penalty: float = Field(default=1.0, gt=0, description="of ridge: (XᵀX + penalty)⁻¹Xᵀy")
    covariance: Literal["identity", "power_law"] = "identity"
    exponent: float = Field(default=1.0, ge=0, description="of power_law: eigenvalue i of Σ is i^−exponent")
    signal: float = Field(default=1.0, gt=0, description="length of w*, whose direction is random")
    steps: int = Field(
        default=10, ge=1, le=10**9, exclude_if=lambda steps: steps == 10, description="of gradient_descent"
    )
    rate: float = Field(
        default=0.1,
        gt=0,
        exclude_if=lambda rate: rate == 0.1,
        description="of a step, times the gradient of half the mean squared residual",
    )
    start: Literal["fresh", "previous"] = Field(
        default="fresh", exclude_if=lambda start: start == "fresh", description="where a fit begins"
    )
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 1000}
    loss_unit: ClassVar[str] = "squared Σ-norm"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("mean_sq_error", "squared error of coefficients", worse=1),
        Metric("norm_ratio", "length of coefficients, fitted over true"),
        INFINITE_MEAN,
        disagreement("squared Σ-distance of two models"),
    )
    vectorised: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "edit", "score"})
    validates: ClassVar[bool] = True
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset(
        {"dim", "noise", "design", "covariance", "exponent", "signal"},
    )
    start_fields: ClassVar[frozenset[str]] = frozenset({"start"})
    fit_version: ClassVar[int] = 1

    @model_validator(mode="after")
    def _starts(self) -> LinearConfig:
        if self.start == "previous" and self.estimator == "ols":
            raise ValueError(
                "start: ols is the same wherever it starts; take estimator gradient_descent, ridge or minimum_norm"
            )
        return self

    def starts_from(self, generation: int) -> Start:
        return self.start if generation > 1 else "fresh"

    def start_identity(self) -> dict[str, Any]:
        return {} if self.start == "fresh" else {"start": self.start}

    def check(self, rows: int, replicates: int) -> None:
        """Ordinary least squares has a finite mean error from dim + 2 rows on."""
        super().check(rows, replicates)
        if self.estimator == "ols" and rows < self.dim + 2:
            raise ValueError(
                f"rows: ols in dimension {self.dim} needs at least {self.dim + 2} (dim + 2), not {rows}; "
                "or choose estimator ridge or minimum_norm"
            )

    @property
    def spectrum(self) -> np.ndarray:
        """Eigenvalues of Σ, [dim]."""
        power = self.exponent if self.covariance == "power_law" else 0.0
        values: np.ndarray = np.arange(1, self.dim + 1, dtype=float) ** -power
        return values

    def size_label(self) -> str:
        return f"dim {self.dim}"

    def cost(self, rows: int) -> Cost:
        """Statistics cost the same whatever the rows; what is given here is that cost per row."""
        work = 4.0 * self.dim**2 / rows
        return Cost(self.dim, work, work, 8.0 * self.dim / rows, parameter_bytes=8)

    def build(self, world: World) -> Linear:
        return Linear(self, world)


class Linear(Relabelling):
    """Batches and models are those of `Relabelling`."""

    config: LinearConfig
    judges_together: ClassVar[bool] = True

    def __init__(self, config: LinearConfig, world: World) -> None:
        super().__init__(config, world, config.dim, config.noise)
        self._solve = Solver(config.estimator, config.penalty, config.spectrum, config.steps, config.rate)

    @cached_property
    def target(self) -> np.ndarray:
        """Σ^½w*, [replicates, dim]."""
        direction = self.truth.numpy("target").standard_normal((self.world.replicates, self.config.dim))
        unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        white: np.ndarray = self.config.signal * unit * np.sqrt(self.config.spectrum)
        return white

    @cached_property
    def _length(self) -> np.ndarray:
        """Of the target, [replicates]."""
        length: np.ndarray = np.linalg.norm(self.target, axis=1)
        return length

    @cached_property
    def _base(self) -> Design:
        rows = self.world.rows
        return Design(self.truth.child("inputs"), self.world.replicates, rows, self.config.dim, name=rows)

    def solution(self, equations: Equations, weight: float, stream: Stream) -> np.ndarray:
        """By the configured estimator."""
        return self._solve(equations, weight)

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed.

        `test_loss` = ‖ŵ − w*‖²_Σ is the expected held-out squared error above the noise. Its mean is infinite
        for `minimum_norm` while |rows − dim| ≤ 1; `infinite_mean` says so, and medians are what to read there.
        """
        return self.evaluate_each([model], [stream])[0]

    def evaluate_each(self, models: Sequence[Payload], streams: Sequence[Stream]) -> list[Evaluation]:
        coefficients = np.array([model.tensors["coefficients"] for model in models])
        error, rows = coefficients - self.target, self.world.rows
        values = {
            "test_loss": np.vecdot(error, error),
            "mean_sq_error": error**2 @ (1 / self._solve.spectrum),
            "norm_ratio": np.sqrt(np.vecdot(coefficients, coefficients)) / self._length,
        }
        infinite = self.config.estimator == "minimum_norm" and abs(rows - self.config.dim) <= 1
        return summarise_each(values, {"infinite_mean": 1.0} if infinite else {})

    def edit(self, model: Payload, real: Payload, threshold: float, stream: Stream) -> Payload:
        """Labels that the model finds likely, of at least `threshold` times its largest density, drawn from it again.

        Zhu et al. 2024 (arXiv 2412.14689) analyse token editing by this regression.
        """
        rng, noise = stream.numpy(), self.config.noise
        near = noise * math.sqrt(-2 * math.log(threshold))
        inputs, labels, edited = [], [], 0
        for part, z, y in self._rows(real):
            told = times(z, model.tensors["coefficients"][part])
            again = np.abs(y - told) < near
            labels.append(np.where(again, told + noise * rng.standard_normal(y.shape), y))
            inputs.append(z)
            edited += int(again.sum())
        tensors = {"inputs": np.concatenate(inputs), "labels": np.concatenate(labels)}
        return Payload({"rows": real.rows, "edited": edited / tensors["labels"].size}, tensors)

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A label moves by γ/(1 + γ)·x·(w* − ŵ): the batch is one of coefficients (ŵ + γw*)/(1 + γ)."""
        step = share_moved(strength) * (corrector.tensors["coefficients"] - model.tensors["coefficients"])
        if "inputs" in batch.tensors:
            moves = times(batch.tensors["inputs"], step)
            tensors = {"inputs": batch.tensors["inputs"], "labels": batch.tensors["labels"] + moves}
        else:
            moves = times(self._batch_design(batch).root.swapaxes(1, 2), step)
            tensors = {"projection": batch.tensors["projection"] + moves}
        moved = math.sqrt(float((moves**2).sum(axis=1).mean()) / batch.rows)
        return Payload({**batch.meta, "moved": moved}, tensors)

    def _design(self, rows: int, stream: Stream) -> Design:
        """Inputs of a batch that was drawn from `stream`."""
        if self.config.design == "fixed":
            return self._designs.get(rows, lambda: Tiled(self._base, rows))
        return super()._design(rows, stream)

"""`linear`: least squares on a model's own labels, many independent recursions side by side.

Whole batches are drawn and fitted by sufficient statistics, at a cost that depends on neither rows nor
generation. Rows exist on demand, conditional on the statistics, wherever a policy looks at single rows.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Batch, Corpus, Part
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
from trainables.families.closed_form.corpus_terms import (
    Memo,
    RunningSum,
    by_row,
    drawn_parts,
    gather,
    multiplicities,
    probability,
    square_distances,
    whole_batches,
)
from trainables.families.closed_form.inputs import Design, Tiled, columns
from trainables.families.closed_form.random_matrices import blocks
from trainables.families.closed_form.regression import Equations, Estimator, Factored, NormalEquations, Solver, times
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class LinearConfig(FamilyConfig):
    """x ~ N(0, Σ), y = x·w* + ε, ε ~ N(0, noise²) (Gerstgrasser et al. 2024, arXiv 2404.01413, section 2).

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
    vectorised: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "score"})
    validates: ClassVar[bool] = True
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset(
        {"dim", "noise", "design", "covariance", "exponent", "signal"},
    )
    fit_version: ClassVar[int] = 1

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
        return Cost(self.dim, work, work, 8.0 * self.dim / rows)

    def build(self, world: World) -> Linear:
        return Linear(self, world)


class Linear(Family):
    """A model is its `coefficients` Σ^½ŵ, [replicates, dim]; inputs are white, z = Σ^−½x, throughout.

    A batch holds the `projection` Qᵀy of its labels on the inputs' column space, [replicates, rank], and in
    `meta.stream` the name of the stream that inputs and rows come from. Rows selected from a batch are held
    as `inputs` [replicates, rows, dim] and `labels` [replicates, rows].
    """

    config: LinearConfig

    def __init__(self, config: LinearConfig, world: World) -> None:
        super().__init__(config, world)
        self._solve = Solver(config.estimator, config.penalty, config.spectrum)
        self._sums = RunningSum(self._whole, operator.add, world.lineages)
        self._designs: Memo[Design] = Memo(3 + world.lineages)
        self._parts: Memo[NormalEquations] = Memo(4)

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

    def real(self, start: int, rows: int) -> Payload:
        """Endless rows with independent noise; each range of them is a sample of its own."""
        return self._label(self.target, rows, self.truth.child("rows", str(start), str(rows)), 1.0)

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ scales the variance of the noise."""
        return self._label(model.tensors["coefficients"], rows, stream, bias)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted least squares by the configured estimator."""
        whole = whole_batches(corpus)
        terms = [self._sums.total(whole)] if whole else []
        terms += [self._drawn(part) for part in drawn_parts(corpus)]
        coefficients = self._solve(sum(terms[1:], start=terms[0]))
        if not np.isfinite(coefficients).all():
            raise Diverged("a fitted coefficient is not finite")
        return Payload(tensors={"coefficients": coefficients})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed.

        `test_loss` = ‖ŵ − w*‖²_Σ is the expected held-out squared error above the noise. Its mean is infinite
        for `minimum_norm` while |rows − dim| ≤ 1; `infinite_mean` says so, and medians are what to read there.
        """
        coefficients = model.tensors["coefficients"]
        error, rows = coefficients - self.target, self.world.rows
        values = {
            "test_loss": np.vecdot(error, error),
            "mean_sq_error": error**2 @ (1 / self._solve.spectrum),
            "norm_ratio": np.sqrt(np.vecdot(coefficients, coefficients)) / self._length,
        }
        infinite = self.config.estimator == "minimum_norm" and abs(rows - self.config.dim) <= 1
        return summarise(values, {"infinite_mean": 1.0} if infinite else {})

    def validate(self, model: Payload) -> float:
        """Mean squared error of labels, noise included, on as many rows as batch 0 has, from a stream of their own."""
        rng, shape = self.truth.numpy("validation"), (self.world.rows, self.config.dim)
        error, total = self.target - model.tensors["coefficients"], 0.0
        for one in error:
            noise = self.config.noise * rng.standard_normal(self.world.rows)
            total += float(((rng.standard_normal(shape) @ one + noise) ** 2).mean())
        return total / len(error)

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """Expected squared difference of two models' predictions, ‖ŵ_i − ŵ_j‖²_Σ, a mean over pairs."""
        return {"disagreement": square_distances([model.tensors["coefficients"] for model in models])}

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true coefficients, or those fitted to real and to synthetic rows."""
        if synthetic is None:
            return Payload(meta={"judge": kind}, tensors={"coefficients": self.target})
        fitted = {"real": real, "synthetic": synthetic}
        tensors = {name: self._solve(self._equations(batch, 1.0)) for name, batch in fitted.items()}
        return Payload(meta={"judge": kind}, tensors=tensors)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-density of each label under truth or model 1; the detector's probability that it is real."""
        found = np.empty((self.world.replicates, batch.rows))
        for part, z, y in self._rows(batch):
            if kind == "detector":
                real, fake = (self._fits(z, y, judge.tensors[name][part]) for name in ("real", "synthetic"))
                found[part] = probability(real - fake)
            else:
                found[part] = self._fits(z, y, judge.tensors["coefficients"][part])
        return by_row(found)

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves."""
        index = np.broadcast_to(np.atleast_2d(index), (self.world.replicates, np.shape(index)[-1]))
        taken = [(gather(z, index[part]), gather(y, index[part])) for part, z, y in self._rows(batch)]
        inputs, labels = (np.concatenate(pieces) for pieces in zip(*taken, strict=True))
        return Payload(meta={"rows": index.shape[1]}, tensors={"inputs": inputs, "labels": labels})

    def _label(self, coefficients: np.ndarray, rows: int, stream: Stream, bias: float) -> Payload:
        """Labels of a design: their projection is rootᵀ·coefficients + noise."""
        root = self._design(rows, stream).root
        scale = self.config.noise * math.sqrt(bias)
        noise = stream.numpy("noise").standard_normal((self.world.replicates, root.shape[2]))
        projection = times(root.swapaxes(1, 2), coefficients) + scale * noise
        if not np.isfinite(projection).all():
            raise Diverged("a label is not finite")
        meta = {"rows": rows, "scale": scale, "stream": [stream.key, *stream.path]}
        return Payload(meta, {"projection": projection})

    def _design(self, rows: int, stream: Stream) -> Design:
        """Inputs of a batch that was drawn from `stream`."""
        if self.config.design == "fixed":
            return self._designs.get(rows, lambda: Tiled(self._base, rows))
        own, replicates, dim = stream.child("inputs"), self.world.replicates, self.config.dim
        return self._designs.get((own.key, own.path), lambda: Design(own, replicates, rows, dim))

    def _batch_design(self, batch: Payload) -> Design:
        key, *path = batch.meta["stream"]
        return self._design(batch.rows, Stream(key, tuple(path)))

    def _rows(self, batch: Payload) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Inputs and labels, some replicates at a time; labels are Q·projection + noise off the column space."""
        for part in blocks(self.world.replicates, self.world.rows * self.config.dim):
            if "inputs" in batch.tensors:
                yield part, batch.tensors["inputs"][part], batch.tensors["labels"][part]
                continue
            design = self._batch_design(batch)
            z = design.block(part)
            q = columns(z, design.root[part])
            key, *path = batch.meta["stream"]
            rng = Stream(key, tuple(path)).numpy("labels", str(part.start))
            noise = batch.meta["scale"] * rng.standard_normal(z.shape[:2])[..., None]
            y = noise + q @ (batch.tensors["projection"][part, :, None] - q.swapaxes(1, 2) @ noise)
            yield part, z, y[..., 0]

    def _fits(self, z: np.ndarray, y: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """Log-density of labels."""
        residual = (y - (z @ coefficients[..., None])[..., 0]) / self.config.noise
        density: np.ndarray = -0.5 * residual**2 - math.log(self.config.noise * math.sqrt(2 * math.pi))
        return density

    def _whole(self, batch: Batch, weight: float) -> Equations:
        return self._equations(batch.payload, weight)

    def _equations(self, batch: Payload, weight: float) -> Equations:
        """Normal equations of a whole batch."""
        if "inputs" in batch.tensors:
            z, y = batch.tensors["inputs"], batch.tensors["labels"]
            gram, rank = weight * (z.swapaxes(1, 2) @ z), min(batch.rows, self.config.dim)
            return NormalEquations(gram, weight * times(z.swapaxes(1, 2), y), rank)
        design = self._batch_design(batch)
        projection = weight * math.sqrt(design.multiple) * batch.tensors["projection"]
        found = Factored(design.name, design.unit, weight * design.multiple, projection, design.rank)
        return found if design.name is not None else found.plain()

    def _drawn(self, part: Part) -> NormalEquations:
        """Equations of a part's rows; those that every replicate and generation draws alike are remembered."""
        assert part.index is not None
        if part.index.ndim == 1 and self.world.replicates > 1:
            name = (tuple(b.key for b in part.batches), part.index.tobytes(), part.weight)
            return self._parts.get(name, lambda: self._sum_of_rows(part))
        return self._sum_of_rows(part)

    def _sum_of_rows(self, part: Part) -> NormalEquations:
        replicates, dim = self.world.replicates, self.config.dim
        gram, moment = np.zeros((replicates, dim, dim)), np.zeros((replicates, dim))
        different = np.zeros(replicates)
        for batch, counts in multiplicities(part):
            different += (counts > 0).sum(axis=1)
            for block, z, y in self._rows(batch.payload):
                weighted = z * (part.weight * (counts[block] if len(counts) > 1 else counts))[..., None]
                gram[block] += weighted.swapaxes(1, 2) @ z
                moment[block] += times(weighted.swapaxes(1, 2), y)
        return NormalEquations(gram, moment, int(different.min()))

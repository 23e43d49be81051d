"""`Relabelling`: batches of labelled Gaussian inputs by their sufficient statistics, rows on demand."""

from __future__ import annotations

import math
import operator
from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Diverged, Family, FamilyConfig, World
from trainables.families.closed_form.corpus_terms import (
    Memo,
    RunningSum,
    by_row,
    gather,
    multiplicities,
    of_drawn,
    probability,
    square_distances,
    terms_of,
)
from trainables.families.closed_form.inputs import Design, columns
from trainables.families.closed_form.random_matrices import blocks
from trainables.families.closed_form.regression import Equations, Factored, NormalEquations, times
from trainables.lineage import Stream
from trainables.store import Payload


class Relabelling(Family):
    """A model is its `coefficients` Σ^½ŵ, [replicates, dim]; inputs are white, z = Σ^−½x, throughout.

    A batch holds the `projection` Qᵀy of its labels on the inputs' column space, [replicates, rank], and in
    `meta.stream` the name of the stream that inputs and rows come from. Rows selected from a batch are held
    as `inputs` [replicates, rows, dim] and `labels` [replicates, rows].

    Args:
        dim: of the inputs.
        noise: standard deviation of labels.
    """

    def __init__(self, config: FamilyConfig, world: World, dim: int, noise: float) -> None:
        super().__init__(config, world)
        self._dim = dim
        self._noise = noise
        self._sums = RunningSum(self._whole, operator.add, world.lineages)
        self._designs: Memo[Design] = Memo(3 + world.lineages)
        self._parts: Memo[NormalEquations] = Memo(4)

    @property
    @abstractmethod
    def target(self) -> np.ndarray:
        """Σ^½w*, [replicates, dim]."""

    @abstractmethod
    def solution(self, equations: Equations, weight: float, stream: Stream) -> np.ndarray:
        """White coefficients, [replicates, dim], from the equations of rows that weigh so much in all."""

    def real(self, start: int, rows: int) -> Payload:
        """Endless rows with independent noise; each range of them is a sample of its own."""
        return self._label(self.target, rows, self.truth.child("rows", str(start), str(rows)), 1.0)

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ scales the variance of the noise."""
        return self._label(model.tensors["coefficients"], rows, stream, bias)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted least squares by the family's estimator."""
        return self._fitted(corpus, stream, None)

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        """The same of what the coefficients of `start` leave of the labels, added to them."""
        return self._fitted(corpus, stream, start.tensors["coefficients"])

    def _fitted(self, corpus: Corpus, stream: Stream, start: np.ndarray | None) -> Payload:
        terms = terms_of(corpus, self._sums, self._drawn)
        weight = sum(part.rows * part.weight for part in corpus.parts)
        equations: Equations = sum(terms[1:], start=terms[0])
        if start is None:
            coefficients = self.solution(equations, weight, stream)
        else:
            coefficients = start + self.solution(equations.beyond(start), weight, stream)
        if not np.isfinite(coefficients).all():
            raise Diverged("a fitted coefficient is not finite")
        return Payload(tensors={"coefficients": coefficients})

    def validate(self, model: Payload) -> float:
        """Mean squared error of labels, noise included, on as many rows as batch 0 has, from a stream of their own."""
        rng, shape = self.truth.numpy("validation"), (self.world.rows, self._dim)
        error, total = self.target - model.tensors["coefficients"], 0.0
        for one in error:
            noise = self._noise * rng.standard_normal(self.world.rows)
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
        tensors = {
            name: self.solution(self._equations(batch, 1.0), batch.rows, stream.child(name))
            for name, batch in fitted.items()
        }
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
        scale = self._noise * math.sqrt(bias)
        noise = stream.numpy("noise").standard_normal((self.world.replicates, root.shape[2]))
        projection = times(root.swapaxes(1, 2), coefficients) + scale * noise
        if not np.isfinite(projection).all():
            raise Diverged("a label is not finite")
        meta = {"rows": rows, "scale": scale, "stream": [stream.key, *stream.path]}
        return Payload(meta, {"projection": projection})

    def _design(self, rows: int, stream: Stream) -> Design:
        """Inputs of a batch that was drawn from `stream`: its own."""
        own, replicates = stream.child("inputs"), self.world.replicates
        return self._designs.get((own.key, own.path), lambda: Design(own, replicates, rows, self._dim))

    def _batch_design(self, batch: Payload) -> Design:
        key, *path = batch.meta["stream"]
        return self._design(batch.rows, Stream(key, tuple(path)))

    def _rows(self, batch: Payload) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Inputs and labels, some replicates at a time; labels are Q·projection + noise off the column space."""
        for part in blocks(self.world.replicates, self.world.rows * self._dim):
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
        residual = (y - (z @ coefficients[..., None])[..., 0]) / self._noise
        density: np.ndarray = -0.5 * residual**2 - math.log(self._noise * math.sqrt(2 * math.pi))
        return density

    def _whole(self, batch: Batch, weight: float) -> Equations:
        return self._equations(batch.payload, weight)

    def _equations(self, batch: Payload, weight: float) -> Equations:
        """Normal equations of a whole batch."""
        if "inputs" in batch.tensors:
            z, y = batch.tensors["inputs"], batch.tensors["labels"]
            gram, rank = weight * (z.swapaxes(1, 2) @ z), min(batch.rows, self._dim)
            return NormalEquations(gram, weight * times(z.swapaxes(1, 2), y), rank)
        design = self._batch_design(batch)
        projection = weight * math.sqrt(design.multiple) * batch.tensors["projection"]
        found = Factored(design.name, design.unit, weight * design.multiple, projection, design.rank)
        return found if design.name is not None else found.plain()

    def _drawn(self, part: RealisedDraw) -> NormalEquations:
        """Equations of a part's rows."""
        return of_drawn(part, self.world.replicates, self._parts, self._sum_of_rows)

    def _sum_of_rows(self, part: RealisedDraw) -> NormalEquations:
        replicates, dim = self.world.replicates, self._dim
        gram, moment = np.zeros((replicates, dim, dim)), np.zeros((replicates, dim))
        different = np.zeros(replicates)
        for batch, counts in multiplicities(part):
            different += (counts > 0).sum(axis=1)
            for block, z, y in self._rows(batch.payload):
                weighted = z * (part.weight * (counts[block] if len(counts) > 1 else counts))[..., None]
                gram[block] += weighted.swapaxes(1, 2) @ z
                moment[block] += times(weighted.swapaxes(1, 2), y)
        return NormalEquations(gram, moment, int(different.min()))

"""`gaussian`: mean and covariance of a Gaussian, many independent recursions side by side.

Whole batches are drawn and fitted by sufficient statistics, at a cost that depends on neither rows nor
generation. Rows exist on demand, conditional on the statistics, wherever a policy looks at single rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
from trainables.families.closed_form import moments
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
from trainables.families.closed_form.moments import Moments
from trainables.families.closed_form.random_matrices import blocks, frame, wishart_root
from trainables.families.correction import share_moved
from trainables.families.metrics import INFINITE_MEAN, Metric, disagreement
from trainables.families.replicate_summary import summarise_each
from trainables.lineage import Stream
from trainables.store import Payload


class GaussianConfig(FamilyConfig):
    """x ~ N(0, I_d), fitted by its mean and covariance (Shumailov et al. 2023; Alemohammad et al. 2023).

    `estimator` is the covariance's convention: `biased` divides by the number of rows (maximum likelihood),
    `unbiased` by one less; with row weights by W and W − Σw²/W.
    """

    kind: Literal["gaussian"] = "gaussian"
    dim: int = Field(default=1, ge=1, le=1000)
    estimator: Literal["biased", "unbiased"] = "biased"
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 1000}
    loss_unit: ClassVar[str] = "nats per row"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("trace_ratio", "variance, tr Σ̂ / tr Σ", worse=-1, role="spread", judged=True),
        Metric("mean_sq_error", "squared error of the mean", worse=1),
        Metric("nll", "held-out negative log-likelihood", "nats", worse=1),
        Metric("det_ratio", "generalised variance, det Σ̂ / det Σ", worse=-1),
        Metric("log_det_ratio", "log of the generalised variance", worse=-1),
        INFINITE_MEAN,
        disagreement("squared distance of two means"),
    )
    vectorised: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"dim"})

    def check(self, rows: int, replicates: int) -> None:
        """A covariance of full rank needs more rows than dimensions."""
        super().check(rows, replicates)
        if rows < self.dim + 1:
            raise ValueError(
                f"rows: gaussian in dimension {self.dim} needs at least {self.dim + 1} (dim + 1), not {rows}"
            )

    @classmethod
    def tiny(cls) -> tuple[FamilyConfig, int]:
        return cls(dim=2), 20

    def size_label(self) -> str:
        return f"dim {self.dim}"

    def cost(self, rows: int) -> Cost:
        """Statistics cost the same whatever the rows; what is given here is that cost per row."""
        work = 4.0 * self.dim**3 / rows
        return Cost(
            self.dim * (self.dim + 3) // 2, work, work, 8.0 * self.dim * (self.dim + 1) / rows, parameter_bytes=8
        )

    def build(self, world: World) -> Gaussian:
        return Gaussian(self, world)


class Gaussian(Family):
    """A model is `mean` [replicates, dim] and `root` [replicates, dim, dim], lower triangular, Σ̂ = root·rootᵀ.

    A batch holds its `mean`, the `root` of its scatter matrix, and in `meta.stream` the name of the stream
    that its rows come from. Rows selected from a batch are held as `deviations` from their own mean.
    """

    config: GaussianConfig
    judges_together: ClassVar[bool] = True

    def __init__(self, config: GaussianConfig, world: World) -> None:
        super().__init__(config, world)
        self._sums = RunningSum(_whole, Moments.__add__, world.lineages)
        self._parts: Memo[Moments] = Memo(4)

    def real(self, start: int, rows: int) -> Payload:
        """Endless independent rows; each range of them is a sample of its own."""
        replicates, dim = self.world.replicates, self.config.dim
        mean, root = np.zeros((replicates, dim)), np.broadcast_to(np.eye(dim), (replicates, dim, dim))
        return _draw(mean, root, rows, self.truth.child("rows", str(start), str(rows)))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ scales the covariance."""
        return _draw(model.tensors["mean"], model.tensors["root"] * math.sqrt(bias), rows, stream)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted mean and covariance."""
        terms = terms_of(corpus, self._sums, self._drawn)
        total = sum(terms[1:], start=terms[0])
        root = total.covariance_root(biased=self.config.estimator == "biased")
        if not (np.isfinite(total.mean).all() and np.isfinite(root).all()):
            raise Diverged("the fitted mean or covariance is not finite")
        return Payload(tensors={"mean": total.mean, "root": root})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed.

        `test_loss` is the expected held-out loss above the truth's own, KL(N(0, I) ‖ model), in nats per row.
        Its mean is infinite while a corpus holds no more than dim + 2 rows; `infinite_mean` says so.
        """
        return self.evaluate_each([model], [stream])[0]

    def evaluate_each(self, models: Sequence[Payload], streams: Sequence[Stream]) -> list[Evaluation]:
        mean, root = (np.concatenate([model.tensors[name] for model in models]) for name in ("mean", "root"))
        dim = self.config.dim
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            log_det = 2 * np.log(np.abs(np.diagonal(root, axis1=1, axis2=2))).sum(axis=1)
            inverse = _inverse(root)
            shift = (inverse @ mean[..., None])[..., 0]
            excess = 0.5 * ((inverse**2).sum(axis=(1, 2)) + (shift**2).sum(axis=1) - dim + log_det)
        values = {
            "test_loss": excess,
            "nll": excess + 0.5 * dim * math.log(2 * math.pi * math.e),
            "mean_sq_error": (mean**2).sum(axis=1),
            "trace_ratio": (root**2).sum(axis=(1, 2)) / dim,
            "det_ratio": np.exp(log_det),
            "log_det_ratio": log_det,
        }
        flag = {"infinite_mean": 1.0} if self.world.rows <= dim + 2 else {}
        apart = {name: value.reshape(len(models), -1) for name, value in values.items()}
        return summarise_each(apart, flag, spread=("test_loss", "mean_sq_error", "trace_ratio"))

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """‖μ̂_i − μ̂_j‖², a mean over pairs."""
        return {"disagreement": square_distances([model.tensors["mean"] for model in models])}

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """x moves towards L⁻¹(x − μ̂), L the Cholesky factor of Σ̂: the triangular map that carries the model to N(0, I)
        (Rosenblatt 1952), in one dimension the shortest. So the batch is one of mean μ̂/(1 + γ) and factor
        (L + γI)/(1 + γ).
        """
        way, unit = share_moved(strength), np.eye(self.config.dim)
        root = model.tensors["root"]
        inverse = _inverse(root * np.sign(np.diagonal(root, axis1=1, axis2=2))[:, None])
        mean = batch.tensors["mean"]
        shift = way * ((inverse @ (mean - model.tensors["mean"])[..., None])[..., 0] - mean)
        step = way * (inverse - unit)
        spread = step @ batch.tensors["root"]
        tensors = {"mean": mean + shift, "root": batch.tensors["root"] + spread}
        if "deviations" in batch.tensors:
            tensors["deviations"] = batch.tensors["deviations"] @ (unit + step).swapaxes(1, 2)
        square = (shift**2).sum(axis=1) + (spread**2).sum(axis=(1, 2)) / batch.rows
        return Payload({**batch.meta, "moved": float(np.sqrt(square.mean()))}, tensors)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true density, or Gaussians fitted to real and to synthetic rows (quadratic discriminant analysis)."""
        if synthetic is None:
            return Payload(meta={"judge": kind})
        fitted = {"real": real, "synthetic": synthetic}
        tensors = {f"{name}_mean": batch.tensors["mean"] for name, batch in fitted.items()}
        roots = {f"{name}_root": batch.tensors["root"] / math.sqrt(batch.rows) for name, batch in fitted.items()}
        return Payload(meta={"judge": kind}, tensors=tensors | roots)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-density of each row under truth or model 1; the detector's probability that it is real."""
        found = np.empty((self.world.replicates, batch.rows))
        tensors = judge.tensors
        for part, deviations in self._deviations(batch):
            x = batch.tensors["mean"][part, None] + deviations
            if kind == "reference":
                found[part] = -0.5 * (x**2).sum(axis=2) - 0.5 * self.config.dim * math.log(2 * math.pi)
            elif kind == "first":
                found[part] = _log_density(x, tensors["mean"][part], tensors["root"][part])
            else:
                real = _log_density(x, tensors["real_mean"][part], tensors["real_root"][part])
                fake = _log_density(x, tensors["synthetic_mean"][part], tensors["synthetic_root"][part])
                found[part] = probability(real - fake)
        return by_row(found)

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves, and their moments."""
        index = np.broadcast_to(np.atleast_2d(index), (self.world.replicates, np.shape(index)[-1]))
        taken = np.concatenate([gather(rows, index[part]) for part, rows in self._deviations(batch)])
        found = moments.of_rows(taken, np.ones((1, index.shape[1])))
        tensors = {
            "mean": batch.tensors["mean"] + found.mean,
            "root": found.root,
            "deviations": taken - found.mean[:, None],
        }
        return Payload(meta={"rows": index.shape[1]}, tensors=tensors)

    def _drawn(self, part: RealisedDraw) -> Moments:
        """Moments of a part's rows."""
        return of_drawn(part, self.world.replicates, self._parts, self._moments)

    def _moments(self, part: RealisedDraw) -> Moments:
        """Moments of drawn rows."""
        total: Moments | None = None
        for batch, counts in multiplicities(part):
            pieces = []
            for block, deviations in self._deviations(batch.payload):
                weights = counts[block] if len(counts) > 1 else counts
                found = moments.of_rows(deviations, weights * part.weight)
                mean = batch.payload.tensors["mean"][block] + found.mean
                squares = (weights * part.weight**2).sum(axis=1)
                pieces.append(Moments(found.weight, squares, mean, found.root))
            whole = moments.joined(pieces)
            total = whole if total is None else total + whole
        assert total is not None  # a draw has at least one row
        return total

    def _deviations(self, batch: Payload) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows less the batch's mean, [replicates, rows, dim], some replicates at a time.

        Given the scatter matrix root·rootᵀ, the deviations are Q·rootᵀ with uniformly random orthonormal
        columns Q that are orthogonal to 1.
        """
        root = batch.tensors["root"]
        replicates, dim = root.shape[:2]
        rank = min(dim, batch.rows - 1)
        for part in blocks(replicates, self.world.rows * dim):
            if "deviations" in batch.tensors:
                yield part, batch.tensors["deviations"][part]
                continue
            key, *path = batch.meta["stream"]
            rng = Stream(key, tuple(path)).numpy("rows", str(part.start))
            columns = frame(rng, part.stop - part.start, batch.rows, rank, centred=True)
            yield part, columns @ root[part, :, :rank].swapaxes(1, 2)


def _draw(mean: np.ndarray, root: np.ndarray, rows: int, stream: Stream) -> Payload:
    """A batch of N(mean, root·rootᵀ): x̄ ~ N(mean, Σ/n) and scatter ~ W(n − 1, Σ), independent."""
    rng = stream.numpy("statistics")
    replicates, dim = mean.shape
    shift = (root @ rng.standard_normal((replicates, dim, 1)))[..., 0] / math.sqrt(rows)
    scatter = moments.padded(root @ wishart_root(rng, replicates, dim, rows - 1), dim)
    if not np.isfinite(scatter).all():
        raise Diverged("the model's covariance is not finite")
    return Payload({"rows": rows, "stream": [stream.key, *stream.path]}, {"mean": mean + shift, "root": scatter})


def _whole(batch: Batch, weight: float) -> Moments:
    """Moments of a whole batch."""
    payload = batch.payload
    total = np.array([batch.rows * weight])
    return Moments(total, total * weight, payload.tensors["mean"], payload.tensors["root"] * math.sqrt(weight))


def _inverse(root: np.ndarray) -> np.ndarray:
    if not np.isfinite(root).all():
        raise Diverged("the model's covariance is not finite")
    try:
        inverse: np.ndarray = np.linalg.inv(root)
    except np.linalg.LinAlgError as error:
        raise Diverged("the fitted covariance is singular: too few different rows") from error
    return inverse


def _log_density(x: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Of rows [replicates, rows, dim] under N(mean, root·rootᵀ)."""
    white = (x - mean[:, None]) @ _inverse(root).swapaxes(1, 2)
    log_det = np.log(np.abs(np.diagonal(root, axis1=1, axis2=2))).sum(axis=1)
    density: np.ndarray = -0.5 * (white**2).sum(axis=2) - log_det[:, None] - 0.5 * x.shape[2] * math.log(2 * math.pi)
    return density

"""`mixture`: two Gaussians fitted by expectation maximisation, many independent recursions side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Corpus
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
from trainables.families.closed_form.corpus_terms import (
    by_row,
    drawn_parts,
    gather,
    multiplicities,
    probability,
    whole_batches,
)
from trainables.families.closed_form.mixture.corrector import moved
from trainables.families.closed_form.mixture.density import log_density
from trainables.families.correction import share_moved
from trainables.families.metrics import Metric
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class MixtureConfig(FamilyConfig):
    """x from two Gaussians of unit covariance, `distance` apart on the first axis; shares, means and covariances by EM
    (Shumailov et al. 2024, figure on Gaussian mixtures; arXiv 2305.17493).

    Attributes:
        dim: of x.
        distance: of the true means, in standard deviations.
        share: of the first component.
        tolerance: rise of the mean log-likelihood of a row at which EM ends.
        limit: passes of EM at most.
        held_out: rows that models are judged on.
    """

    kind: Literal["mixture"] = "mixture"
    dim: int = Field(default=2, ge=1, le=50)
    distance: float = Field(default=4.0, ge=0)
    share: float = Field(default=0.5, gt=0, lt=1)
    tolerance: float = Field(default=1e-6, gt=0)
    limit: int = Field(default=500, ge=1)
    held_out: int = Field(default=500, ge=10)
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 100, "generations": 10}
    loss_unit: ClassVar[str] = "nats per row"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("trace_ratio", "variance, tr Σ̂ / tr Σ", worse=-1, role="spread", judged=True),
        Metric("component_variance", "variance of components", worse=-1),
        Metric("distance", "distance of the components' means"),
        Metric("least_share", "share of the smaller component", worse=-1),
        Metric("out_of_steps", "share of fits that ran out of steps", worse=1),
    )
    vectorised: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    default_rows: ClassVar[int] = 200
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"dim", "distance", "share"})
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"held_out"})

    def check(self, rows: int, replicates: int) -> None:
        """Two covariances take rows enough of both components."""
        super().check(rows, replicates)
        if rows < 4 * (self.dim + 1):
            raise ValueError(
                f"rows: two Gaussians of dimension {self.dim} need at least {4 * (self.dim + 1)} rows, not {rows}"
            )

    def size_label(self) -> str:
        return f"2 components, dim {self.dim}"

    def cost(self, rows: int) -> Cost:
        """Some dozen passes of EM."""
        return Cost(
            1 + self.dim * (self.dim + 3), 200.0 * self.dim**2, 2.0 * self.dim**2, 8.0 * self.dim, parameter_bytes=8
        )

    def build(self, world: World) -> Mixture:
        return Mixture(self, world)


class Mixture(Family):
    """A model is its `shares` [replicates, 2], `means` [replicates, 2, dim], `covariances` [replicates, 2, dim, dim],
    and the `passes` that EM took; the component whose mean is lower on the first axis comes first. A batch is its
    `rows`, [replicates, rows, dim].
    """

    config: MixtureConfig

    @cached_property
    def _truth(self) -> dict[str, np.ndarray]:
        """The true model, of one replicate."""
        means = np.zeros((1, 2, self.config.dim))
        means[0, :, 0] = -self.config.distance / 2, self.config.distance / 2
        covariances = np.broadcast_to(np.eye(self.config.dim), (1, 2, self.config.dim, self.config.dim))
        return {"shares": np.array([[self.config.share, 1 - self.config.share]]), "means": means} | {
            "covariances": covariances
        }

    def real(self, start: int, rows: int) -> Payload:
        """Endless independent rows; each range of them is a sample of its own."""
        return self._draw(self._truth, rows, self.truth.child("rows", str(start), str(rows)), 1.0)

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ scales the covariances."""
        return self._draw(dict(model.tensors), rows, stream, bias)

    def held_out(self) -> Payload:
        """Rows that all replicates are judged on."""
        shape = (self.world.replicates, self.config.held_out, self.config.dim)
        return Payload({"rows": self.config.held_out}, {"rows": np.broadcast_to(self._held_out, shape)})

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted maximum likelihood from a start that the rows alone decide."""
        replicates, pieces = self.world.replicates, []
        for batch, weight in whole_batches(corpus):
            pieces.append((batch.payload.tensors["rows"], np.full((replicates, batch.rows), weight)))
        for part in drawn_parts(corpus):
            for batch, counts in multiplicities(part):
                weights = np.broadcast_to(counts * part.weight, (replicates, batch.rows))
                pieces.append((batch.payload.tensors["rows"], weights))
        rows, weights = (np.concatenate(arrays, axis=1) for arrays in zip(*pieces, strict=True))
        return self._fitted(rows, weights)

    def _fitted(self, rows: np.ndarray, weights: np.ndarray) -> Payload:
        from trainables.families.closed_form.mixture import em

        shares, means, covariances, passes = em.fit(rows, weights, self.config.tolerance, self.config.limit)
        if not np.isfinite(covariances).all():
            raise Diverged("a fitted covariance is not finite")
        order = np.argsort(means[:, :, 0], axis=1)
        fitted = {"shares": shares, "means": means, "covariances": covariances}
        return Payload(tensors={name: gather(value, order) for name, value in fitted.items()} | {"passes": passes})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """`test_loss` is the held-out log-likelihood that the truth has more, in nats a row: KL by held-out rows, which
        are the same for all replicates. `trace_ratio` is the mixture's variance over the true one's,
        `component_variance` the components' mean variance (1 in truth), `distance` that of their means,
        `least_share` the smaller component's share, `out_of_steps` the share of replicates whose EM did not end."""
        held = model.tensors
        shares, means = held["shares"], held["means"]
        traces = np.trace(held["covariances"], axis1=2, axis2=3)
        gap = means[:, 1] - means[:, 0]
        apart, both = np.vecdot(gap, gap), shares.prod(axis=1)
        true = self.config.dim + self.config.share * (1 - self.config.share) * self.config.distance**2
        values = {
            "test_loss": self._excess(model, self._held_out),
            "trace_ratio": (np.vecdot(shares, traces) + both * apart) / true,
            "component_variance": np.vecdot(shares, traces) / self.config.dim,
            "distance": np.sqrt(apart),
            "least_share": shares.min(axis=1),
            "out_of_steps": (held["passes"] >= self.config.limit).astype(float),
        }
        return summarise(values, spread=("test_loss", "trace_ratio"))

    def validate(self, model: Payload) -> float:
        """As `test_loss`, on rows of their own."""
        return summarise({"test_loss": self._excess(model, self._validation)}).test_loss

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """Shares, means and Cholesky factors of the components go γ/(1 + γ) of their way to the true ones. A row keeps
        its place in its component, which is drawn as the model finds it; of a component with too large a share, some
        rows change over.
        """
        rows = moved(dict(model.tensors), self._truth, batch.tensors["rows"], share_moved(strength), stream)
        far = float(np.sqrt(((rows - batch.tensors["rows"]) ** 2).sum(axis=2).mean()))
        return Payload({"rows": batch.rows, "moved": far}, {"rows": rows})

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true density, or mixtures fitted to real and to synthetic rows."""
        if synthetic is None:
            return Payload(meta={"judge": kind})
        tensors: dict[str, np.ndarray] = {}
        for name, batch in {"real": real, "synthetic": synthetic}.items():
            fitted = self._fitted(batch.tensors["rows"], np.ones((1, batch.rows)))
            tensors |= {f"{name}_{key}": value for key, value in fitted.tensors.items()}
        return Payload(meta={"judge": kind}, tensors=tensors)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-density of each row under truth or model 1; the detector's probability that it is real."""
        rows, held = batch.tensors["rows"], judge.tensors
        if kind == "detector":
            real, fake = (
                log_density({key: held[f"{name}_{key}"] for key in self._truth}, rows) for name in ("real", "synthetic")
            )
            return by_row(probability(real - fake))
        return by_row(log_density(self._truth if kind == "reference" else dict(held), rows))

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves."""
        rows = gather(batch.tensors["rows"], index)
        return Payload({"rows": rows.shape[1]}, {"rows": rows})

    @cached_property
    def _held_out(self) -> np.ndarray:
        return _sampled(self._truth, self.config.held_out, self.truth.child("held_out"), 1)

    @cached_property
    def _validation(self) -> np.ndarray:
        return _sampled(self._truth, self.config.held_out, self.truth.child("validation"), 1)

    def _excess(self, model: Payload, rows: np.ndarray) -> np.ndarray:
        lost: np.ndarray = log_density(self._truth, rows).mean() - log_density(dict(model.tensors), rows).mean(axis=1)
        return lost

    def _draw(self, model: dict[str, np.ndarray], rows: int, stream: Stream, bias: float) -> Payload:
        scaled = model | {"covariances": bias * model["covariances"]}
        return Payload({"rows": rows}, {"rows": _sampled(scaled, rows, stream, self.world.replicates)})


def _sampled(model: dict[str, np.ndarray], rows: int, stream: Stream, replicates: int) -> np.ndarray:
    """Rows of mixtures, [replicates, rows, dim]."""
    if not all(np.isfinite(model[name]).all() for name in ("shares", "means", "covariances")):
        raise Diverged("the model's covariance is not finite")
    rng = stream.numpy("rows")
    second = (rng.random((replicates, rows)) >= model["shares"][:, :1]).astype(np.int64)
    noise = rng.standard_normal((replicates, rows, model["means"].shape[2]))
    roots, found = np.linalg.cholesky(model["covariances"]), np.empty_like(noise)
    for k in (0, 1):
        here = model["means"][:, k, None] + noise @ roots[:, k].swapaxes(1, 2)
        found = np.where((second == k)[..., None], here, found)
    return found

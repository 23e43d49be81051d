"""`bernoulli` and `poisson`: coins and counts fitted by their mean, many independent recursions side by side."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
from trainables.families.closed_form.corpus_terms import (
    RunningSum,
    by_row,
    gather,
    multiplicities,
    probability,
    square_distances,
    terms_of,
)
from trainables.families.correction import share_moved
from trainables.families.metrics import Metric, disagreement
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class CountsConfig(FamilyConfig):
    """What both have in common: x ≥ 0, whole, known by its mean."""

    mean: float
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 1000}
    loss_unit: ClassVar[str] = "squared error of the mean"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("variance_ratio", "variance, fitted over true", worse=-1, role="spread", judged=True),
        Metric("absorbed", "share of recursions whose rows are all alike", worse=1),
        disagreement("squared difference of two means"),
    )
    vectorised: ClassVar[bool] = True
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"mean"})

    @abstractmethod
    def variance(self, mean: np.ndarray | float) -> np.ndarray:
        """Of x, where its mean is so much."""

    @abstractmethod
    def ended(self, mean: np.ndarray) -> np.ndarray:
        """Whether all rows are alike from here on."""

    @abstractmethod
    def draw(self, mean: np.ndarray, rows: int, rng: np.random.Generator, bias: float) -> np.ndarray:
        """Rows, [replicates, rows]."""

    @abstractmethod
    def log_likelihood(self, mean: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Of each row, up to what depends on it alone; `mean` is off its bounds."""

    def size_label(self) -> str:
        return f"mean {self.mean:g}"

    def cost(self, rows: int) -> Cost:
        """One addition a row."""
        return Cost(1, 1.0, 10.0, 8.0, parameter_bytes=8)

    def build(self, world: World) -> Counts:
        return Counts(self, world)


class BernoulliConfig(CountsConfig):
    """x ∈ {0, 1} with P(1) = `mean`, fitted by the share of ones: a category of two (`discrete`), as coins."""

    kind: Literal["bernoulli"] = "bernoulli"
    mean: float = Field(default=0.3, gt=0, lt=1)
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})

    def variance(self, mean: np.ndarray | float) -> np.ndarray:
        return np.asarray(mean * (1 - mean))

    def ended(self, mean: np.ndarray) -> np.ndarray:
        return np.asarray((mean == 0) | (mean == 1))

    def draw(self, mean: np.ndarray, rows: int, rng: np.random.Generator, bias: float) -> np.ndarray:
        """λ draws from p^(1/λ), as a temperature does."""
        if bias != 1.0:
            one, none = ((p / np.maximum(mean, 1 - mean)) ** (1 / bias) for p in (mean, 1 - mean))
            mean = one / (one + none)
        ones: np.ndarray = rng.random((len(mean), rows)) < mean[:, None]
        return ones.astype(np.int64)

    def log_likelihood(self, mean: np.ndarray, rows: np.ndarray) -> np.ndarray:
        inside = np.clip(mean, 1e-12, 1 - 1e-12)
        found: np.ndarray = np.where(rows > 0, np.log(inside), np.log1p(-inside))
        return found


class PoissonConfig(CountsConfig):
    """x ~ Poisson(`mean`), fitted by the mean: replacing, sums of rows are a critical branching process."""

    kind: Literal["poisson"] = "poisson"
    mean: float = Field(default=1.0, gt=0, le=1e9)
    abilities: ClassVar[frozenset[str]] = frozenset({"correct", "score"})

    def variance(self, mean: np.ndarray | float) -> np.ndarray:
        return np.asarray(mean, dtype=float)

    def ended(self, mean: np.ndarray) -> np.ndarray:
        return np.asarray(mean == 0)

    def draw(self, mean: np.ndarray, rows: int, rng: np.random.Generator, bias: float) -> np.ndarray:
        if not (mean < 2.0**53).all():
            raise Diverged("a mean is beyond what can be drawn")
        return rng.poisson(mean[:, None], (len(mean), rows))

    def log_likelihood(self, mean: np.ndarray, rows: np.ndarray) -> np.ndarray:
        from scipy.special import gammaln

        inside = np.maximum(mean, 1e-12)
        found: np.ndarray = rows * np.log(inside) - inside - gammaln(rows + 1.0)
        return found


class Counts(Family):
    """A model is its `mean`, [replicates]; a batch holds its `values`, [replicates, rows]."""

    config: CountsConfig

    def __init__(self, config: CountsConfig, world: World) -> None:
        super().__init__(config, world)
        self._sums = RunningSum(_whole, operator.add)

    def real(self, start: int, rows: int) -> Payload:
        """Endless independent rows; each range of them is a sample of its own."""
        mean = np.full(self.world.replicates, self.config.mean)
        return self._draw(mean, rows, self.truth.child("rows", str(start), str(rows)), 1.0)

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        return self._draw(model.tensors["mean"], rows, stream, bias)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """The weighted mean."""
        terms = terms_of(corpus, self._sums, _drawn)
        mean = sum(terms[1:], start=terms[0]) / sum(part.rows * part.weight for part in corpus.parts)
        if not np.isfinite(mean).all():
            raise Diverged("a fitted mean is not finite")
        return Payload(tensors={"mean": mean})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed.

        `test_loss` is the squared error of the mean, `variance_ratio` the fitted law's variance over the true one, and
        `absorbed` the share of recursions whose rows are all alike from here on.
        """
        mean, config = model.tensors["mean"], self.config
        values = {
            "test_loss": (mean - config.mean) ** 2,
            "variance_ratio": config.variance(mean) / config.variance(config.mean),
            "absorbed": config.ended(mean).astype(float),
        }
        return summarise(values, spread=("test_loss", "variance_ratio"))

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """Squared difference of two fitted means, a mean over pairs."""
        return {"disagreement": square_distances([model.tensors["mean"][:, None] for model in models])}

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A row is drawn again from the truth with chance γ/(1 + γ)."""
        values = batch.tensors["values"]
        again = stream.numpy("again").random(values.shape) < share_moved(strength)
        true = self.config.draw(corrector.tensors["mean"], batch.rows, stream.numpy("values"), 1.0)
        return Payload({"rows": batch.rows, "moved": float(again.mean())}, {"values": np.where(again, true, values)})

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true mean, or those of real and of synthetic rows, drawn towards the truth by one row."""
        if synthetic is None:
            return Payload(meta={"judge": kind}, tensors={"mean": np.full(self.world.replicates, self.config.mean)})
        fitted = {"real": real, "synthetic": synthetic}
        tensors = {
            name: (batch.tensors["values"].sum(axis=1) + self.config.mean) / (batch.rows + 1)
            for name, batch in fitted.items()
        }
        return Payload(meta={"judge": kind}, tensors=tensors)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-likelihood of each row under truth or model 1; the detector's probability that it is real."""
        found = {
            name: self.config.log_likelihood(mean[:, None], batch.tensors["values"])
            for name, mean in judge.tensors.items()
        }
        return by_row(probability(found["real"] - found["synthetic"]) if kind == "detector" else found["mean"])

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves."""
        values = gather(batch.tensors["values"], index)
        return Payload({"rows": values.shape[1]}, {"values": values})

    def _draw(self, mean: np.ndarray, rows: int, stream: Stream, bias: float) -> Payload:
        return Payload({"rows": rows}, {"values": self.config.draw(mean, rows, stream.numpy("values"), bias)})


def _whole(batch: Batch, weight: float) -> np.ndarray:
    total: np.ndarray = weight * batch.payload.tensors["values"].sum(axis=1)
    return total


def _drawn(part: RealisedDraw) -> np.ndarray:
    sums = [(counts * batch.payload.tensors["values"]).sum(axis=1) for batch, counts in multiplicities(part)]
    total: np.ndarray = part.weight * np.sum(sums, axis=0)
    return total

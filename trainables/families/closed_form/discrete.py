"""`discrete`: frequencies of K categories, many independent recursions side by side.

Whole batches are drawn and fitted by their counts, at a cost that depends on neither rows nor generation.
Rows exist on demand, a random order of the counts, wherever a policy looks at single rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Cost, Diverged, Evaluation, Family, FamilyConfig, World
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
from trainables.families.closed_form.random_matrices import blocks
from trainables.families.correction import share_moved
from trainables.families.metrics import Metric, disagreement
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload

TAIL = 0.1
"""Real mass of the rarest categories that make up the tail."""

MIX = 0.01
"""Share of the uniform distribution in the density that `nll` judges, which would be infinite without it."""


class DiscreteConfig(FamilyConfig):
    """x ∈ {1 … K} from a Zipf or uniform start, fitted by frequencies (Seddik et al. 2024, arXiv 2404.05090).

    `smoothing` α adds α rows to every category (0: maximum likelihood).
    """

    kind: Literal["discrete"] = "discrete"
    categories: int = Field(default=100, ge=2, le=1_000_000, description="K")
    start: Literal["zipf", "uniform"] = "zipf"
    exponent: float = Field(default=1.0, ge=0, le=20, description="of zipf: p ∝ rank^−exponent")
    smoothing: float = Field(default=0.0, ge=0)
    policy_study: ClassVar[Mapping[str, int]] = {"replicates": 1000}
    loss_unit: ClassVar[str] = "squared distance of frequencies"
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("gini_simpson", "diversity, 1 − Σp²", worse=-1, role="spread", judged=True),
        Metric("entropy", "entropy of frequencies", "nats", worse=-1, role="spread"),
        Metric("surviving_categories", "categories that are left", worse=-1, role="tail"),
        Metric("forgotten", "share of recursions with one category left", worse=1),
        Metric("missing_mass", "real mass of lost categories", worse=1),
        Metric("tail_mass_ratio", "mass of the real tail, fitted over true", when="where the tail is not empty"),
        Metric("total_variation", "total variation distance", worse=1),
        Metric("nll", "held-out negative log-likelihood", "nats", worse=1),
        disagreement("squared distance of two models' frequencies"),
    )
    vectorised: ClassVar[bool] = True
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "correct", "score"})
    default_rows: ClassVar[int] = 200
    default_generations: ClassVar[int] = 20
    data_fields: ClassVar[frozenset[str]] = frozenset({"categories", "start", "exponent"})
    data_version: ClassVar[int] = 2
    fit_version: ClassVar[int] = 2

    @property
    def probabilities(self) -> np.ndarray:
        """Real frequencies, [categories], descending."""
        power = self.exponent if self.start == "zipf" else 0.0
        weights = np.arange(1, self.categories + 1, dtype=float) ** -power
        normalised: np.ndarray = weights / weights.sum()
        return normalised

    def size_label(self) -> str:
        return f"{self.categories} categories"

    def cost(self, rows: int) -> Cost:
        """Statistics cost the same whatever the rows; what is given here is that cost per row."""
        work = 10.0 * self.categories / rows
        return Cost(self.categories, work, work, 8.0 * self.categories / rows, parameter_bytes=8)

    def derived(self, replicates: Mapping[str, np.ndarray]) -> dict[str, float]:
        """`forgotten`, the share of recursions of whose model one category is left. Where the latest batches are all
        that models see, none comes back, and it is the law of the forgetting time."""
        if "surviving_categories" not in replicates:
            return {}
        left = replicates["surviving_categories"] == 1
        error = {"forgotten_se": float(left.std(ddof=1) / math.sqrt(len(left)))} if len(left) > 1 else {}
        return {"forgotten": float(left.mean())} | error

    def build(self, world: World) -> Discrete:
        return Discrete(self, world)


class Discrete(Family):
    """A model is its `frequencies`, [replicates, categories].

    A batch holds `counts`, [replicates, categories], and in `meta.stream` the name of the stream that orders
    its rows. Rows selected from a batch are held as `rows`, [replicates, rows], numbers of categories.
    """

    config: DiscreteConfig

    def __init__(self, config: DiscreteConfig, world: World) -> None:
        super().__init__(config, world)
        self._sums = RunningSum(_whole, np.add, world.lineages)
        self._parts: Memo[np.ndarray] = Memo(4)

    @cached_property
    def _truth(self) -> np.ndarray:
        return self.config.probabilities

    def real(self, start: int, rows: int) -> Payload:
        """Endless independent rows; each range of them is a sample of its own."""
        frequencies = np.broadcast_to(self._truth, (self.world.replicates, self.config.categories))
        return draw(frequencies, rows, self.truth.child("rows", str(start), str(rows)))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ samples from p^(1/λ), as a temperature does."""
        frequencies = model.tensors["frequencies"]
        if bias != 1.0:
            sharp = (frequencies / frequencies.max(axis=1, keepdims=True)) ** (1 / bias)
            frequencies = sharp / sharp.sum(axis=1, keepdims=True)
        return draw(frequencies, rows, stream)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted frequencies."""
        terms = terms_of(corpus, self._sums, self._drawn)
        counts = sum(terms[1:], start=terms[0])
        shares = counts / sum(part.rows * part.weight for part in corpus.parts)
        if self.config.smoothing:
            added = self.config.smoothing / corpus.rows
            shares = (shares + added) / (1 + added * self.config.categories)
        if not np.isfinite(shares).all():
            raise Diverged("a fitted frequency is not finite")
        return Payload(tensors={"frequencies": shares})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Exact figures, no held-out sample needed.

        `test_loss` = ‖p̂ − p‖² is the expected held-out Brier score above the truth's own: a proper score that
        stays finite when categories are lost. `nll` is that of 99 % p̂ and 1 % uniform; the tail is the rarest
        categories, a tenth of the real mass.
        """
        found, truth = model.tensors["frequencies"], self._truth
        tail = np.flatnonzero(np.cumsum(truth[::-1])[::-1] <= TAIL + 1e-12)
        error, lost = found - truth, found == 0
        values = {
            "test_loss": np.vecdot(error, error),
            "gini_simpson": 1 - np.vecdot(found, found),
            "surviving_categories": self.config.categories - lost.sum(axis=1).astype(float),
            "missing_mass": lost @ truth,
            "entropy": -np.vecdot(found, np.log(found + lost)),
            "total_variation": 0.5 * np.abs(error).sum(axis=1),
            "nll": -(np.log((1 - MIX) * found + MIX / self.config.categories) @ truth),
        }
        if len(tail):
            values["tail_mass_ratio"] = found[:, tail].sum(axis=1) / truth[tail].sum()
        return summarise(values, spread=("test_loss", "gini_simpson", "surviving_categories", "tail_mass_ratio"))

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """‖p̂_i − p̂_j‖², a mean over pairs."""
        return {"disagreement": square_distances([model.tensors["frequencies"] for model in models])}

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A row is drawn again from the true frequencies with chance γ/(1 + γ)."""
        rng = stream.numpy("counts")
        kept = rng.binomial(batch.tensors["counts"], 1 - share_moved(strength))
        again = batch.rows - kept.sum(axis=1)
        counts = kept + rng.multinomial(again, corrector.tensors["frequencies"][0])
        moved = float(again.mean() / batch.rows)
        return Payload({"rows": batch.rows, "stream": [stream.key, *stream.path], "moved": moved}, {"counts": counts})

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true frequencies, or log-odds of real against synthetic by category, half a row added to each."""
        if synthetic is None:
            return Payload(meta={"judge": kind}, tensors={"frequencies": np.atleast_2d(self._truth)})
        odds = np.log((real.tensors["counts"] + 0.5) / (synthetic.tensors["counts"] + 0.5))
        return Payload(meta={"judge": kind}, tensors={"odds": odds + np.log(synthetic.rows / real.rows)})

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-frequency of each row's category under truth or model 1; the detector's probability that it is real."""
        shape = (self.world.replicates, self.config.categories)
        if kind == "detector":
            scores = probability(judge.tensors["odds"])
        else:
            scores = np.log(np.maximum(judge.tensors["frequencies"], np.finfo(float).tiny))
        scores = np.broadcast_to(scores, shape)
        found = np.empty((self.world.replicates, batch.rows))
        for part, rows in self._rows(batch):
            found[part] = np.take_along_axis(scores[part], rows, axis=1)
        return by_row(found)

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves, and their counts."""
        index = np.broadcast_to(np.atleast_2d(index), (self.world.replicates, np.shape(index)[-1]))
        taken = np.concatenate([gather(rows, index[part]) for part, rows in self._rows(batch)])
        counts = _count(taken, np.ones((1, index.shape[1])), self.config.categories)
        tensors: dict[str, np.ndarray] = {"counts": counts.astype(np.int64), "rows": taken.astype(np.int32)}
        return Payload(meta={"rows": index.shape[1]}, tensors=tensors)

    def _drawn(self, part: RealisedDraw) -> np.ndarray:
        """Weighted counts of a part's rows."""
        return of_drawn(part, self.world.replicates, self._parts, self._counts)

    def _counts(self, part: RealisedDraw) -> np.ndarray:
        total = np.zeros((self.world.replicates, self.config.categories))
        for batch, times in multiplicities(part):
            for block, rows in self._rows(batch.payload):
                weights = part.weight * (times[block] if len(times) > 1 else times)
                total[block] += _count(rows, weights, self.config.categories)
        return total

    def _rows(self, batch: Payload) -> Iterator[tuple[slice, np.ndarray]]:
        """Categories of the rows, [replicates, rows], some replicates at a time.

        Given the counts, every order is as likely.
        """
        counts = batch.tensors["counts"]
        replicates, categories = counts.shape
        for part in blocks(replicates, self.world.rows + categories):
            if "rows" in batch.tensors:
                yield part, batch.tensors["rows"][part]
                continue
            key, *path = batch.meta["stream"]
            rng = Stream(key, tuple(path)).numpy("order", str(part.start))
            names = np.tile(np.arange(categories), part.stop - part.start)
            ordered = np.repeat(names, counts[part].ravel()).reshape(-1, batch.rows)
            yield part, rng.permuted(ordered, axis=1)


def draw(frequencies: np.ndarray, rows: int, stream: Stream) -> Payload:
    """A batch's counts; frequencies need not add up to 1 to the last digit."""
    counts = stream.numpy("counts").multinomial(rows, frequencies / frequencies.sum(axis=1, keepdims=True))
    return Payload({"rows": rows, "stream": [stream.key, *stream.path]}, {"counts": counts})


def _count(rows: np.ndarray, weights: np.ndarray, categories: int) -> np.ndarray:
    """Sum of weights by category, [replicates, categories]; weights are [1 or replicates, rows]."""
    cells = rows + np.arange(len(rows))[:, None] * categories
    flat = np.broadcast_to(weights, rows.shape).ravel()
    return np.bincount(cells.ravel(), flat, len(rows) * categories).reshape(len(rows), categories)


def _whole(batch: Batch, weight: float) -> np.ndarray:
    counts: np.ndarray = batch.payload.tensors["counts"] * weight
    return counts

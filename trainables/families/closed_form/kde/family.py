"""The family at work: kernel estimates fitted, sampled, and judged on held-out rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from trainables.corpus import Batch, Corpus
from trainables.families.base import Diverged, Evaluation, Family, World
from trainables.families.closed_form.corpus_terms import (
    RunningSum,
    by_row,
    drawn_parts,
    gather,
    probability,
    square_distances,
)
from trainables.families.closed_form.kde.config import KdeConfig
from trainables.families.closed_form.kde.pieces import (
    Sums,
    batch_of,
    batch_sums,
    drawn_rows,
    load,
    log_mixture,
    piece_of,
    sums_of,
)
from trainables.families.closed_form.kernel_sums import log_sums, sliced_wasserstein
from trainables.families.closed_form.mixtures import POINTS, between, draw, modes, nearest, points
from trainables.families.correction import share_moved
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class Kde(Family):
    """A batch holds its rows, `x` [replicates, rows, dim].

    A model holds all rows of its corpus in pieces, `rows_<name>`, each with a row weight in `meta.pieces`; its
    `bandwidth` [replicates]; and the `mean` and covariance (`cov`) of its density. Pieces of whole batches
    are named by key: in memory they are the batches' own arrays, and what is known of them is not computed again.
    """

    config: KdeConfig

    def __init__(self, config: KdeConfig, world: World) -> None:
        super().__init__(config, world)
        self._moments = RunningSum(batch_sums, Sums.__add__, world.lineages)
        self._densities = RunningSum(self._density, np.logaddexp, world.lineages)

    @cached_property
    def _shape(self) -> np.ndarray:
        return points(self.config.data, self.config.blur)

    def real(self, start: int, rows: int) -> Payload:
        """Endless independent rows; each range of them is a sample of its own."""
        rng = self.truth.numpy("rows", str(start), str(rows))
        return batch_of(draw(self._shape, self.config.blur, (self.world.replicates, rows), rng))

    def held_out(self) -> Payload:
        """The rows that the loss is measured on, the same for every replicate."""
        x = self._held_out
        return batch_of(np.broadcast_to(x, (self.world.replicates, *x.shape[1:])))

    @cached_property
    def _held_out(self) -> np.ndarray:
        rng = self.truth.numpy("held out", str(self.config.held_out))
        return draw(self._shape, self.config.blur, (1, self.config.held_out), rng).astype(np.float32)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """The corpus, its moments and the bandwidth."""
        whole = [(batch, part.weight) for part in corpus.parts if part.index is None for batch in part.batches]
        drawn = [(drawn_rows(part), part.weight) for part in drawn_parts(corpus)]
        terms = [self._moments.total(whole)] if whole else []
        terms += [sums_of(x, weight) for x, weight in drawn]
        total = sum(terms[1:], start=terms[0])
        mean = total.first / total.weight
        cov = total.second / total.weight - mean[:, :, None] * mean[:, None, :]
        width = self._bandwidth(cov, total.weight**2 / total.squares)
        if not (np.isfinite(width).all() and (width > 0).all()):
            raise Diverged("the bandwidth is not a positive number: the corpus has no spread")
        pieces = [{"name": batch.key, "rows": batch.rows, "weight": weight} for batch, weight in whole]
        pieces += [{"name": f"drawn{i}", "rows": x.shape[1], "weight": w} for i, (x, w) in enumerate(drawn)]
        arrays = [batch.payload.tensors["x"] for batch, _ in whole] + [x for x, _ in drawn]
        tensors = {f"rows_{piece['name']}": x for piece, x in zip(pieces, arrays, strict=True)}
        tensors |= {"bandwidth": width, "mean": mean, "cov": cov + width[:, None, None] ** 2 * np.eye(self.config.dim)}
        return Payload(meta={"pieces": pieces}, tensors=tensors)

    def _bandwidth(self, cov: np.ndarray, effective_rows: float) -> np.ndarray:
        """Scott 1992: σ̂·n^(−1/(d + 4)); Silverman 1986, equation 4.14, times (4/(d + 2))^(1/(d + 4))."""
        if isinstance(self.config.bandwidth, float):
            return np.full(len(cov), self.config.bandwidth)
        dim = self.config.dim
        factor = effective_rows ** (-1 / (dim + 4))
        if self.config.bandwidth == "silverman":
            factor *= (4 / (dim + 2)) ** (1 / (dim + 4))
        width: np.ndarray = np.sqrt(np.maximum(np.trace(cov, axis1=1, axis2=2), 0) / dim) * factor
        return width

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """`test_loss` is the negative log-likelihood of held-out real rows, in nats per row.

        `excess_nll` is what it exceeds the true density's own by, on the same rows. Mean and covariance are
        those of the model's density, against the true ones. `mode_overlap`, where the shape has several modes, is the
        share of samples between them.
        """
        mean, cov = model.tensors["mean"], model.tensors["cov"]
        if not all(np.isfinite(model.tensors[name]).all() for name in ("mean", "cov", "bandwidth")):
            raise Diverged("the fitted mean, covariance or bandwidth is not finite")
        held = self._held_out
        loss = -self._log_density(model).mean(axis=1)
        rng = stream.numpy("directions")
        directions = rng.standard_normal((self.config.directions, self.config.dim))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        sample = self.sample(model, held.shape[1], stream.child("sample")).tensors["x"]
        truth = self._shape.T @ self._shape / POINTS + self.config.blur**2 * np.eye(self.config.dim)
        values = {
            "test_loss": loss,
            "excess_nll": loss + self._true_density(held).mean(),
            "mean_sq_error": (mean**2).sum(axis=1),
            "trace_ratio": np.trace(cov, axis1=1, axis2=2) / np.trace(truth),
            "det_ratio": np.linalg.det(cov) / np.linalg.det(truth),
            "sliced_wasserstein": sliced_wasserstein(sample, held, directions.astype(np.float32)),
            "bandwidth": model.tensors["bandwidth"],
        }
        if self._modes is not None:
            values["mode_overlap"] = between(sample, self._modes)
        return summarise(values, spread=("test_loss", "trace_ratio"))

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """Mean squared difference of log-densities at held-out rows, in nats², a mean over pairs."""
        return {"disagreement": square_distances([self._log_density(model) for model in models]) / self.config.held_out}

    @cached_property
    def _modes(self) -> list[np.ndarray] | None:
        return modes(self.config.data, self._shape)

    def validate(self, model: Payload) -> float:
        """On as many rows as are held out, from a stream of their own."""
        rng = self.truth.numpy("validation", str(self.config.held_out))
        rows = draw(self._shape, self.config.blur, (1, self.config.held_out), rng).astype(np.float32)
        return _finite(float(-log_mixture(model, rows, model.tensors["bandwidth"]).mean()))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """A row of the corpus plus the kernel's noise; `bias` λ scales the noise's variance."""
        rng = stream.numpy()
        pieces = model.meta["pieces"]
        loads = np.cumsum([piece["rows"] * piece["weight"] for piece in pieces])
        places = rng.random((self.world.replicates, rows)) * loads[-1]
        owner = np.minimum(np.searchsorted(loads, places, side="right"), len(pieces) - 1).ravel()
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(len(pieces)), side="right")
        x = np.empty((self.world.replicates, rows, self.config.dim), dtype=np.float32)
        for number, (piece, mine) in enumerate(zip(pieces, np.split(order, ends[:-1]), strict=True)):
            inside = (places.ravel()[mine] - (loads[number - 1] if number else 0.0)) / piece["weight"]
            row = np.clip(inside.astype(int), 0, piece["rows"] - 1)
            x.reshape(-1, self.config.dim)[mine] = model.tensors[f"rows_{piece['name']}"][mine // rows, row]
        noise = rng.standard_normal(x.shape, dtype=np.float32) * math.sqrt(bias)
        made = x + noise * model.tensors["bandwidth"].astype(np.float32)[:, None, None]
        if not np.isfinite(made).all():
            raise Diverged("a sampled row is not finite")
        return batch_of(made)

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A row moves towards the nearest point of the true shape, before its blur."""
        x = batch.tensors["x"]
        step = share_moved(strength) * (nearest(x, self._shape) - x)
        found = batch_of(x + step)
        return Payload({**found.meta, "moved": float(np.sqrt((step**2).sum(axis=2).mean()))}, found.tensors)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true density, or kernel estimates of real and of synthetic rows, Scott's bandwidth of the real ones."""
        if synthetic is None:
            return Payload(meta={"judge": kind})
        sums = sums_of(real.tensors["x"], 1.0)
        cov = sums.second / real.rows - (sums.first[:, :, None] * sums.first[:, None, :]) / real.rows**2
        width = np.sqrt(np.trace(cov, axis1=1, axis2=2) / self.config.dim) * real.rows ** (-1 / (self.config.dim + 4))
        tensors = {"real": real.tensors["x"], "synthetic": synthetic.tensors["x"], "bandwidth": width}
        return Payload(meta={"judge": kind}, tensors=tensors)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-density of each row under truth or model 1; the detector's probability that it is real."""
        x = batch.tensors["x"]
        if kind == "reference":
            return by_row(self._true_density(x))
        width = judge.tensors["bandwidth"]
        if kind == "first":
            return by_row(log_mixture(judge, x, width))
        real, fake = (log_sums(x, judge.tensors[name], width) for name in ("real", "synthetic"))
        rows = [judge.tensors[name].shape[1] for name in ("real", "synthetic")]
        return by_row(probability(real - fake + math.log(rows[1] / rows[0])))

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The rows themselves."""
        return batch_of(gather(batch.tensors["x"], index))

    def _true_density(self, x: np.ndarray) -> np.ndarray:
        """Log-density of the blurred shape, [replicates, rows]."""
        centres = np.broadcast_to(self._shape, (len(x), *self._shape.shape))
        return log_sums(x, centres, np.array([self.config.blur])) - math.log(POINTS)

    def _log_density(self, model: Payload) -> np.ndarray:
        """Of held-out rows under the model. With a fixed bandwidth, what earlier batches add is known already."""
        if isinstance(self.config.bandwidth, str):
            return log_mixture(model, self._held_out, model.tensors["bandwidth"])
        items = [(piece_of(model, piece), piece["weight"]) for piece in model.meta["pieces"]]
        whole = [item for item in items if not item[0].key.startswith("drawn")]
        terms = [self._densities.total(whole)] if whole else []
        terms += [self._density(*item) for item in items if item[0].key.startswith("drawn")]
        found: np.ndarray = np.logaddexp.reduce(terms) - math.log(load(model))
        return found

    def _density(self, piece: Batch, weight: float) -> np.ndarray:
        """A piece's weighted kernel sums at held-out rows."""
        width = np.array([self.config.bandwidth], dtype=float)
        return log_sums(self._held_out, piece.payload.tensors["x"], width) + math.log(weight)


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise Diverged("the loss on validation rows is not finite")
    return loss

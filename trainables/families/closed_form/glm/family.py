"""`glm`: logistic, probit and Poisson regression on a model's own labels, many recursions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.base import Diverged, Evaluation, Family, World
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
from trainables.families.closed_form.glm import labels as label
from trainables.families.closed_form.glm.config import GlmConfig
from trainables.families.closed_form.glm.ground import Judged, Known, Tabled, ground
from trainables.families.closed_form.glm.inputs import Inputs, Tallies, added, stacked, tally
from trainables.families.correction import share_moved
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload


class Glm(Family):
    """A model is its `coefficients` [replicates, columns], the constant first, how each fit `ended` (0 converged, 1
    separated, 2 out of steps) and the `steps` it took.

    A batch holds `labels`, [replicates, rows], and in `meta.inputs` what its inputs are called. Rows of a table say
    which they are (`numbers`), rows selected from a batch which inputs they have (`index`).
    """

    config: GlmConfig

    def __init__(self, config: GlmConfig, world: World) -> None:
        super().__init__(config, world)
        self._ground = ground(config, world, self.truth)
        self._sums = RunningSum(self._whole, added)
        self._inputs: Memo[Inputs] = Memo(6)
        self._parts: Memo[Tallies] = Memo(4)

    def real(self, start: int, rows: int) -> Payload:
        """Simulated rows are endless, each range of them a sample of its own; a table is shuffled by replicate."""
        if isinstance(self._ground, Tabled):
            return self._ground.real(start, rows)
        return self._label(self._ground.target, rows, self.truth.child("rows", str(start), str(rows)), 1.0)

    def held_out(self) -> Payload | None:
        """Of a table: the rows, alike for all replicates."""
        return self._ground.held_out() if isinstance(self._ground, Tabled) else None

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """`bias` λ draws labels from p^(1/λ): a temperature on log-odds; counts grow narrower about their mode."""
        return self._label(model.tensors["coefficients"], rows, stream, bias)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """Weighted maximum likelihood; how each replicate's ended is kept."""
        terms = terms_of(corpus, self._sums, self._drawn)
        total = terms[0]
        for more in terms[1:]:
            total = added(total, more)
        weight = sum(part.rows * part.weight for part in corpus.parts)
        return self._fitted(total, corpus.rows / weight)

    def _fitted(self, tallies: Tallies, scale: float) -> Payload:
        from trainables.families.closed_form.glm import likelihoods, newton

        x, weights, sums = stacked(tallies)
        codes = {"logistic": likelihoods.LOGISTIC, "probit": likelihoods.PROBIT, "poisson": likelihoods.POISSON}
        link = codes[self.config.link]
        if scale != 1.0:
            weights, sums = weights * scale, sums * scale
        found, ended, steps = newton.maximise(x, weights, sums, link, self.config.penalty, self.config.limit)
        singular = int((ended == newton.SINGULAR).sum())
        if singular:
            raise Diverged(
                f"maximum likelihood has no single solution in {singular} of {len(ended)} replicates: the corpus has "
                f"too few different inputs for {x.shape[1]} coefficients; use more rows, or a "
                f"{'larger ' if self.config.penalty else ''}penalty"
            )
        if not np.isfinite(found).all():
            raise Diverged("a fitted coefficient is not finite")
        return Payload(tensors={"coefficients": found, "ended": ended, "steps": steps})

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Held-out figures, exact in the labels where the truth is known.

        `test_loss` is the held-out log loss in nats a label: of simulated rows its excess over the truth's, KL(p*‖p̂)
        averaged over the held-out inputs, of a table the loss itself. `fisher_error` is (β̂ − β*)ᵀJ(β̂ − β*)/N with J
        the Fisher information of batch 0's N inputs at β*. `separated` and `out_of_steps` are shares of replicates.
        """
        coefficients = model.tensors["coefficients"]
        values = self._losses(coefficients, self._held_out)
        if isinstance(self._ground, Known):
            values |= self._ground.errors(coefficients, self._named(["base"]))
        ended = model.tensors["ended"]
        values |= {"separated": (ended == 1).astype(float), "out_of_steps": (ended == 2).astype(float)}
        return summarise(values | {"newton_steps": model.tensors["steps"].astype(float)})

    def validate(self, model: Payload) -> float:
        """As `test_loss`, at inputs, or on rows of the table, that neither fits nor tests see."""
        values = self._losses(model.tensors["coefficients"], self._validation)
        return summarise({"test_loss": values["test_loss"]}).test_loss

    def disagree(self, models: Sequence[Payload], stream: Stream) -> dict[str, np.ndarray]:
        """‖β̂_i − β̂_j‖², a mean over pairs."""
        return {"disagreement": square_distances([model.tensors["coefficients"] for model in models])}

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A label is drawn again with chance γ/(1 + γ): from the truth, of a table from the fit to its real rows."""
        labels = batch.tensors["labels"]
        again = stream.numpy("again").random(labels.shape) < share_moved(strength)
        eta = gather(self._of(batch).predict(corrector.tensors["coefficients"]), self._index(batch))
        true = label.draw(self.config.link, eta, stream.numpy("labels"), 1.0)
        tensors = {**batch.tensors, "labels": np.where(again, true, labels)}
        return Payload({**batch.meta, "moved": float(again.mean())}, tensors)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """The true coefficients, or what is fitted to real (and to synthetic) rows."""
        if synthetic is None and isinstance(self._ground, Known):
            return Payload(meta={"judge": kind}, tensors={"coefficients": self._ground.target})
        fitted = {"coefficients": real} if synthetic is None else {"real": real, "synthetic": synthetic}
        tensors = {
            name: self._fitted(self._tallies(batch, 1.0), 1.0).tensors["coefficients"] for name, batch in fitted.items()
        }
        return Payload(meta={"judge": kind}, tensors=tensors)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Log-likelihood of each label under truth or model 1; the detector's probability that it is real."""
        if kind != "detector":
            return by_row(self._scores(judge.tensors["coefficients"], batch))
        real, fake = (self._scores(judge.tensors[name], batch) for name in ("real", "synthetic"))
        return by_row(probability(real - fake))

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """Their labels, and which inputs they have."""
        index = np.broadcast_to(np.atleast_2d(index), (self.world.replicates, np.shape(index)[-1]))
        tensors = {name: gather(values, index) for name, values in batch.tensors.items() if name != "index"}
        tensors["index"] = gather(np.broadcast_to(self._index(batch), batch.tensors["labels"].shape), index)
        return Payload({"rows": index.shape[1], "inputs": batch.meta["inputs"]}, tensors)

    def _scores(self, coefficients: np.ndarray, batch: Payload) -> np.ndarray:
        eta = self._of(batch).predict(coefficients)
        placed = gather(eta, self._index(batch))
        return label.log_likelihood(self.config.link, placed, batch.tensors["labels"])

    def _label(self, coefficients: np.ndarray, rows: int, stream: Stream, bias: float) -> Payload:
        """Labels of the design's first rows."""
        name = [rows, stream.key, *stream.path]
        if self.config.design == "fixed":
            name = [self.origin, self.world.rows] if self.origin else ["base"]
        inputs = self._named(name)
        eta = inputs.predict(coefficients)
        if not np.isfinite(eta).all() or (self.config.link == "poisson" and eta.max() > np.log(label.LARGEST)):
            raise Diverged("a label's mean is beyond what can be drawn")
        if rows > inputs.rows:
            eta = np.tile(eta, (1, -(-rows // inputs.rows)))
        drawn = label.draw(self.config.link, eta[:, :rows], stream.numpy("labels"), bias)
        return Payload({"rows": rows, "inputs": name}, {"labels": drawn})

    def _named(self, name: Sequence[Any]) -> Inputs:
        """The inputs of this name, made where they are not at hand."""
        return self._inputs.get(tuple(name), lambda: Inputs(tuple(name), self._ground.inputs(name)))

    def _of(self, batch: Payload) -> Inputs:
        return self._named(batch.meta["inputs"])

    def _index(self, batch: Payload) -> np.ndarray:
        """Which input each row has, [1 or replicates, rows]."""
        if "index" in batch.tensors:
            return batch.tensors["index"]
        return np.arange(batch.rows)[None] % self._of(batch).rows

    def _whole(self, batch: Batch, weight: float) -> Tallies:
        return self._tallies(batch.payload, weight)

    def _tallies(self, batch: Payload, weight: float | np.ndarray) -> Tallies:
        """Sums of a batch's rows, each counted so often, [1 or replicates, rows]."""
        inputs, held = self._of(batch), batch.tensors["labels"]
        counted = np.broadcast_to(weight, (1, batch.rows)) if np.ndim(weight) == 0 else np.asarray(weight)
        return {inputs.name: tally(inputs, batch.tensors.get("index"), counted, held)}

    def _drawn(self, part: RealisedDraw) -> Tallies:
        """Sums of a part's rows."""
        return of_drawn(part, self.world.replicates, self._parts, self._sum_of_rows)

    def _sum_of_rows(self, part: RealisedDraw) -> Tallies:
        total: Tallies = {}
        for batch, counts in multiplicities(part):
            total = added(total, self._tallies(batch.payload, counts * part.weight))
        return total

    @cached_property
    def _held_out(self) -> Judged:
        return self._ground.judged("held_out")

    @cached_property
    def _validation(self) -> Judged:
        return self._ground.judged("validation")

    def _losses(self, coefficients: np.ndarray, judged: Judged) -> dict[str, np.ndarray]:
        eta = judged.inputs.predict(coefficients)
        if not np.isfinite(eta).all():
            raise Diverged("a linear predictor is not finite")
        return judged.values(self.config.link, eta)

"""`Diffusion`: the family at work, tying molecules, fit, sampler, judges and metrics together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.checkpoint_files import arrays, write
from trainables.families.correction import share_moved
from trainables.families.diffusion import evaluate, judges, pictures
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.corrector import corrected
from trainables.families.diffusion.data import Data, prepare
from trainables.families.diffusion.fit import fit, gather, load, weights_of
from trainables.families.diffusion.process import check_schedule, sample
from trainables.lineage import Stream, make_key
from trainables.sources.molecules import Conformers, join, read
from trainables.store import Payload

SCORED_LEVELS = 10
"""Noise levels at which model 1 scores a row."""


class Diffusion(Family):
    """Batches are tables of conformers (`trainables.sources.molecules.rows`); models are tensors by name.

    Args:
        config: of the family.
        world: of one recursion.
        truth: randomness of the real world, where this is one of several recursions side by side.
        data: the source's rows, where another of these has them.
    """

    config: DiffusionConfig

    def __init__(
        self, config: DiffusionConfig, world: World, truth: Stream | None = None, data: Data | None = None
    ) -> None:
        super().__init__(config, world)
        self.truth = truth or self.truth
        check_schedule(config)
        self.data = data or prepare(config, world.store)
        self._order = self.truth.numpy("rows").permutation(len(self.data.train))
        self._fixed = Stream(make_key("held-out noise", data=config.data_identity()))
        self._rows(0, world.rows)

    def real(self, start: int, rows: int) -> Payload:
        return self._rows(start, rows).payload(skipped=self.data.skipped)

    def held_out(self) -> Payload:
        return join([self.data.test, self.data.validation]).payload()

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, None)

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, start)

    def _fitted(self, corpus: Corpus, stream: Stream, start: Payload | None) -> Payload:
        rows, weights = gather(corpus)
        model = fit(self.config, rows, weights, stream, start.tensors if start else None)
        return Payload(meta={"parameters": self.config.parameters}, tensors=weights_of(model))

    def checkpoint(self) -> Payload:
        assert self.config.checkpoint is not None  # asked only where there is one
        return Payload(tensors=arrays(self.config.checkpoint.folder()))

    def export(self, model: Payload, folder: Path) -> None:
        write(model.tensors, self.config.canonical(), folder)

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        denoiser, test = load(self.config, model.tensors), self.data.test
        found = evaluate.loss(self.config, denoiser, test, self._fixed)
        molecules = evaluate.judged(self.config, denoiser, test, stream.child("judged"))
        metrics = {"constant_loss": found["constant_loss"]} | evaluate.metrics(self.config, molecules)
        metrics["skipped"] = float(sum(self.data.skipped.values()))
        if (held_out := len(np.unique(test.molecule))) < self.config.test_molecules:
            metrics["held_out_molecules"] = float(held_out)
        return Evaluation(found["test_loss"], metrics, files=pictures.files(molecules))

    def validate(self, model: Payload) -> float:
        denoiser = load(self.config, model.tensors)
        return evaluate.loss(self.config, denoiser, self.data.validation, self._fixed)["test_loss"]

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """Row i has the graph of row i mod N of batch 0."""
        graphs = self._rows(self.origin, self.world.rows).take(np.arange(rows) % self.world.rows)
        return sample(self.config, load(self.config, model.tensors), graphs, stream, bias).payload()

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A conformer moves towards the nearest one that batch 0 has of its graph."""
        rows, moved = corrected(read(batch), read(corrector), share_moved(strength))
        return rows.payload(moved=moved)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        if kind == "reference":
            return judges.fit_reference(read(real))
        if kind == "corrector":
            return Payload(meta={"rows": real.rows}, table=real.table)
        assert synthetic is not None
        return judges.fit_detector(read(real), read(synthetic))

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        rows = read(batch)
        if kind == "first":
            levels = min(SCORED_LEVELS, self.config.timesteps)  # not the record's: a record's detail selects no rows
            scored = self.config.model_copy(update={"noise_levels": levels})
            error = evaluate.denoising_errors(scored, load(self.config, judge.tensors), rows, stream)
            scores: np.ndarray = -error.mean(axis=0)
            return scores
        return (judges.score_reference if kind == "reference" else judges.score_detector)(judge, rows)

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        return read(batch).take(index).payload()

    def _rows(self, start: int, rows: int) -> Conformers:
        """Training rows in the seed's order."""
        held = len(self._order)
        if start + rows > held:
            raise ValueError(
                f"rows: real rows {start} to {start + rows} are asked for, but the training molecules of "
                f"{self.config.source.kind} have {held}; skipped: {self.data.skipped or 'none'}"
            )
        return self.data.train.take(self._order[start : start + rows])

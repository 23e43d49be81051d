"""`Languages`: independent recursions of one language model side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, World
from trainables.families.lanes import corpus_of, joined, lane, lane_of
from trainables.families.language import gpu
from trainables.families.language.config import LanguageConfig
from trainables.families.language.family import Language, perplexity
from trainables.families.language.model import sampling_dtype
from trainables.families.language.replicates.decoder import StackDecoder
from trainables.families.language.replicates.judging import cross_entropies, likelihoods, stack_of
from trainables.families.language.replicates.training import Replicate, fit
from trainables.families.language.sampling import sample_together
from trainables.families.language.token_rows import Rows, RowsView, gather, read
from trainables.families.replicate_summary import summarise
from trainables.families.side_by_side import SideBySide, Start
from trainables.lineage import Stream
from trainables.store import Payload

ALIKE = ("uniform_loss", "source_")
"""How metrics begin that are the same for all replicates."""


class Languages(SideBySide[Language]):
    """What `Language` does, once a replicate: each has its own order of real rows, streams, prompts and corpora.

    Tokenizer and held-out rows are the same for all. Models hold every tensor as [replicates, …].
    """

    config: LanguageConfig

    def __init__(self, config: LanguageConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        self.replicates = [Language(config, alone, lane_of(self.truth, number)) for number in range(world.replicates)]
        self._latest: tuple[Payload, list[Payload]] | None = None
        self._judged: tuple[Payload, tuple[str, ...], list[Rows]] | None = None

    def fitted(self, corpus: Corpus, stream: Stream, starts: Sequence[Start]) -> Payload:
        pools = [gather(corpus_of(corpus, number)) for number in range(len(self.replicates))]
        return self._fit(self.config, pools, stream, starts)

    def rows_of_all(self, batches: Sequence[Payload]) -> Payload:
        """With the number of their tokens."""
        meta = {**batches[0].meta, "tokens": sum(one.meta["tokens"] for one in batches)}
        if "edited" in meta:
            meta["edited"] = float(np.mean([one.meta["edited"] for one in batches]))
        return replace(joined(batches), meta=meta)

    def _fit(
        self, config: LanguageConfig, pools: Sequence[RowsView], stream: Stream, starts: Sequence[Start]
    ) -> Payload:
        given = [
            Replicate(pool, lane_of(stream, number), first)
            for number, (pool, first) in enumerate(zip(pools, starts, strict=True))
        ]
        meta = {"parameters": config.parameters}
        return joined([Payload(meta=meta, tensors=model) for model in fit(config, given)])

    def validate(self, model: Payload) -> float:
        return float(np.mean(self._losses(model, [one.validation_rows for one in self.replicates])))

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's samples."""
        losses = self._losses(model, [one.judged_rows for one in self.replicates])
        sampled = self._samples(model, stream) if self.config.sample_rows else [None] * len(self.replicates)
        given = enumerate(zip(self.replicates, losses, sampled, strict=True))
        found = [one.judged(loss, rows, lane_of(stream, number)) for number, (one, loss, rows) in given]
        figures = [{"test_loss": one.test_loss} | dict(one.metrics) for one in found]
        alike = [name for name in figures[0] if name.startswith(ALIKE)]
        values = {name: np.array([some[name] for some in figures]) for name in figures[0] if name not in alike}
        summary = summarise(values, {name: figures[0][name] for name in alike})
        return replace(summary, files=found[0].files)

    def disagree(self, models: Sequence[Payload], stream: Stream) -> Mapping[str, np.ndarray]:
        members = [self.apart(model) for model in models]
        each = zip(self.replicates, zip(*members, strict=True), strict=True)
        found = [one.disagree(its, lane_of(stream, number)) for number, (one, its) in enumerate(each)]
        return {name: np.concatenate([some[name] for some in found]) for name in found[0]}

    def compare(self, model: Payload, first: Payload, stream: Stream) -> Mapping[str, float | np.ndarray]:
        if not self.config.sample_rows:
            return {}
        losses = self._losses(first, self._samples(model, stream))
        return {"perplexity_under_first": np.array([perplexity(loss) for loss in losses])}

    def scores(self, kind: str, judges: Sequence[Payload], batch: Payload, stream: Stream) -> np.ndarray:
        if kind == "detector":
            return super().scores(kind, judges, batch, stream)
        whose = self.config.reference if kind == "reference" else self.config
        return likelihoods(whose, stack_of(whose, judges), [read(one) for one in self.apart(batch)])

    def _losses(self, model: Payload, rows: Sequence[Rows]) -> list[float]:
        """Each replicate's on its own of `rows`."""
        return cross_entropies(self.config, stack_of(self.config, self.apart(model)), rows)

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        if not gpu.can_grow_together(self.config):
            return super().sample(model, rows, stream, bias)
        found = self._grown(model, rows, stream, bias)
        return self.rows_of_all([one.batch(its) for one, its in zip(self.replicates, found, strict=True)])

    def _samples(self, model: Payload, stream: Stream) -> list[Rows]:
        """Those that each replicate is judged by: `compare` asks for those that `evaluate` has just drawn."""
        if not gpu.can_grow_together(self.config):
            return [one.samples(its, lane_of(stream, number)) for number, (one, its) in enumerate(self.each(model))]
        name = (stream.key, *stream.path)
        if self._judged is None or self._judged[0] is not model or self._judged[1] != name:
            self._judged = model, name, self._grown(model, self.config.sample_rows, stream)
        return self._judged[2]

    def _grown(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> list[Rows]:
        """Rows of all replicates in one batch: on a CPU their decoders have nothing to share."""
        stack, count = stack_of(self.config, self.apart(model)), len(self.replicates)
        decoder = StackDecoder(stack, self.config.context, sampling_dtype(self.config), gpu.StaticKeyValues)
        work = gpu.growth_of(self.config, decoder, decoder.make, rows * count, count)
        streams = [lane_of(stream, number) for number in range(count)]
        prompts = [one.prompting(rows) for one in self.replicates]
        return sample_together(self.config, work, rows, streams, bias, prompts)

    def edit(self, model: Payload, real: Payload, threshold: float, stream: Stream) -> Payload:
        each = zip(self.each(model), self.apart(real), strict=True)
        return self.rows_of_all(
            [one.edit(its, rows, threshold, lane_of(stream, number)) for number, ((one, its), rows) in enumerate(each)]
        )

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        if kind != "reference":
            return super().judge(kind, real, synthetic, stream)
        starts: list[Start] = [None] * len(self.replicates)
        if self.config.checkpoint is not None:
            starts = [one.tensors for one in self.apart(self.checkpoint())]
        return self._fit(self.config.reference, [RowsView((read(one),)) for one in self.apart(real)], stream, starts)

    def apart(self, payload: Payload) -> list[Payload]:
        """Each replicate's part, the same objects when asked again: what a replicate has sampled is known by these."""
        if self._latest is None or self._latest[0] is not payload:
            self._latest = payload, [lane(payload, number) for number in range(len(self.replicates))]
        return self._latest[1]

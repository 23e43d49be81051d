"""`Language`: the family at work, tying text, fit, sampler, metrics and judges together."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.language import checkpoint, judges
from trainables.families.language import model as architecture
from trainables.families.language.adapters import adapted, adapter_weights, merged, write_adapters
from trainables.families.language.config import SHOWN, LanguageConfig
from trainables.families.language.data import NAMES, prepare
from trainables.families.language.evaluate import counts, cross_entropy, row_losses
from trainables.families.language.fit import fit, train
from trainables.families.language.metrics import each, statistics, tail
from trainables.families.language.sampling import edit_rows, sample_rows
from trainables.families.language.token_rows import Rows, RowsView, gather, join, read
from trainables.families.shown_files import shown
from trainables.lineage import Stream
from trainables.store import Payload, StoreError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ADAPTS = "adapts"
"""In the meta of a model that is adapters: the key of the checkpoint that they belong to."""


class Language(Family):
    """Batches are tables with a column `input_ids`; models are tensors by parameter name, or, where fits adapt a
    checkpoint, adapters by layer.

    Args:
        config: of the family.
        world: of one recursion.
        truth: randomness of the real world, where this is one of several recursions side by side.
    """

    config: LanguageConfig

    def __init__(self, config: LanguageConfig, world: World, truth: Stream | None = None) -> None:
        super().__init__(config, world)
        self.truth = truth or self.truth
        self.text = prepare(config)
        self._order = self.truth.numpy("rows").permutation(self.text.train.rows)
        self._tail = tail(np.bincount(self.text.train.tokens, minlength=config.tokens))
        self._judged: tuple[Payload, tuple[str, ...], Rows] | None = None

    def real(self, start: int, rows: int) -> Payload:
        held = self.text.train.rows
        if start + rows > held:
            raise ValueError(f"rows: real rows {start} to {start + rows}, but the training split holds {held}")
        return self.batch(self.text.train.take(self._order[start : start + rows]), skipped=self.text.skipped)

    def held_out(self) -> Payload:
        return self.batch(join([self.text.test, self.text.validation]))

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(self.config, gather(corpus), stream, None)

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(self.config, gather(corpus), stream, start)

    def _fitted(self, config: LanguageConfig, rows: RowsView, stream: Stream, start: Payload | None) -> Payload:
        """A model, or adapters, fitted from random weights, a checkpoint or an earlier generation's."""
        meta = {"parameters": config.parameters}
        if config.lora is None:
            model = fit(config, rows, stream, start.tensors if start else None)
            return Payload(meta=meta, tensors=architecture.weights(model))
        held = start.tensors if start is not None and ADAPTS in start.meta else None
        begun = adapted(config, self._base.tensors, held, stream.integer("init"))
        model = train(config, begun, rows, stream)
        return Payload(meta=meta | {ADAPTS: config.checkpoint_key()}, tensors=adapter_weights(model))

    def checkpoint(self) -> Payload:
        return self._base if self.config.adapts else self._checkpoint()

    @cached_property
    def _base(self) -> Payload:
        """The checkpoint that adapters belong to: every reading of them needs it."""
        return self._checkpoint()

    def _checkpoint(self) -> Payload:
        key = self.config.checkpoint_key()
        assert key is not None  # asked only where there is one
        if self.config.foundation is None:
            return Payload(tensors=checkpoint.pretrained(self.config))
        return self.world.store.once("checkpoint", key, lambda: self._pretrain(key))

    def _pretrain(self, key: str) -> Payload:
        """The checkpoint that the study makes."""
        config, told = self.config.foundation, self.config.checkpoint.pretrain if self.config.checkpoint else None
        assert config is not None  # asked only where the study makes one
        assert told is not None
        train, stream, started = prepare(config).train, Stream(key), time.perf_counter()
        rows = train.take(stream.numpy("rows").permutation(train.rows)[: told.rows])
        model = fit(config, RowsView((rows,)), stream.child("fit"))
        meta = {"parameters": config.parameters, "fit_seconds": time.perf_counter() - started}
        return Payload(meta=meta, tensors=architecture.weights(model))

    def export(self, model: Payload, folder: Path) -> None:
        checkpoint.write(self._load(model), self.text.tokenizer, self.config, folder)
        if ADAPTS in model.meta:
            self._export_adapters(model, folder)

    def _export_adapters(self, model: Payload, folder: Path) -> None:
        """In a folder `adapter`, as peft reads them; a checkpoint that is nowhere else, in a folder `base`."""
        named = self.config.checkpoint
        assert named is not None  # adapters belong to one
        place, revision = named.path or named.repository, named.revision if named.repository else None
        if place is None:
            whole, place = architecture.load(self.config, self._base.tensors), str((folder / "base").resolve())
            checkpoint.write(whole, self.text.tokenizer, self.config, folder / "base")
        write_adapters(self.config, model.tensors, place, revision, folder / "adapter")

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        loss = cross_entropy(self.config, self._load(model), self.judged_rows)
        return self.judged(loss, self.samples(model, stream) if self.config.sample_rows else None, stream)

    def judged(self, loss: float, sampled: Rows | None, stream: Stream) -> Evaluation:
        """What records hold of a held-out loss and of samples, where there are any; the stream is the evaluation's."""
        metrics = {"uniform_loss": math.log(self.config.tokens), "perplexity": perplexity(loss)}
        metrics |= {f"source_{why}": float(count) for why, count in self.text.skipped.items()}
        if sampled is None:
            return Evaluation(loss, metrics)
        metrics |= statistics(sampled, self.text.test, self._tail, stream.numpy("zipf"))
        return Evaluation(loss, metrics, files=shown("samples.txt", lambda: self._shown(sampled)))

    @cached_property
    def judged_rows(self) -> Rows:
        """Held-out rows that losses are taken on."""
        return _first(self.text.test, self.config.test_rows)

    @cached_property
    def validation_rows(self) -> Rows:
        """As `judged_rows`, of the validation split."""
        return _first(self.text.validation, self.config.test_rows)

    def disagree(self, models: Sequence[Payload], stream: Stream) -> Mapping[str, np.ndarray]:
        """Mean squared difference of held-out rows' losses, each in nats per token that counts, a mean over pairs."""
        test = self.judged_rows
        counted = np.maximum(counts(self.config, test), 1)
        losses = [row_losses(self.config, self._load(model), test) / counted for model in models]
        apart = 2 * np.var(losses, axis=0, ddof=1).mean()
        return {"disagreement": np.array([apart])}

    def validate(self, model: Payload) -> float:
        return cross_entropy(self.config, self._load(model), self.validation_rows)

    def compare(self, model: Payload, first: Payload, stream: Stream) -> Mapping[str, float]:
        """`perplexity_under_first`: of the samples that were judged, under model 1 (Shumailov et al. 2024)."""
        if not self.config.sample_rows:
            return {}
        sampled = self.samples(model, stream)
        return {"perplexity_under_first": perplexity(cross_entropy(self.config, self._load(first), sampled))}

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        return self.batch(sample_rows(self.config, self._load(model), rows, stream, bias, self.prompting(rows)))

    def prompting(self, rows: int) -> Rows | None:
        """Rows of batch 0 that give prompts to so many rows, where rows are prompted."""
        if not self.config.prompted:
            return None
        return self.text.train.take(self._order[self.origin + np.arange(rows) % self.world.rows])

    def edit(self, model: Payload, real: Payload, threshold: float, stream: Stream) -> Payload:
        edited, share = edit_rows(self.config, self._load(model), read(real), threshold, stream)
        return self.batch(edited, edited=share)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        if kind == "detector":
            assert synthetic is not None  # a detector tells real rows from these
            return judges.detector(self.config, read(real), read(synthetic), stream)
        start = self.checkpoint() if self.config.checkpoint is not None else None
        return self._fitted(self.config.reference, RowsView((read(real),)), stream, start)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        if kind == "detector":
            return judges.realness(self.config, judge, read(batch))
        whose = self.config.reference if kind == "reference" else self.config
        return judges.likelihood(whose, self._load(judge, whose), read(batch))

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        return self.batch(read(batch).take(index))

    def samples(self, model: Payload, stream: Stream) -> Rows:
        """The samples that metrics are taken on: `compare` asks for those that `evaluate` has just drawn."""
        name = (stream.key, *stream.path)
        if self._judged is None or self._judged[0] is not model or self._judged[1] != name:
            rows = self.config.sample_rows
            sampled = sample_rows(self.config, self._load(model), rows, stream, 1.0, self.prompting(rows))
            self._judged = (model, name, sampled)
        return self._judged[2]

    def batch(self, rows: Rows, **meta: object) -> Payload:
        """Rows as a batch."""
        return rows.payload(self.config.tokens, **meta)

    def _load(self, model: Payload, whose: LanguageConfig | None = None) -> PreTrainedModel:
        """A model ready to be read from, adapters merged into their checkpoint.

        Raises:
            StoreError: adapters belong to another checkpoint than the config's.
        """
        config = whose or self.config
        if ADAPTS not in model.meta:
            return architecture.load(config, model.tensors)
        if model.meta[ADAPTS] != config.checkpoint_key():
            raise StoreError(f"adapters of checkpoint {model.meta[ADAPTS]} were asked for on another one")
        return merged(config, self._base.tensors, model.tensors)

    def _shown(self, sampled: Rows) -> bytes:
        """Some samples as text, between lines of dashes."""
        rows = [self.text.tokenizer.decode(row.tolist(), skip_special_tokens=False) for row in each(sampled)[:SHOWN]]
        text = ("\n" + "-" * 40 + "\n").join(rows).replace(NAMES[1], "⏎\n")
        return text.encode("utf-8", "replace")


def perplexity(loss: float) -> float:
    """Of a loss in nats per token, where a number can hold it."""
    return math.exp(min(loss, 700.0))


def _first(rows: Rows, count: int) -> Rows:
    """So many rows, or all where there are fewer."""
    return rows.take(np.arange(min(count, rows.rows)))

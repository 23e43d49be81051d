"""`Language`: the family at work, tying text, fit, sampler and metrics together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.language import architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.families.language.evaluate import cross_entropy
from trainables.families.language.fit import fit
from trainables.families.language.rows import gather
from trainables.families.language.sample import sample
from trainables.lineage import Stream
from trainables.store import Payload

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Language(Family):
    """Batches are tables with a column `input_ids`; models are tensors by parameter name."""

    config: LanguageConfig

    def __init__(self, config: LanguageConfig, world: World) -> None:
        super().__init__(config, world)
        self.text = prepare(config)
        self._order = self.truth.numpy("rows").permutation(self.text.train.rows)

    def real(self, start: int, rows: int) -> Payload:
        return self.text.train.take(self._order[start : start + rows]).payload(self.config.vocabulary)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        model = fit(self.config, gather(corpus), stream)
        return Payload(meta={"parameters": self.config.parameters}, tensors=architecture.weights(model))

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        test = self.text.test
        judged = test.take(np.arange(min(self.config.test_rows, test.rows)))
        loss = cross_entropy(self.config, self._load(model), judged)
        return Evaluation(loss, {"uniform_loss": math.log(self.config.vocabulary), "perplexity": math.exp(loss)})

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        return sample(self.config, self._load(model), rows, stream, bias).payload(self.config.vocabulary)

    def _load(self, model: Payload) -> PreTrainedModel:
        return architecture.load(self.config, model.tensors)

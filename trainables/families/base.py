"""FAMILY CONTRACT: what is fitted, sampled and judged.

A family turns a corpus into a model, a model into a batch, and judges a model on held-out real rows.
It knows nothing of policies, generations or stores; what its config says is in `config.py`. Rules that
`trainables.testing` checks:

- Deterministic: equal config, world, corpus and stream give equal payloads on one machine type.
- Every random number comes from the stream it is handed; no global generator is touched.
- Held-out rows are in no batch that `real` returns and take no part in fitting anything.
- `fit` starts from a fresh initialisation; `fine_tune` from the model that it is handed, and from nothing else.
  Which of them a generation is made by, its config's `starts_from` says, and its key with it.
- A loss or weight that is not finite raises `Diverged`, never a record.
- Config modules import neither torch nor transformers; methods import what they need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from trainables.corpus import Corpus
from trainables.errors import CollapseSweepError
from trainables.families.config import DEVICE_CONTEXT as DEVICE_CONTEXT
from trainables.families.config import Cost as Cost
from trainables.families.config import FamilyConfig as FamilyConfig
from trainables.families.config import Start as Start
from trainables.lineage import Stream, make_key
from trainables.store import Payload, Store


class Diverged(CollapseSweepError):
    """Training or sampling gave something that is not finite; the message says what."""


@dataclass(frozen=True)
class World:
    """What a cell fixes besides the family's config.

    Attributes:
        rows: N, rows of batch 0.
        replicates: independent recursions side by side.
        seed: root seed.
        store: for what a family derives once from real data (tokenizers, features, caches).
        lineages: side by side in the cell; how much is worth remembering.
    """

    rows: int
    replicates: int
    seed: int
    store: Store
    lineages: int = 1


@dataclass(frozen=True)
class Evaluation:
    """How a model did on held-out real rows.

    Attributes:
        test_loss: the family's loss, lower is better; a mean over replicates.
        metrics: further figures; with replicates `x` is the mean and `x_se` its standard error.
        replicates: every replicate's value by metric name, shape [replicates].
        files: pictures and samples to show, by file name.
    """

    test_loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    replicates: Mapping[str, np.ndarray] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class Family(ABC):
    """A family at work for one cell. Built once per recursion; may cache, must not depend on call order."""

    judges_together: ClassVar[bool] = False
    """Whether `evaluate_each` costs less than its evaluations one by one."""
    origin = 0
    """Where batch 0 starts in the seed's own order of real rows."""

    def __init__(self, config: FamilyConfig, world: World) -> None:
        self.config = config
        self.world = world
        self.truth = Stream(
            make_key("truth", data=config.data_identity(), replicates=world.replicates, seed=world.seed)
        )
        """Randomness of the real world: true parameters, the order of real rows. Shared by all policies."""

    @abstractmethod
    def real(self, start: int, rows: int) -> Payload:
        """Real training rows `start` to `start + rows` in the seed's own order; batch 0 starts at `origin`.

        Disjoint ranges give disjoint rows, so the reserve is what lies behind batch 0.
        """

    def begun_at(self, origin: int) -> Self:
        """This family for a lineage whose batch 0 starts at `origin`, where samples have anything of its rows."""
        if origin == self.origin or not self.config.conditioned:
            return self
        found = copy(self)
        found.origin = origin
        return found

    def held_out(self) -> Payload | None:
        """The held-out real rows in the form of `real`, or None where held-out risk has a closed form.

        `trainables.testing` checks that none of them is among the rows that `real` returns.
        """
        return None

    @abstractmethod
    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        """A model fitted from scratch on the corpus.

        Raises:
            Diverged: the loss or a weight is not finite.
        """

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        """A model fitted on the corpus from the weights of `start`: what an optimiser remembers is not among them.

        Asked only of families whose config has a `start`.

        Raises:
            Diverged: the loss or a weight is not finite.
        """
        raise TypeError(f"{self.config.kind} is fitted from scratch")

    def checkpoint(self) -> Payload:
        """The pretrained model that the config names, read or made.

        Raises:
            ValueError: it can't be read, or does not fit the config.
        """
        raise TypeError(f"{self.config.kind} has no checkpoint")

    def export(self, model: Payload, folder: Path) -> None:
        """Write a model into an empty folder as other libraries, and `checkpoint: {path: …}`, read it."""
        raise TypeError(f"{self.config.kind} has no form that others read")

    @abstractmethod
    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """The model's loss on held-out real rows, and further metrics."""

    def evaluate_each(self, models: Sequence[Payload], streams: Sequence[Stream]) -> list[Evaluation]:
        """`evaluate` of several models, each with its own stream and to the same digits.

        A family that works them out side by side says so by `judges_together`.

        Raises:
            Diverged: of any of them.
        """
        return [self.evaluate(model, stream) for model, stream in zip(models, streams, strict=True)]

    def validate(self, model: Payload) -> float:
        """The model's loss on real validation rows, in the unit of `test_loss` but for a constant; lower is better.

        They are neither among the rows that `real` returns nor among those of `evaluate`, which this never reads.
        Asked only of families whose config says `validates`.

        Raises:
            Diverged: it is not finite.
        """
        raise TypeError(f"{self.config.kind} has no validation rows")

    def compare(self, model: Payload, first: Payload, stream: Stream) -> Mapping[str, float | np.ndarray]:
        """Metrics of a model beside model 1 of its lineage, with the stream of `evaluate`; of several replicates every
        one's value, [replicates].

        Asked only of families whose config says `compares`: model 1 is then part of a record's key.
        """
        return {}

    def disagree(self, models: Sequence[Payload], stream: Stream) -> Mapping[str, np.ndarray]:
        """How far apart the models of a population are, by metric, [replicates] ([1] where not vectorised).

        `disagreement` is a mean over pairs of models, 0 where all predict alike; a family that can't tell gives none.

        Raises:
            Diverged: it is not finite.
        """
        return {}

    @abstractmethod
    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        """A batch of `rows` rows from the model; `bias` is λ of MAD's sampling bias.

        Raises:
            Diverged: the model gives no valid rows.
        """

    def edit(self, model: Payload, real: Payload, threshold: float, stream: Stream) -> Payload:
        """Real rows with their likely parts (tokens, labels) resampled (ability `edit`)."""
        raise TypeError(f"{self.config.kind} can't edit rows")

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """A batch of `model`, moved towards the data (ability `correct`; Gillman et al. 2024, arXiv 2402.07087).

        A row goes γ/(1 + γ) of its way, where γ is `strength`; what can't go part of it, as a category or a label, goes
        all of it with that chance. Where the way leads, `corrector` says, which `judge` makes of real rows: to the
        truth, where the family knows it. `meta.moved` is the root mean square distance, or the share drawn again.

        Raises:
            Diverged: the model has no way to the data.
        """
        raise TypeError(f"{self.config.kind} can't correct rows")

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """A judge fitted on real rows (ability `score`): `reference`, or `detector` against `synthetic`; or the
        `corrector` (ability `correct`)."""
        raise TypeError(f"{self.config.kind} has no {kind} judge")

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Scores of a batch's rows, higher is more real: [rows], or [replicates, rows] where vectorised.

        `kind` is `reference`, `detector` (probabilities in (0, 1)), or `first` (the judge is model 1).
        """
        raise TypeError(f"{self.config.kind} can't score rows")

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The batch's rows at `index` ([k] or [replicates, k]); needed for selections (ability `score`)."""
        raise TypeError(f"{self.config.kind} can't select rows")

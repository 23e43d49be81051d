"""FAMILY CONTRACT: what is fitted, sampled and judged.

A family turns a corpus into a model, a model into a batch, and judges a model on held-out real rows.
It knows nothing of policies, generations or stores. Rules that `trainables.testing` checks:

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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from trainables.config import Config
from trainables.corpus import Corpus
from trainables.errors import CollapseSweepError
from trainables.families.card_rates import CardRates
from trainables.families.metrics import Metric, held_out_loss
from trainables.lineage import Stream, make_key
from trainables.store import Payload, Store

Start = Literal["fresh", "previous", "checkpoint"]
"""Where a fit starts: at random weights, at the last generation's model, or at a pretrained one."""


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


@dataclass(frozen=True)
class Cost:
    """What one generation costs, for planning.

    Attributes:
        parameters: of the model.
        fit_flops: floating-point operations of fitting one row, over all epochs.
        sample_flops: of sampling one row.
        row_bytes: of a stored row.
        tokens_per_row: tokens (language), pixels (images), atoms (molecules), 1 elsewhere.
        kept: parameters that are stored of a model, where it is stored as what differs from its checkpoint.
    """

    parameters: int
    fit_flops: float
    sample_flops: float
    row_bytes: float
    tokens_per_row: float = 1.0
    kept: int | None = None


DEVICE_CONTEXT = 0.6 * 2**30
"""Bytes that each process takes on an accelerator before it holds a tensor: CUDA's context and the kernels of torch."""


class FamilyConfig(Config, ABC):
    """Base of every family's config. Subclasses add `kind: Literal[...]` and defaults for every field.

    Class attributes say which part of a recursion a field can change, so that a change recomputes no
    more than it must: `data_fields` shape the real rows, `sampling_fields` only the synthetic ones,
    `evaluation_fields` only the records, `judge_fields` only who scores rows, `start_fields` where fits start, which
    enters the keys of the generations that start there. All others shape the model.
    """

    kind: str
    policy_study: ClassVar[Mapping[str, int]] = {}
    """Rows, generations and replicates of the study `policies/<kind>`, where the defaults are not for it."""
    own_data: ClassVar[Mapping[str, str]] = {}
    """Kind of source that reads one's own data, by the suffix of its path; "" for all others."""
    loss_unit: ClassVar[str] = ""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """What records hold beside `test_loss`, in the order of tables."""
    default_rows: ClassVar[int] = 100
    default_generations: ClassVar[int] = 5
    vectorised: ClassVar[bool] = False
    compares: ClassVar[bool] = False
    validates: ClassVar[bool] = False
    accelerated: ClassVar[bool] = False
    core_flops: ClassVar[float] = 0.0
    """Operations of a generation below which a CPU core takes less time than an accelerator, as measured."""
    abilities: ClassVar[frozenset[str]] = frozenset()
    card_rates: ClassVar[CardRates | None] = None
    """Speeds that were measured on an accelerator."""
    data_fields: ClassVar[frozenset[str]] = frozenset()
    sampling_fields: ClassVar[frozenset[str]] = frozenset()
    evaluation_fields: ClassVar[frozenset[str]] = frozenset()
    evaluation_version: ClassVar[int] = 0
    """Raised when evaluation measures something more, so that stored models are judged again, not fitted again."""
    data_version: ClassVar[int] = 0
    """Raised when the same config draws other real rows."""
    fit_version: ClassVar[int] = 0
    """Raised when fitting or sampling gives other numbers, so that this family alone is computed again."""
    judge_fields: ClassVar[frozenset[str]] = frozenset()
    start_fields: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def recorded(cls) -> tuple[Metric, ...]:
        """What the figures of a record mean: the held-out loss, then `metrics`."""
        return (held_out_loss(cls.loss_unit), *cls.metrics)

    def data_identity(self) -> dict[str, Any]:
        """What real rows are made of: data fields, and a digest of any file's content. Light to compute.

        Raises:
            ValueError: the data can't be read; one line says which and why.
        """
        return self.declared_data()

    def declared_data(self) -> dict[str, Any]:
        """What the config alone says of the real rows; nothing is read. Names no data, and so no artifact."""
        version = {"version": self.data_version} if self.data_version else {}
        return {"kind": self.kind} | self._part(self.data_fields) | version

    def fit_identity(self) -> dict[str, Any]:
        """What, besides the corpus (whose key holds the data's identity), decides a model."""
        other = self.data_fields | self.sampling_fields | self.evaluation_fields | self.judge_fields | self.start_fields
        version = {"version": self.fit_version} if self.fit_version else {}
        return {k: v for k, v in self.canonical().items() if k not in other} | version

    def starts_from(self, generation: int) -> Start:
        """Where the fit of a generation (1, 2, …) starts."""
        return "fresh"

    def checkpoint_key(self) -> str | None:
        """Lineage key of the pretrained model, by its content; None where there is none.

        Raises:
            ValueError: it can't be read; one line says which and why.
        """
        return None

    def start_identity(self) -> dict[str, Any]:
        """What decides where fits start, over all generations; nothing where all are fresh."""
        return {}

    def pretraining(self) -> tuple[int, Cost] | None:
        """Rows that the checkpoint is fitted on, and what they cost, where the study makes it itself."""
        return None

    @property
    def adapts(self) -> bool:
        """Whether a stored model is what differs from the checkpoint, without which it can't be read."""
        return False

    @property
    def prompted(self) -> bool:
        """Whether samples continue rows of batch 0."""
        return False

    def sampling_identity(self) -> dict[str, Any]:
        """What, besides the model, decides a batch."""
        return self._part(self.sampling_fields)

    def evaluation_identity(self) -> dict[str, Any]:
        """What, besides the model, decides a record."""
        version = {"version": self.evaluation_version} if self.evaluation_version else {}
        return self._part(self.sampling_fields | self.evaluation_fields) | version

    def judge_identity(self) -> dict[str, Any]:
        """What, besides real rows and model 1, decides a judge."""
        return self.fit_identity() | self.sampling_identity() | self._part(self.judge_fields)

    def check(self, rows: int, replicates: int) -> None:
        """Refuse what can't work, before anything is read.

        Raises:
            ValueError: one line that starts with the field's name.
        """
        if replicates > 1 and not self.vectorised:
            raise ValueError(f"replicates: {self.kind} runs one recursion per cell; use several seeds instead")

    def check_validation(self) -> None:
        """Refuse to tune on validation rows where there are none.

        Raises:
            ValueError: one line that says what would give some.
        """
        if not self.validates:
            raise ValueError(f"family: {self.kind} has no validation rows to tune on")

    def available_rows(self) -> int | None:
        """Real training rows the source holds, None for endless. May read the data."""
        return None

    def derived(self, replicates: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Metrics that follow from what a record holds of each replicate, [replicates] by name. They are worked out
        when a record is read, and not stored: no key changes where one is added."""
        return {}

    @classmethod
    def tiny(cls) -> tuple[FamilyConfig, int]:
        """A config and a number of rows that fit, sample and evaluate in well under a second, embedded data only.

        `trainables.testing` runs its suites, and every policy, on it. Override where the defaults are heavy.
        """
        return cls.model_validate({}), min(cls.default_rows, 50)

    def size_label(self) -> str:
        """How tables name this size: "0.41M", "dim 10"."""
        return ""

    @property
    def title(self) -> str:
        """What messages call the model: its architecture, where the family has several, and its size."""
        return f"{getattr(self, 'architecture', '')} {self.size_label()}".strip()

    @abstractmethod
    def cost(self, rows: int) -> Cost:
        """What a generation on `rows` rows costs, from the config alone."""

    def device_bytes(self, rows: int) -> float:
        """Memory of an accelerator that a generation on `rows` rows takes at its peak, estimated. Float32 throughout:
        weights, gradients and Adam's two moments are 16 bytes a parameter.
        """
        return DEVICE_CONTEXT + 16.0 * self.cost(rows).parameters + self.working_bytes(rows)

    def working_bytes(self, rows: int) -> float:
        """The part of it that is activations, caches and batches."""
        return 2.0 * 2**30

    @abstractmethod
    def build(self, world: World) -> Family:
        """The family at work."""

    def _part(self, names: frozenset[str]) -> dict[str, Any]:
        return {k: v for k, v in self.canonical().items() if k in names}


class Family(ABC):
    """A family at work for one cell. Built once per recursion; may cache, must not depend on call order."""

    def __init__(self, config: FamilyConfig, world: World) -> None:
        self.config = config
        self.world = world
        self.truth = Stream(
            make_key("truth", data=config.data_identity(), replicates=world.replicates, seed=world.seed)
        )
        """Randomness of the real world: true parameters, the order of real rows. Shared by all policies."""

    @abstractmethod
    def real(self, start: int, rows: int) -> Payload:
        """Real training rows `start` to `start + rows` in the seed's own order; batch 0 starts at 0.

        Disjoint ranges give disjoint rows, so the reserve is what lies behind batch 0.
        """

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

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        """A judge fitted on real rows (ability `score`): `reference`, or `detector` against `synthetic`."""
        raise TypeError(f"{self.config.kind} has no {kind} judge")

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        """Scores of a batch's rows, higher is more real: [rows], or [replicates, rows] where vectorised.

        `kind` is `reference`, `detector` (probabilities in (0, 1)), or `first` (the judge is model 1).
        """
        raise TypeError(f"{self.config.kind} can't score rows")

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        """The batch's rows at `index` ([k] or [replicates, k]); needed for selections (ability `score`)."""
        raise TypeError(f"{self.config.kind} can't select rows")

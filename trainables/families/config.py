"""`FamilyConfig`: what every family's config says of itself: its parts in lineage keys, its metrics, what it costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from trainables.config import Config
from trainables.families.card_rates import CardRates
from trainables.families.metrics import Metric, held_out_loss

if TYPE_CHECKING:
    from trainables.families.base import Family, World

Start = Literal["fresh", "previous", "checkpoint"]
"""Where a fit starts: at random weights, at the last generation's model, or at a pretrained one."""


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
        parameter_bytes: of a stored parameter.
    """

    parameters: int
    fit_flops: float
    sample_flops: float
    row_bytes: float
    tokens_per_row: float = 1.0
    kept: int | None = None
    parameter_bytes: int = 4


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

    def fitted_on(self, rows: int) -> dict[str, Any]:
        """What, besides `fit_identity`, decides a model of so many rows: a mend that some numbers of rows meet."""
        return {}

    def judged_on(self, rows: int) -> dict[str, Any]:
        """The same of a judge of the kind `reference` that is fitted on so many rows."""
        return {}

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

    def shown_bytes(self) -> Sequence[float]:
        """Sizes, about, of the files by which a record shows samples."""
        return ()

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

    @property
    def conditioned(self) -> bool:
        """Whether samples have anything of rows of batch 0: beginnings, graphs, inputs."""
        return self.prompted

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

    def undefined(
        self, metrics: Mapping[str, float], replicates: Mapping[str, np.ndarray], members: int = 1
    ) -> frozenset[str]:
        """Metrics that a stored record holds as numbers though they have none; they are left out when it is read, so
        that no key changes.

        Args:
            metrics: of the record.
            replicates: of each replicate, [replicates] by name.
            members: over how many models figures are means; of more than one, the metrics that any of them may lack.
        """
        return frozenset()

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

"""`LanguageConfig`: everything that decides a language recursion, flat, with defaults for a laptop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from trainables.families.base import Cost, Family, World
from trainables.families.batches import recounted, updates
from trainables.families.card_rates import CardRates
from trainables.families.language.config import footprint
from trainables.families.language.config.checks import check_fits, check_together
from trainables.families.language.config.reserved import AUTO, BOS, EOS, MIN_VOCABULARY
from trainables.families.language.metrics import METRICS
from trainables.families.language.objective import PLAIN, Loss
from trainables.families.language.pretrained import LanguageCheckpoint, Lora
from trainables.families.language.sizes import INNER, LEAN, Shape, feed_forward, parameters, shape
from trainables.families.metrics import Metric
from trainables.families.starts import StartConfig
from trainables.lineage import make_key
from trainables.sources.text import TEXTS, Pydoc, TextSource

if TYPE_CHECKING:
    from trainables.families.language.checkpoint import Base

    AnyText = TextSource
else:
    AnyText = TEXTS.union()

NOT_PRETRAINED = frozenset({"lora", "loss", "prompts", "prompt_tokens", "keep_prompts", "decoding", "beams"})
"""Fields of fine-tuning and sampling that pretraining leaves at their defaults."""


class LanguageConfig(StartConfig):
    """A causal language model fitted on token rows, from scratch or from a checkpoint.

    A row is one sequence of tokens. `fixed_length`: exactly `context` tokens, cut from the documents
    packed one after another with EOS between them; a sampled row is `context` tokens from BOS on.
    `documents`: one document with its EOS, at most `context` tokens; a row is sampled until EOS.
    BOS is put before every row when a model reads it, and is not part of the row: a model's density is
    over exactly the rows it is fitted on, sampled into and judged by.

    With `checkpoint: {path: …}` or `{repository: …}` architecture, dimensions, vocabulary and tokenizer are the
    checkpoint's, and their fields stay at their defaults; `overrides` change its config. A model that has no BOS of its
    own reads its EOS in the place of BOS.

    `replicates: R` runs R recursions of a GPT-2 or Llama side by side, each on its own order of the real rows and with
    its own weights, batches and samples, fitted as one batched model; small models cost a fraction of R runs.

    Attributes:
        start, checkpoint: where fits start, as in `StartConfig`; a `LanguageCheckpoint`.
        lora: adapters that are fitted in place of the checkpoint's own weights, as in `Lora`; None fits all of them.
            With `start: previous` they go on from the last generation's.
        source: where the text comes from.
        vocabulary: tokens of the byte-level BPE, trained on the training documents only.
        context: tokens of a row.
        sequences: what a row is.
        validation, test: shares of the documents held out, by content hash.
        architecture: a causal `model_type` of transformers; `auto` is a checkpoint's own.
        size: a named shape; `width`, `layers`, `heads`, `intermediate` override its parts.
        overrides: further fields of the architecture's own config.
        initializer_range: standard deviation of initial weights; None takes sqrt(2 / (5 width)) (Nguyen and
            Salazar 2019, arXiv 1910.05895), which narrow models need.
        epochs: passes over the corpus; `steps` fixes the number of updates instead, whatever the corpus.
        batch: rows of an update.
        learning_rate: peak of a cosine with `warmup` (share of all updates), down to
            `final_learning_rate` (share of the peak).
        clip: largest norm of the gradient.
        loss: which tokens count, as in `Loss`.
        precision: bfloat16 autocast or not; `auto` takes it on a GPU that has it.
        sampling_precision: the same for sampling, but for the last product: a trained model of 1M parameters
            samples 5e-6 nats per token away from its own distribution in bfloat16 (3e-5 at temperature 0.3).
        temperature, top_k, top_p: of sampling; 0 and 1 leave the distribution whole.
        decoding: `sample` draws tokens; `greedy` takes the likeliest, `beam` the row that a search with so many
            `beams` finds likeliest a token, both as `generate` of transformers does, and whatever the temperature.
        prompts: what sampled rows begin with. `none`: nothing, they follow BOS (`bos` is another word for it).
            `first_token`, `prefix`: the first token, or the first `prompt_tokens`, of rows of batch 0, row i of
            batch 0 for row i. `source`: the prompts of a source of pairs.
        keep_prompts: whether they stay in the row. A `fixed_length` row without its prompt is shorter by it.
        reference_size: size of the model that judges rows for `verified` and `curated`, fitted on batch 0;
            None takes the model's own dimensions.
        test_rows: held-out rows judged at most.
        sample_rows: rows sampled for the metrics of samples; 0 leaves these out.
    """

    kind: Literal["language"] = "language"
    checkpoint: LanguageCheckpoint | None = Field(default=None, exclude_if=lambda checkpoint: checkpoint is None)
    lora: Lora | None = Field(default=None, exclude_if=lambda lora: lora is None)
    source: AnyText = Pydoc()
    vocabulary: int = Field(default=512, ge=MIN_VOCABULARY, le=2**31 - 1)
    context: int = Field(default=64, ge=2)
    sequences: Literal["fixed_length", "documents"] = "fixed_length"
    validation: float = Field(default=0.1, ge=0, lt=0.5)
    test: float = Field(default=0.1, gt=0, lt=0.5)
    architecture: str = "gpt2"
    size: str = "0.1M"
    width: int | None = Field(default=None, ge=1)
    layers: int | None = Field(default=None, ge=1)
    heads: int | None = Field(default=None, ge=1)
    intermediate: int | None = Field(default=None, ge=1)
    overrides: dict[str, Any] = Field(default_factory=dict)
    initializer_range: float | None = Field(default=None, gt=0)
    epochs: float = Field(default=4.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    batch: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=4e-3, gt=0)
    final_learning_rate: float = Field(default=0.1, ge=0, le=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)
    loss: Loss = Field(default=PLAIN, exclude_if=lambda loss: loss == PLAIN)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    sampling_precision: Literal["auto", "float32", "bfloat16"] = "auto"
    temperature: float = Field(default=1.0, gt=0)
    top_k: int = Field(default=0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    decoding: Literal["sample", "greedy", "beam"] = Field(default="sample", exclude_if=lambda word: word == "sample")
    beams: int = Field(default=5, ge=2, exclude_if=lambda beams: beams == 5)
    prompts: Literal["none", "first_token", "prefix", "source"] = Field(
        default="none", exclude_if=lambda word: word == "none"
    )
    prompt_tokens: int = Field(default=8, ge=1, exclude_if=lambda tokens: tokens == 8)
    keep_prompts: bool = Field(default=True, exclude_if=lambda keep: keep)
    reference_size: str | None = None
    test_rows: int = Field(default=256, ge=1)
    sample_rows: int = Field(default=64, ge=0)

    own_data: ClassVar[Mapping[str, str]] = {"": "text"}
    policy_study: ClassVar[Mapping[str, int]] = {"rows": 250, "generations": 4}
    loss_unit: ClassVar[str] = "nats per token"
    metrics: ClassVar[tuple[Metric, ...]] = METRICS
    vectorised: ClassVar[bool] = True
    compares: ClassVar[bool] = True
    validates: ClassVar[bool] = True
    accelerated: ClassVar[bool] = True
    core_flops: ClassVar[float] = 1e11
    card_rates: ClassVar[CardRates | None] = CardRates(
        card="H200",
        source="an earlier build on one H200 (docs/performance.md)",
        fits=((9e6, 95e12), (12e6, 84e12), (42e6, 152e12), (126e6, 160e12)),
        sampled=127e3,
    )
    fit_version: ClassVar[int] = 3
    default_rows: ClassVar[int] = 300
    default_generations: ClassVar[int] = 4
    data_fields: ClassVar[frozenset[str]] = frozenset(
        {"source", "vocabulary", "context", "sequences", "validation", "test"}
    )
    sampling_fields: ClassVar[frozenset[str]] = frozenset(
        {"sampling_precision", "temperature", "top_k", "top_p", "decoding", "beams"}
        | {"prompts", "prompt_tokens", "keep_prompts"}
    )
    evaluation_fields: ClassVar[frozenset[str]] = frozenset({"test_rows", "sample_rows"})
    judge_fields: ClassVar[frozenset[str]] = frozenset({"reference_size"})
    abilities: ClassVar[frozenset[str]] = frozenset({"bias", "score", "edit"})

    @model_validator(mode="before")
    @classmethod
    def _architecture_of_a_checkpoint(cls, data: Any) -> Any:
        """Absent beside a checkpoint, it is the checkpoint's."""
        if not isinstance(data, Mapping) or "architecture" in data:
            return data
        found = data.get("checkpoint")
        told = found.get("pretrain") if isinstance(found, Mapping) else getattr(found, "pretrain", None)
        return data if found is None or told is not None else {**data, "architecture": AUTO}

    @field_validator("prompts", mode="before")
    @classmethod
    def _no_prompt(cls, word: Any) -> Any:
        return "none" if word == "bos" else word

    @model_validator(mode="after")
    def _together(self) -> LanguageConfig:
        check_together(self)
        return self

    @property
    def loads(self) -> bool:
        """Whether the model comes from files."""
        return self.checkpoint is not None and self.checkpoint.pretrain is None

    @cached_property
    def base(self) -> Base | None:
        """The checkpoint that is loaded, without its weights.

        Raises:
            ValueError: it can't be read; one line says which and why.
        """
        if self.checkpoint is None or not self.loads:
            return None
        from trainables.families.language.checkpoint import describe

        return describe(self.checkpoint.folder())

    @cached_property
    def foundation(self) -> LanguageConfig | None:
        """What a checkpoint that the study makes is fitted by."""
        told = self.checkpoint.pretrain if self.checkpoint else None
        if told is None:
            return None
        own = {
            name: value for name, value in self.canonical().items() if name not in self.start_fields | NOT_PRETRAINED
        }
        given = {
            name: value for name, value in told.canonical().items() if name not in ("rows", "seed", "learning_rate")
        }
        rate = {} if told.learning_rate is None else {"learning_rate": told.learning_rate}
        return self.model_validate(own | given | rate)

    def readable(self) -> Base | None:
        """The checkpoint that is loaded, or None where it can't be read without being fetched."""
        if self.checkpoint is None or not self.loads:
            return None
        from trainables.families.language.checkpoint import describe

        try:
            return describe(self.checkpoint.folder(fetch=False))
        except ValueError:
            return None

    @property
    def tokens(self) -> int:
        """Tokens that the model tells apart."""
        return self.vocabulary if self.base is None else self.base.vocabulary

    @property
    def bos(self) -> int:
        """What a model reads before a row."""
        return BOS if self.base is None else self.base.bos

    @property
    def eos(self) -> int:
        """What ends a document."""
        return EOS if self.base is None else self.base.eos

    @cached_property
    def shape(self) -> Shape:
        """Dimensions after the overriding fields."""
        if self.loads and (held := self.readable()) is not None:
            return held.shape
        named = shape(self.size, self.architecture)
        width = self.width or named.width
        inner = named.intermediate if width == named.width else feed_forward(self.architecture, width)
        return Shape(
            width=width,
            layers=self.layers or named.layers,
            heads=self.heads or named.heads,
            intermediate=self.intermediate or inner,
            tied=named.tied,
            positions=named.positions,
        )

    @property
    def reference(self) -> LanguageConfig:
        """The model that judges rows."""
        if self.reference_size is None:
            return self
        named = dict.fromkeys(("width", "layers", "heads", "intermediate"))
        return self.model_validate(self.canonical() | named | {"size": self.reference_size})

    @property
    def adapts(self) -> bool:
        return self.lora is not None

    @property
    def prompted(self) -> bool:
        return self.prompts in ("first_token", "prefix", "source")

    def updates(self, rows: int) -> int:
        """Updates of a fit on `rows` rows."""
        return self.steps or updates(self.epochs, rows, self.batch)

    def side_by_side(self, device: str) -> int:
        """Rows that are sampled together on a type of device."""
        return footprint.side_by_side(self, device)

    @classmethod
    def tiny(cls) -> tuple[LanguageConfig, int]:
        fields = {"width": 16, "layers": 1, "heads": 2, "context": 24, "vocabulary": 300, "epochs": 2}
        return cls.model_validate(fields | {"test_rows": 32, "sample_rows": 8, "batch": 8}), 32

    @property
    def init_std(self) -> float:
        """Standard deviation of initial weights."""
        return self.initializer_range or math.sqrt(2 / (5 * self.shape.width))

    @property
    def positions(self) -> int:
        """Length of the position table."""
        return self.shape.positions or self.context

    @cached_property
    def parameters(self) -> int:
        """Parameters of the model; without torch for plain GPT-2 and Llama."""
        if self.loads and self.readable() is None:
            return (self.checkpoint.parameters if self.checkpoint else None) or 0
        plain = not (self.overrides or self.loads)
        count = None if not plain else parameters(self.architecture, self.shape, self.vocabulary, self.positions)
        if count is None:
            from trainables.families.language.model import count_parameters

            count = count_parameters(self)
        return count

    def fit_identity(self) -> dict[str, Any]:
        """Before 4, GPT-2 and its relatives had four widths inside a block whatever `intermediate` said."""
        named = self.architecture in INNER and not self.loads
        mended = named and self.shape.intermediate != 4 * self.shape.width
        return super().fit_identity() | ({"version": 4} if mended else {})

    def fitted_on(self, rows: int) -> dict[str, Any]:
        return {} if self.steps else recounted(self.epochs, rows, self.batch)

    def judged_on(self, rows: int) -> dict[str, Any]:
        return self.fitted_on(rows)

    def sampling_identity(self) -> dict[str, Any]:
        return super().sampling_identity() | self._generic()

    def evaluation_identity(self) -> dict[str, Any]:
        return super().evaluation_identity() | self._generic()

    def _generic(self) -> dict[str, int]:
        """How architectures without a decoder of their own are decoded: before 2, by a cache that might be wrong."""
        return {} if self.architecture in LEAN and not self.overrides else {"decoder": 2}

    def declared_data(self) -> dict[str, Any]:
        found = super().declared_data()
        return found if self.checkpoint is None else found | {"checkpoint": self.checkpoint.canonical()}

    def data_identity(self) -> dict[str, Any]:
        found = super().declared_data() | {"source": self.source.identity()}
        if self.base is not None:
            return found | {"tokenizer": self.base.tokenizer_digest}
        return found if self.foundation is None else found | {"tokenizer": self.foundation.data_identity()}

    def checkpoint_key(self) -> str | None:
        if self.checkpoint is None:
            return None
        if self.foundation is not None and (told := self.checkpoint.pretrain) is not None:
            fit = self.foundation.fit_identity() | self.foundation.fitted_on(told.rows)
            made = {"data": self.foundation.data_identity(), "fit": fit}
            return make_key("checkpoint", kind=self.kind, rows=told.rows, seed=told.seed, **made)
        held = self.readable()
        # what can't be read names no artifact: its data can't either, and a run is refused for that
        found = {"content": held.digest} if held else {"unread": self.checkpoint.canonical()}
        return make_key("checkpoint", kind=self.kind, overrides=self.overrides, **found)

    def pretraining(self) -> tuple[int, Cost] | None:
        if self.foundation is None or self.checkpoint is None or self.checkpoint.pretrain is None:
            return None
        rows = self.checkpoint.pretrain.rows
        return rows, self.foundation.cost(rows)

    def judge_identity(self) -> dict[str, Any]:
        pretrained = self.checkpoint_key()
        return super().judge_identity() | ({} if pretrained is None else {"checkpoint": pretrained})

    def undefined(
        self, metrics: Mapping[str, float], replicates: Mapping[str, np.ndarray], members: int = 1
    ) -> frozenset[str]:
        """Of rows that are all shorter than four tokens `repetition` was 1, which no others reach, and a mean of shares
        with it is that share of it at least; of one row alone `self_bleu` was 0."""
        repeats = np.append(replicates.get("repetition", ()), metrics.get("repetition", 0.0))
        found = {"repetition": (repeats * members >= 1.0 - 1e-9).any(), "self_bleu": self.sample_rows == 1}
        return frozenset(name for name, none in found.items() if none)

    def check(self, rows: int, replicates: int) -> None:
        super().check(rows, replicates)
        check_fits(self, replicates)

    def size_label(self) -> str:
        return f"{self.parameters / 1e6:.3g}M"

    @property
    def title(self) -> str:
        held = self.readable() if self.architecture == AUTO else None
        if held is not None:
            return f"{held.model_type} {self.size_label()}"
        return super().title if self.architecture != AUTO or self.checkpoint is None else self.checkpoint.place

    def check_validation(self) -> None:
        from trainables.families.language.data import prepare

        if prepare(self).validation.rows < 1:
            raise ValueError(
                f"family.validation: {self.validation} leaves no validation row of {self.source.kind}; tuning needs "
                "some, as in validation: 0.1"
            )

    def available_rows(self) -> int:
        from trainables.families.language.data import prepare

        return prepare(self).train.rows

    def cost(self, rows: int) -> Cost:
        return footprint.cost(self, rows)

    def shown_bytes(self) -> Sequence[float]:
        return (footprint.TOKEN * footprint.SHOWN * self.context,)

    @cached_property
    def fitted_parameters(self) -> int | None:
        """Parameters that a fit changes and the store keeps; None where these are all, or can't be told yet."""
        if self.lora is None or (self.loads and self.readable() is None):
            return None
        from trainables.families.language.adapters import adapter_parameters

        return adapter_parameters(self)

    def device_bytes(self, rows: int) -> float:
        return super().device_bytes(rows) - footprint.without_moments(self)

    def working_bytes(self, rows: int) -> float:
        return footprint.working_bytes(self, rows)

    def build(self, world: World) -> Family:
        from trainables.families.language.family import Language
        from trainables.families.language.replicates import Languages

        return Language(self, world) if world.replicates == 1 else Languages(self, world)

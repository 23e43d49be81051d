"""Where a language model starts, beside random weights: a checkpoint of others, or one that the study makes itself; and
what of it a fit changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from trainables.config import Config
from trainables.families.starts import Checkpoint
from trainables.sources.text import TEXTS, Pydoc, TextSource

if TYPE_CHECKING:
    AnyText = TextSource
else:
    AnyText = TEXTS.union()


class Pretraining(Config):
    """A checkpoint that the study makes itself: the family's model and tokenizer, fitted from scratch on a text.

    Attributes:
        source: the text; its held-out documents stay held out here too.
        rows: of it that are fitted on.
        epochs: passes over them; `steps` fixes the number of updates instead.
        learning_rate: peak; None takes the family's.
        seed: of order and initial weights. It is not the cell's: recursions of all seeds start at one checkpoint.
    """

    source: AnyText = Pydoc()
    rows: int = Field(default=1000, ge=1)
    epochs: float = Field(default=4.0, gt=0)
    steps: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)


class LanguageCheckpoint(Checkpoint):
    """A pretrained causal model and its tokenizer: a local folder or a hub repository as transformers write them, or
    one that the study pretrains.

    Attributes:
        pretrain: in place of `path` and `repository`.
        parameters: of a repository's model, so that studies are planned where it can't be read.
    """

    pretrain: Pretraining | None = None
    parameters: int | None = Field(default=None, ge=1)

    def _check_places(self) -> None:
        if self.pretrain is None:
            super()._check_places()
        elif self.path or self.repository:
            raise ValueError("pretrain: give one of `path`, `repository` and `pretrain`")


class Lora(Config):
    """Low-rank adapters in place of a full fit (LoRA, Hu et al. 2021, arXiv 2106.09685): W + (alpha / rank) · B A, of
    which A and B alone are fitted and stored.

    Attributes:
        rank: rows of A, and columns of B.
        alpha: their product is multiplied by alpha / rank.
        targets: last parts of the names of linear layers, as in [q_proj, v_proj]; None (or `all-linear`) is every one
            but the layer that gives logits.
        dropout: share of a layer's inputs that its adapters do not see while they are fitted.
    """

    rank: int = Field(default=8, ge=1)
    alpha: float = Field(default=16.0, gt=0)
    targets: tuple[str, ...] | None = Field(default=None, min_length=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("targets", mode="before")
    @classmethod
    def _all_linear(cls, word: Any) -> Any:
        return None if word == "all-linear" else word

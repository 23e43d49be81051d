"""Where a language model starts, beside random weights: a checkpoint of others, or one that the study makes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

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

"""From documents to token rows: split by content, train the tokenizer on the training split, pack.

No held-out document takes part in training anything, the tokenizer included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trainables.config import canonical_json
from trainables.families.language.config import SPECIAL, LanguageConfig
from trainables.families.language.rows import Rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BOS, EOS = 0, 1
NAMES = ("<|bos|>", "<|eos|>")


@dataclass(frozen=True)
class Splits:
    """Documents by split, and how many were left out and why."""

    train: list[str] = field(default_factory=list)
    validation: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=lambda: {"empty": 0, "repeated": 0})


@dataclass(frozen=True)
class Text:
    """A source made ready: its tokenizer, and rows of each split."""

    tokenizer: Tokenizer
    train: Rows
    validation: Rows
    test: Rows
    skipped: dict[str, int]


def split(documents: Iterable[str], validation: float, test: float) -> Splits:
    """Documents by the hash of their content; empty and repeated ones are left out and counted.

    A repetition can't be in two splits, and a document stays in its split when others are added.
    """
    splits, seen = Splits(), set()
    for document in documents:
        if not document.strip():
            splits.skipped["empty"] += 1
            continue
        mark = hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest()[:16]
        if mark in seen:
            splits.skipped["repeated"] += 1
            continue
        seen.add(mark)
        place = int.from_bytes(mark[:8], "big") / 2**64
        if place < test:
            splits.test.append(document)
        elif place < test + validation:
            splits.validation.append(document)
        else:
            splits.train.append(document)
    return splits


def train_tokenizer(documents: Iterable[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE of at most `vocabulary` tokens, specials included."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(NAMES[:SPECIAL]),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: list[str], config: LanguageConfig) -> Rows:
    """Rows of a split, as the config wants them."""
    kind = np.uint16 if config.vocabulary <= 2**16 else np.int32
    plain = [np.array([*e.ids, EOS], dtype=kind) for e in tokenizer.encode_batch(documents, add_special_tokens=False)]
    if config.sequences == "fixed_length":
        return Rows.fixed(np.concatenate(plain) if plain else np.zeros(0, kind), config.context)
    cut = [ids[: config.context] for ids in plain]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in cut], dtype=np.int64)])
    return Rows(np.concatenate(cut) if cut else np.zeros(0, kind), starts)


def prepare(config: LanguageConfig) -> Text:
    """The config's text, made ready once per process.

    Raises:
        ValueError: the text can't be read, or holds out no whole test row.
    """
    return _prepared(canonical_json(config.data_identity()), _Hidden(config))


class _Hidden:
    """Carries a config through a cache without being part of its key."""

    def __init__(self, config: LanguageConfig) -> None:
        self.config = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)
def _prepared(identity: str, hidden: _Hidden) -> Text:
    config = hidden.config
    splits = split(config.source.documents(), config.validation, config.test)
    tokenizer = train_tokenizer(splits.train, config.vocabulary)
    train, validation, test = (
        encode(tokenizer, documents, config) for documents in (splits.train, splits.validation, splits.test)
    )
    if not test.rows:
        raise ValueError(f"source: {config.source.kind} holds out no test row of {config.context} tokens")
    return Text(tokenizer, train, validation, test, splits.skipped)

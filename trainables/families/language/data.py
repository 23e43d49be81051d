"""From documents to token rows: split by content, train the tokenizer on the training split, pack.

No held-out document takes part in training anything, the tokenizer included.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from trainables.config import canonical_json
from trainables.families.language.config import SPECIAL, LanguageConfig
from trainables.families.language.metrics import each
from trainables.families.language.token_rows import Rows
from trainables.sources.text import Pair

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAMES = ("<|bos|>", "<|eos|>")

ENCODED = 4096
"""Documents encoded at a time."""


@dataclass
class Splits:
    """Documents by split, and how many were left out and why."""

    train: list[str] = field(default_factory=list)
    validation: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    empty: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Text:
    """A source made ready.

    Attributes:
        tokenizer: trained on the training documents alone, or a checkpoint's.
        train, validation, test: rows of each split.
        skipped: documents left out (`empty`, `repeated`), rows cut short (`truncated`), pairs whose prompt leaves no
            room for a response (`crowded`), and, where there are any, held-out rows that equal a training row, as
            documents that begin alike do once they are cut (`seen`).
    """

    tokenizer: Tokenizer
    train: Rows
    validation: Rows
    test: Rows
    skipped: dict[str, int]


def split(parts: Mapping[str, Iterable[str]], validation: float, test: float) -> Splits:
    """Documents by split: the source's own where it has one, else by the hash of their content.

    Empty and repeated documents are left out and counted. Held-out parts come first, so that no training
    document equals a held-out one, and a document stays in its split when others are added.
    """
    found, seen = Splits(), set()
    shares = (0.0 if "test" in parts else test, 0.0 if "validation" in parts else validation)
    for part in sorted(parts, key=lambda name: name not in ("test", "validation")):
        for document in parts[part]:
            mark = hashlib.sha256(document.encode("utf-8", "surrogatepass")).digest()[:16]
            if not document.strip():
                found.empty += 1
            elif mark in seen:
                found.repeated += 1
            else:
                seen.add(mark)
                name = part if part in ("test", "validation") else _by_hash(mark, *shares)
                getattr(found, name).append(document)
    return found


def _by_hash(mark: bytes, test: float, validation: float) -> str:
    place = int.from_bytes(mark[:8], "big") / 2**64
    return "test" if place < test else "validation" if place < test + validation else "train"


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


def _tokenizer(config: LanguageConfig, documents: list[str]) -> Tokenizer:
    """The checkpoint's own, or one trained on the training documents."""
    if config.base is not None:
        return config.base.tokenizer()
    if config.foundation is not None:
        return prepare(config.foundation).tokenizer
    return train_tokenizer(documents, config.vocabulary)


def encode(tokenizer: Tokenizer, documents: list[str], config: LanguageConfig) -> tuple[Rows, int, int]:
    """Rows of a split, as the config wants them, how many documents did not fit in theirs, and how many pairs are left
    out because the prompt alone does not."""
    kind = np.uint16 if config.tokens <= 2**16 else np.int32
    pieces: list[np.ndarray] = []
    prompts: list[int] = []
    for start in range(0, len(documents), ENCODED):
        held = documents[start : start + ENCODED]
        given = _ids(tokenizer, [document.prompt if isinstance(document, Pair) else "" for document in held])
        said = _ids(tokenizer, [document.response if isinstance(document, Pair) else document for document in held])
        fits = [pair for pair in zip(given, said, strict=True) if len(pair[0]) < config.context]
        pieces += [np.array([*first, *second, config.eos], dtype=kind) for first, second in fits]
        prompts += [len(first) for first, _ in fits]
    whole = config.sequences == "fixed_length"
    cut = pieces if whole else [ids[: config.context] for ids in pieces]
    tokens = np.concatenate([np.zeros(0, kind), *cut])
    if whole:
        return Rows.fixed(tokens, config.context), 0, 0
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in cut], dtype=np.int64)])
    paired = np.array(prompts, dtype=np.int32) if config.source.paired else None
    cut_short = sum(len(ids) > config.context for ids in pieces)
    return Rows(tokens, starts, prompts=paired), cut_short, len(documents) - len(pieces)


def _ids(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [found.ids for found in tokenizer.encode_batch(texts, add_special_tokens=False)]


def prepare(config: LanguageConfig) -> Text:
    """The config's text, made ready once per process.

    Raises:
        ValueError: the text can't be read, or is too short to train on and hold rows out.
    """
    return _prepared(canonical_json(config.data_identity()), _Unhashed(config))


def _seen(train: Rows, held_out: Iterable[Rows]) -> int:
    """Held-out rows that equal a training row."""
    held = Counter(row.tobytes() for part in held_out for row in each(part))
    return sum(held[mark] for mark in {row.tobytes() for row in each(train)} & held.keys())


@dataclass(frozen=True)
class _Unhashed:
    """Carries a config through a cache whose key is the identity of its data alone."""

    config: LanguageConfig = field(compare=False)


@lru_cache(maxsize=4)
def _prepared(identity: str, carried: _Unhashed) -> Text:
    config = carried.config
    splits = split(config.source.read(), config.validation, config.test)
    if not splits.train:
        raise ValueError(f"source: {config.source.kind} gives no training document ({splits.empty} were empty)")
    tokenizer = _tokenizer(config, splits.train)
    train, cut, crowded = encode(tokenizer, splits.train, config)
    validation, *_ = encode(tokenizer, splits.validation, config)
    test, *_ = encode(tokenizer, splits.test, config)
    if min(train.rows, test.rows) < 1:
        raise ValueError(
            f"source: {config.source.kind} gives {train.rows} training rows and {test.rows} test rows of "
            f"{config.context} tokens; at least one of each is needed"
            + (f" ({crowded} prompts fill a row alone; take a longer context)" if crowded else "")
        )
    skipped = {"empty": splits.empty, "repeated": splits.repeated, "truncated": cut}
    skipped |= {"crowded": crowded} if config.source.paired else {}
    if seen := _seen(train, (validation, test)) if cut else 0:
        skipped["seen"] = seen
        logging.getLogger(__name__).warning(
            "%s: %d of %d held-out documents equal a training document once cut to %d tokens; a longer context tells "
            "them apart",
            *(config.source.kind, seen, validation.rows + test.rows, config.context),
        )
    if splits.empty or splits.repeated:
        logging.getLogger(__name__).warning(
            "%s: %d empty and %d repeated documents are left out", config.source.kind, splits.empty, splits.repeated
        )
    return Text(tokenizer, train, validation, test, skipped)

"""Who scores rows: a model fitted on real rows, model 1, or a detector of synthetic text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainables.families.language.evaluate import counts, row_losses
from trainables.families.language.token_rows import Rows, join
from trainables.lineage import Stream
from trainables.store import Payload

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

PAIRS = 4096
"""Buckets of hashed token pairs."""

SURE = 1e-6
"""A detector's probabilities stay this far from 0 and 1."""


def detector(config: LanguageConfig, real: Rows, synthetic: Rows, stream: Stream) -> Payload:
    """A logistic regression on token and token pair counts: real (1) against synthetic (0) rows."""
    from sklearn.linear_model import LogisticRegression

    labels = np.repeat([1, 0], [real.rows, synthetic.rows])
    counts = features(config, join([real, synthetic]))
    scale = counts.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=1e-3, max_iter=1000).fit(counts / scale, labels)
    return Payload(tensors={"weights": fitted.coef_[0] / scale, "intercept": fitted.intercept_})


def features(config: LanguageConfig, rows: Rows) -> np.ndarray:
    """Log counts of tokens and of hashed pairs of neighbours, [rows, V + PAIRS]."""
    owner = np.repeat(np.arange(rows.rows), rows.lengths)
    counts = np.zeros((rows.rows, config.tokens + PAIRS), dtype=np.float32)
    tokens = rows.tokens.astype(np.uint64)
    np.add.at(counts, (owner, tokens.astype(np.int64)), 1)
    inside = owner[1:] == owner[:-1]
    pairs = (tokens[:-1] * np.uint64(config.tokens) + tokens[1:]) * np.uint64(0x9E3779B97F4A7C15)
    bucket = (pairs >> np.uint64(64 - PAIRS.bit_length() + 1)).astype(np.int64)
    np.add.at(counts, (owner[1:][inside], config.tokens + bucket[inside]), 1)
    logs: np.ndarray = np.log1p(counts)
    return logs


def realness(config: LanguageConfig, judge: Payload, rows: Rows) -> np.ndarray:
    """Probabilities of being real that a detector gives, [rows]."""
    raised = features(config, rows) @ judge.tensors["weights"] + judge.tensors["intercept"]
    chance: np.ndarray = (1 / (1 + np.exp(-raised))).clip(SURE, 1 - SURE)
    return chance


def likelihood(config: LanguageConfig, model: PreTrainedModel, rows: Rows) -> np.ndarray:
    """Mean log-likelihood of a token of each row under a model, in nats, [rows]."""
    found: np.ndarray = -row_losses(config, model, rows) / np.maximum(counts(config, rows), 1)
    return found

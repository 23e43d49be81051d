"""Statistics of sampled rows: diversity, repetition, and what is left of the real distribution's tail.

Rows are sequences of token numbers; nothing here knows of models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from trainables.families.language.token_rows import Rows
from trainables.families.metrics import Metric, disagreement

ORDER = 4
"""Longest n-gram of BLEU and of repetition."""

TAIL = 0.1
"""The tail is the rarest tokens that together have this share of the real training tokens."""

_SAMPLED = "where rows are sampled to be judged"
METRICS = (
    Metric("perplexity", "held-out perplexity", worse=1),
    Metric("uniform_loss", "loss of a model that knows no token", "nats per token", role="uninformed"),
    Metric("perplexity_under_first", "perplexity of samples under model 1", when=_SAMPLED),
    Metric("distinct_1", "distinct tokens", worse=-1, when=_SAMPLED),
    Metric("distinct_2", "distinct bigrams", worse=-1, role="spread", when=_SAMPLED),
    Metric("distinct_3", "distinct trigrams", worse=-1, when=_SAMPLED),
    Metric("entropy", "entropy of tokens", "nats", worse=-1, role="spread", when=_SAMPLED),
    Metric("self_bleu", "self-BLEU of samples", worse=1, when=_SAMPLED),
    Metric("repetition", "share of 4-grams that repeat one of their row", worse=1, when=_SAMPLED),
    Metric("zipf_exponent", "Zipf exponent of tokens", when=_SAMPLED),
    Metric("zipf_excess", "Zipf exponent less that of as many held-out tokens", when=_SAMPLED),
    Metric("tail_coverage", "rare tokens that samples have", worse=-1, role="tail", when=_SAMPLED),
    Metric("tail_mass", "mass of rare tokens", worse=-1, role="tail", when=_SAMPLED),
    Metric("sampled_length", "length of samples", "tokens", when=_SAMPLED),
    disagreement("squared difference of two models' losses", "nats² per token²"),
)
"""What records hold beside the loss, in the order of tables. Of the tail, coverage comes before mass: under drift its
mean mass stays what it was (a martingale) while the tail disappears."""


def each(rows: Rows) -> list[np.ndarray]:
    """The rows one by one."""
    return [rows.tokens[a:b] for a, b in zip(rows.starts[:-1], rows.starts[1:], strict=True)]


def grams(row: np.ndarray, n: int) -> list[tuple[int, ...]]:
    """The row's n-grams in order."""
    values = row.tolist()
    return list(zip(*(values[start:] for start in range(n)), strict=False))


def distinct(rows: Sequence[np.ndarray], n: int) -> float:
    """Distinct n-grams over all n-grams of the rows; 0 where there is none, as over tokens, by which Li et al. 2016
    (arXiv 1510.03055) divide."""
    found = [gram for row in rows for gram in grams(row, n)]
    return len(set(found)) / max(len(found), 1)


def repetition(rows: Sequence[np.ndarray], n: int = ORDER) -> float:
    """Share of n-grams that repeat an earlier one of their own row (seq-rep-n of Welleck et al. 2020); NaN where no row
    has any."""
    total = sum(len(grams(row, n)) for row in rows)
    different = sum(len(set(grams(row, n))) for row in rows)
    return 1.0 - different / total if total else float("nan")


def self_bleu(rows: Sequence[np.ndarray]) -> float:
    """Mean BLEU-4 of each row against all others (Zhu et al. 2018, arXiv 1802.01886); 1 is one text repeated.

    Modified precisions with one added to both counts of n > 1 (Lin and Och 2004), brevity against the
    reference of nearest length, of two as near against the shorter (as sacrebleu and NLTK do). NaN of one row alone.
    """
    if len(rows) < 2:
        return float("nan")
    logs = np.zeros(len(rows))
    for n in range(1, ORDER + 1):
        add = 0 if n == 1 else 1
        counts = [Counter(grams(row, n)) for row in rows]
        first, second, owner = _two_largest(counts)
        for i, own in enumerate(counts):
            allowed = {gram: second[gram] if owner[gram] == i else first[gram] for gram in own}
            hits = sum(min(count, allowed[gram]) for gram, count in own.items())
            with np.errstate(divide="ignore"):
                logs[i] += np.log((hits + add) / max(sum(own.values()) + add, 1)) / ORDER
    return float(np.mean(np.exp(logs) * _brevity(np.array([len(row) for row in rows]))))


def _two_largest(
    counts: Sequence[Counter[tuple[int, ...]]],
) -> tuple[Counter[tuple[int, ...]], Counter[tuple[int, ...]], dict[tuple[int, ...], int]]:
    """Of each n-gram: the largest count in any row, the largest in another row, and which row has the first."""
    first: Counter[tuple[int, ...]] = Counter()
    second: Counter[tuple[int, ...]] = Counter()
    owner: dict[tuple[int, ...], int] = {}
    for i, own in enumerate(counts):
        for gram, count in own.items():
            if count > first[gram]:
                first[gram], second[gram], owner[gram] = count, first[gram], i
            elif count > second[gram]:
                second[gram] = count
    return first, second, owner


def _brevity(lengths: np.ndarray) -> np.ndarray:
    """BLEU's penalty of rows shorter than the nearest other row, [rows]."""
    gaps = np.abs(lengths[:, None] - lengths[None, :]).astype(float)
    np.fill_diagonal(gaps, np.inf)
    nearest = np.where(gaps == gaps.min(axis=1, keepdims=True), lengths, lengths.max()).min(axis=1)
    penalty: np.ndarray = np.exp(np.minimum(0.0, 1.0 - nearest / np.maximum(lengths, 1)))
    return penalty


def zipf_exponent(counts: np.ndarray) -> float:
    """Minus the slope of log frequency on log rank, by least squares over the tokens seen at least twice."""
    ordered = np.sort(counts[counts >= 2])[::-1]
    if len(ordered) < 3:
        return float("nan")
    return float(-np.polyfit(np.log(np.arange(1, len(ordered) + 1)), np.log(ordered), 1)[0])


def zipf_excess(sampled: Rows, real: Rows, rng: np.random.Generator) -> float:
    """Zipf exponent of sampled rows less that of real ones, of equally many tokens.

    The exponent depends on how many tokens are counted: `documents` vary in length, so that generations are compared by
    this. The longer side is shortened to rows at random, the last of them cut.
    """
    size = min(len(sampled.tokens), len(real.tokens))
    drawn, held = (zipf_exponent(np.bincount(_shortened(rows, size, rng))) for rows in (sampled, real))
    return drawn - held


def _shortened(rows: Rows, tokens: int, rng: np.random.Generator) -> np.ndarray:
    """So many tokens of rows in random order."""
    return rows.tokens if len(rows.tokens) == tokens else rows.take(rng.permutation(rows.rows)).tokens[:tokens]


def entropy(counts: np.ndarray) -> float:
    """Of the token frequencies, in nats."""
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def tail(counts: np.ndarray) -> np.ndarray:
    """Which tokens are in the tail of a distribution given by counts, [V]; unseen tokens are not."""
    order = np.argsort(counts, kind="stable")
    rare = np.cumsum(counts[order]) <= TAIL * counts.sum()
    member = np.zeros(len(counts), dtype=bool)
    member[order[rare]] = True
    return member & (counts > 0)


def statistics(sampled: Rows, real: Rows, tail_tokens: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
    """All figures of a sample.

    Args:
        sampled: from a model.
        real: held-out rows, at least about as many, to set the tail's coverage in proportion.
        tail_tokens: as `tail` finds them among the real training tokens, [V].
        rng: shortens what is longer, where figures are compared at equal tokens.
    """
    vocabulary, rows = len(tail_tokens), each(sampled)
    counts = np.bincount(sampled.tokens, minlength=vocabulary)
    as_many = np.bincount(real.tokens[: len(sampled.tokens)], minlength=vocabulary)
    expected = max(int((as_many[tail_tokens] > 0).sum()), 1)
    return {
        **{f"distinct_{n}": distinct(rows, n) for n in range(1, ORDER)},
        "self_bleu": self_bleu(rows),
        "repetition": repetition(rows),
        "zipf_exponent": zipf_exponent(counts),
        "zipf_excess": zipf_excess(sampled, real, rng),
        "entropy": entropy(counts),
        "tail_mass": float(counts[tail_tokens].sum() / max(counts.sum(), 1)),
        "tail_coverage": float((counts[tail_tokens] > 0).sum() / expected),
        "sampled_length": float(sampled.lengths.mean()),
    }

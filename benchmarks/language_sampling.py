"""Language models sampled by the product and by transformers' `generate`, and the least time the machine could take.

The least time is that of the matrix products at the machine's matrix rate and of reading all keys and values before a
place once at its bandwidth, one after the other, as separate calls on one core take them. 256 rows of 128 tokens of a
Llama of 1.24M parameters are 81 GFLOP of products and 10.8 GB of keys and values, half as many where they are kept in
bfloat16: 0.81 s and 0.43 s in single precision at 100 GFLOP/s and 25 GB/s. What keeps the product above it: products of
256 rows at nine tenths of the rate of square ones, memory read in pieces, softmax, gates, rotations and draws.
"""

from __future__ import annotations

import copy
import statistics

import numpy as np

from benchmarks import language_peer as peer
from benchmarks.harness import Ratio, matrix_rate, memory_bandwidth, seconds
from trainables.families.language.config import LanguageConfig
from trainables.families.language.evaluate import row_losses
from trainables.families.language.sampling.sample import sample_rows
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream

ROUNDS = {256: 2, 1024: 1}
"""Rounds by rows that are sampled."""

COMPARED, SHORT = 2048, 16
"""Rows of both models whose distributions are compared, and their length."""

LEAST = 1e-3
"""Smallest p-value at which two samples count as one distribution's."""


def sampling(config: LanguageConfig, model: peer.Model) -> list[Ratio]:
    """Both at batch 256 and 1,024 in two precisions; the peer in its best way, also in single precision if faster."""
    found = []
    short = Rows.fixed(peer.Generation(None, 256)(model, COMPARED, SHORT, 1).ravel(), SHORT)
    for precision in ("float32", "bfloat16"):
        chosen = config.model_copy(update={"sampling_precision": precision})
        likeness = same_distribution(chosen, model, short)
        way, dtype = peer.best_sampling(chosen, 256)
        theirs = copy.deepcopy(model).to(dtype)
        for rows, rounds in ROUNDS.items():
            times = [_round(chosen, model, way, theirs, rows, seed) for seed in range(rounds)]
            ours, other = zip(*times, strict=True)
            name = f"language, {config.architecture} {config.size_label()}: {rows} rows of {config.context}"
            note = f"{likeness}; {_floor(chosen, rows, ours, other)}"
            work, against = f"{name} sampled in {precision}", f"generate in {str(dtype).removeprefix('torch.')}, {way}"
            found.append(Ratio(work, against, 4.0, ours, other, note))
    return found


def _round(
    config: LanguageConfig, model: peer.Model, way: peer.Generation, theirs: peer.Model, rows: int, seed: int
) -> tuple[float, float]:
    """Seconds of the product and of the peer."""
    ours = seconds(lambda: sample_rows(config, model, rows, Stream(f"{seed}")))
    return ours, seconds(lambda: way(theirs, rows, config.context, seed))


def _floor(config: LanguageConfig, rows: int, ours: tuple[float, ...], theirs: tuple[float, ...]) -> str:
    """The machine's least time for what the product computes, and the ratio that this would be."""
    tokens, shape = rows * config.context, config.shape
    head = shape.width * config.vocabulary
    rate = {name: matrix_rate(name) for name in {"float32", config.sampling_precision}}
    products = 2 * tokens * ((config.parameters - head) / rate[config.sampling_precision] + head / rate["float32"])
    places = tokens * (config.context + 1) / 2
    number = 2 if config.sampling_precision == "bfloat16" else 4  # bytes
    reads = places * 2 * number * shape.layers * shape.width / memory_bandwidth()
    least = products + reads
    return (
        f"the machine's floor: {products:.2g} s of products and {reads:.2g} s of keys and values, "
        f"{least / statistics.median(ours):.0%} of the product's time; at the floor the ratio were "
        f"{statistics.median(theirs) / least:.2g}×"
    )


def same_distribution(config: LanguageConfig, model: peer.Model, theirs: Rows) -> str:
    """Tokens by chi-square, whole rows by their log-likelihood (Kolmogorov and Smirnov), both over short rows.

    Tokens of one row depend on each other, so the chi-square is of one token of each row, the last. The peer's rows are
    sampled in single precision whatever the product does, so that a bias of lower precision shows.
    """
    from scipy.stats import chi2_contingency, ks_2samp

    short = config.model_copy(update={"context": SHORT})
    ours = sample_rows(short, model, COMPARED, Stream("compare"))
    last = [np.bincount(r.tokens.reshape(-1, SHORT)[:, -1], minlength=config.vocabulary) for r in (ours, theirs)]
    table = np.stack(last)
    often = table.sum(axis=0) >= 10
    counted = np.column_stack([table[:, often], table[:, ~often].sum(axis=1)])
    tokens = chi2_contingency(counted[:, counted.sum(axis=0) > 0]).pvalue
    whole = ks_2samp(row_losses(short, model, ours), row_losses(short, model, theirs)).pvalue
    verdict = "one distribution" if min(tokens, whole) > LEAST else "DISTRIBUTIONS DIFFER"
    return f"{verdict}: p = {tokens:.2g} (chi-square, next tokens), {whole:.2g} (two samples of sequences)"

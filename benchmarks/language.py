"""Language: one generation, the fit alone and sampling alone, beside transformers' `Trainer` and `generate`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks import language_peer as peer
from benchmarks.harness import Ratio, matrix_rate, native_bfloat16, seconds
from benchmarks.language_sampling import sampling
from trainables.families.language.config import LanguageConfig
from trainables.families.language.data import prepare
from trainables.families.language.evaluate import cross_entropy
from trainables.families.language.fit import fit
from trainables.families.language.sampling.sample import sample_rows
from trainables.families.language.token_rows import Rows, RowsView
from trainables.lineage import Stream

ROWS, BATCH, TEST = 256, 16, 64
ROUNDS = 2


def claims() -> list[Ratio]:
    """End to end for two architectures, sampling at two batch sizes, and fits at two sizes."""
    found: list[Ratio] = []
    for architecture in ("llama", "gpt2"):
        config = base(architecture)
        found += generations(config, "bfloat16", ((ROWS, 1.0), (ROWS // 2, 4.0)))
        if architecture == "llama":
            found += generations(config, "float32", ((ROWS // 2, 1.0),))
        found += sampling(config, fit(shaped(config), RowsView((rows(config)[0],)), Stream("fit")))
    return [*found, *fits()]


def shaped(config: LanguageConfig) -> LanguageConfig:
    """Fitted enough for its distribution to have a shape."""
    return config.model_copy(update={"epochs": 1.0, "precision": "bfloat16"})


def base(architecture: str, size: str = "1M") -> LanguageConfig:
    """The model that claims are made of, at a learning rate that fits both sides."""
    return LanguageConfig(
        architecture=architecture, size=size, vocabulary=2048, context=128, batch=BATCH, learning_rate=2e-3
    )


def generations(config: LanguageConfig, precision: str, plans: tuple[tuple[int, float], ...]) -> Iterator[Ratio]:
    """End to end in one precision, for each number of rows and of epochs."""
    config = config.model_copy(update={"precision": precision, "sampling_precision": precision})
    against = peer.rival(config, rows(config)[0])
    warm(config, rows(config)[0])
    for count, epochs in plans:
        yield generation(config.model_copy(update={"epochs": epochs}), count, against)


def generation(config: LanguageConfig, count: int, against: peer.Rival) -> Ratio:
    """Fit on `count` rows, held-out loss, and as many sampled rows."""
    train, test = rows(config)
    train = train.take(np.arange(count))
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    parts: list[list[float]] = []

    def product(seed: int) -> float:
        started = time.perf_counter()
        model = fit(config, RowsView((train,)), Stream(f"fit {seed}"))
        fitted = time.perf_counter()
        loss = cross_entropy(config, model, test)
        judged = time.perf_counter()
        sample_rows(config, model, train.rows, Stream(f"sample {seed}"))
        parts.append([fitted - started, judged - fitted, time.perf_counter() - judged])
        return loss

    for seed in range(ROUNDS):
        ours.append(_timed(product, seed))
        theirs.append(_timed(lambda s: against.generation(config, train, test, s), seed))
    shares = " ".join(f"{share:.0%}" for share in np.sum(parts, axis=0) / np.sum(parts))
    note = f"{_gap(ours, theirs)}; product's time {shares} to fit, judge, sample; peer's: {against.way}"
    work = f"{_name(config)}: one generation, {count} rows of {config.context}, {config.epochs:g} epochs"
    times = tuple(t for t, _ in ours), tuple(t for t, _ in theirs)
    target = 2.0 if config.epochs == 1 else 1.5
    return Ratio(f"{work}, {config.precision}", str(against), target, *times, note)


def _gap(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> str:
    """Held-out losses beside the spread over seeds."""
    losses = [[loss for _, loss in side] for side in (ours, theirs)]
    gap = statistics.mean(losses[0]) - statistics.mean(losses[1])
    spread = statistics.mean(statistics.variance(side) for side in losses) ** 0.5
    return (
        f"held-out nats per token: product's less peer's {gap:+.3f}, seeds' standard deviation {spread:.3f}, "
        f"{_losses(ours)} against {_losses(theirs)}"
    )


def fits() -> list[Ratio]:
    """Updates alone. The peer's best precision is timed against the product's in the same one and in single."""
    found = []
    for size, precision, updates in (("1M", "bfloat16", 8), ("1M", "float32", 8), ("5M", "bfloat16", 3)):
        config = base("llama", size).model_copy(update={"precision": precision, "steps": updates})
        train, _ = rows(config)
        warm(config, train)
        ours, theirs = [], []
        for seed in range(ROUNDS):
            ours.append(seconds(lambda s=seed, c=config, t=train: fit(c, RowsView((t,)), Stream(f"{s}"))))
            theirs.append(seconds(lambda s=seed, c=config, t=train: peer.fit(c, t, s)))
        floor = _operations(config) / matrix_rate(precision)
        ratio = Ratio(
            f"{_name(config)}: {updates} updates of {BATCH} rows in {precision}",
            f"Trainer, {precision}, fused AdamW",
            1.3,
            tuple(ours),
            tuple(theirs),
            f"{native_bfloat16()}; {floor:.2g} s at the matrix rate",
        )
        found.append(ratio)
        if size == "5M":
            found.append(_utilisation(config, ratio))
    return found


def _utilisation(config: LanguageConfig, fitted: Ratio) -> Ratio:
    """Model FLOPs a second beside half the ceiling."""
    work, top = _operations(config), matrix_rate("bfloat16")
    took = tuple(work / t / 1e9 for t in fitted.ours)
    note = f"{statistics.median(took):.0f} of {top / 1e9:.0f} GFLOP/s; ratio 1 is half of the ceiling"
    at_half = replace(fitted, theirs=(work / (top / 2),) * len(took), peer="half of the bfloat16 matrix rate")
    return replace(at_half, work=f"{_name(config)}: model FLOPs of the fit", target=1.0, note=note)


def warm(config: LanguageConfig, train: Rows) -> None:
    """One unmeasured update of both sides and some rows of ours, which loads and compiles what they need."""
    one = config.model_copy(update={"steps": 1})
    sample_rows(config, fit(one, RowsView((train,)), Stream("warm")), 16, Stream("warm"))
    peer.fit(one, train, 0)


def _operations(config: LanguageConfig) -> float:
    """Of a fit by a number of updates: 6 a parameter and token, and causal attention's (Kaplan et al. 2020)."""
    assert config.steps is not None
    attention = 6 * config.shape.layers * config.shape.width * config.context
    return float((6 * config.parameters + attention) * BATCH * config.context * config.steps)


def rows(config: LanguageConfig) -> tuple[Rows, Rows]:
    """Rows to fit on and held-out rows of the embedded text."""
    text = prepare(config)
    return text.train.take(np.arange(ROWS)), text.test.take(np.arange(min(TEST, text.test.rows)))


def _timed(run: Callable[[int], float], seed: int) -> tuple[float, float]:
    """Seconds, and the loss that the run returns."""
    started = time.perf_counter()
    loss = run(seed)
    return time.perf_counter() - started, loss


def _losses(runs: list[tuple[float, float]]) -> str:
    return " ".join(f"{loss:.3f}" for _, loss in runs)


def _name(config: LanguageConfig) -> str:
    return f"language, {config.architecture} {config.size_label()}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for claim in claims():
        print(claim.row(), flush=True)

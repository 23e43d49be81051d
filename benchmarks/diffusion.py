"""Conformers: one generation (fit and sample) on 2,000 QM9 molecules beside a sparse message-passing loop.

QM9 comes from the npz file that the environment's COLLAPSE_SWEEP_DATA holds, else from the package qm9pack.
PyTorch Geometric is not needed: on a CPU its scatter is torch's `index_add`, which the peer calls itself. Written with
its `Data`, `DataLoader` and `scatter` (2.8), the same loop took 1.01 to 1.1 times as long as the peer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import diffusion_peer as peer
from benchmarks.harness import Ratio, seconds
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.cpu.denoiser import predictor
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.evaluate import loss
from trainables.families.diffusion.fit import create, fit
from trainables.families.diffusion.process import sample
from trainables.lineage import Stream
from trainables.sources.molecules import Chain, Conformers
from trainables.store import MemoryStore

ROWS, TEST = 2000, 200
EPOCHS = 5.0
ROUNDS = 2
PEER_BATCHES = (8, 16, 32, 64)
"""Sizes that the peer's sampler is tried at; its best is timed."""

HALF = 0.5
"""Share of the machine's own rate that is aimed at."""


def claims() -> list[Ratio]:
    """Fit, sample, and both."""
    return measure(ROWS, EPOCHS, ROUNDS)


def measure(rows: int, epochs: float, rounds: int) -> list[Ratio]:
    """Product and peer in turn, `rounds` times, each time with another seed."""
    config = DiffusionConfig.model_validate(
        {"source": _source(rows), "test_molecules": TEST, "epochs": epochs, "sampling_steps": 50}
    )
    data = prepare(config, MemoryStore())
    real = data.train.take(np.arange(rows))
    graphs = peer.dataset(real, config.scale)
    check_same(config, real)
    batch = _best_batch(config, graphs)
    found: dict[str, list[float]] = {}
    for seed in range(rounds):
        for name, value in _round(config, real, data.test, graphs, batch, seed).items():
            found.setdefault(name, []).append(value)
    return [*_ratios(found, rows, epochs, batch), _share(config, found, rows)]


def _round(
    config: DiffusionConfig, real: Conformers, test: Conformers, graphs: list[peer.Graphs], batch: int, seed: int
) -> dict[str, float]:
    """Processor seconds of each part, each sampling from the model it has fitted; and both models' held-out loss.

    All four compute on one thread and wait for nothing, so that other processes of the machine do not count.
    """
    started = time.process_time()
    dense = fit(config, Chain((real,)), np.ones(len(real)), Stream(f"fit {seed}")).eval()
    fitted = time.process_time()
    sparse = peer.fit(config, graphs, seed).eval()
    peer_fitted = time.process_time()
    sample(config, dense, real, Stream(f"sample {seed}"))
    sampled = time.process_time()
    peer.sample(config, sparse, graphs, batch)
    ends = [started, fitted, peer_fitted, sampled, time.process_time()]
    times = dict(zip(("fit", "peer fit", "sample", "peer sample"), np.diff(ends).tolist(), strict=True))
    losses = [loss(config, m, test, Stream("noise"))["test_loss"] for m in (dense, sparse.paste(create(config, 0)))]
    return times | dict(zip(("loss", "peer loss"), losses, strict=True))


def check_same(config: DiffusionConfig, rows: Conformers) -> None:
    """Both models compute one function of one set of parameters; and loops are compiled before they are timed.

    Raises:
        AssertionError: they do not.
    """
    some = rows.take(np.arange(8))
    dense, featured = create(config, 1).eval(), Featured(some, config.scale)
    sparse, graphs = peer.SparseDenoiser(config).copy(dense), peer.collate(peer.dataset(some, config.scale))
    index, t = np.arange(8), torch.arange(8) * 100
    with torch.no_grad():
        padded = featured.graphs(index)
        theirs = sparse(graphs, graphs["x"], t)
        for model in (dense, predictor(dense)):
            ours = model(model.prepare(padded), featured.places(index), t)[padded.mask_BN > 0]
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def _best_batch(config: DiffusionConfig, graphs: list[peer.Graphs]) -> int:
    few = config.model_copy(update={"sampling_steps": 5})
    model = peer.SparseDenoiser(config)
    return min(PEER_BATCHES, key=lambda batch: seconds(lambda: peer.sample(few, model, graphs[:256], batch)))


def _ratios(found: dict[str, list[float]], rows: int, epochs: float, batch: int) -> list[Ratio]:
    def compared(work: str, parts: tuple[str, ...], note: str = "") -> Ratio:
        ours, theirs = (
            tuple(map(sum, zip(*(found[side + part] for part in parts), strict=True))) for side in ("", "peer ")
        )
        peers = "sparse EGNN loop, DataLoader, index_add"
        return Ratio(f"diffusion {work}", peers, 3.0, ours, theirs, note, unit="CPU s")

    losses = " against ".join(" ".join(f"{value:.3f}" for value in found[side]) for side in ("loss", "peer loss"))
    note = f"same function of the same parameters (checked); held-out loss {losses}; the peer's best is {batch} at once"
    what = f"{rows} QM9 conformers"
    return [
        compared(f"generation: {what}, {epochs:g} epochs and 50 sampling steps", ("fit", "sample"), note),
        compared(f"fit alone: {what}, {epochs:g} epochs", ("fit",)),
        compared(f"sampling alone: {what}, 50 steps", ("sample",)),
    ]


def _share(config: DiffusionConfig, found: dict[str, list[float]], rows: int) -> Ratio:
    """Beside half of the rate at which this core does nothing but the model's products and activations.

    Products are the dense layers' at the rate of a large float32 product; activations, two a message, at that of
    `silu` in cache. A fit passes each message forward and back.
    """
    cost, edges = config.cost(rows), config.source.typical_atoms**2 * config.layers
    products = rows * (cost.fit_flops + cost.sample_flops) * _multiplication()
    activations = 2 * config.messages * edges * rows * (config.sampling_steps + 2 * config.epochs) * _silu()
    took = [a + b for a, b in zip(found["fit"], found["sample"], strict=True)]
    floor = products + activations
    return Ratio(
        "diffusion generation: product beside the machine's rate",
        "half of the float32 matrix rate, and of silu's",
        1.0,
        tuple(took),
        (floor / HALF,) * len(took),
        f"{floor / np.median(took):.0%} of the rate: {products:.1f} s of products, {activations:.1f} s of activations",
        unit="CPU s",
    )


def _silu() -> float:
    """Seconds of one activation, from a core's cache."""
    x = torch.randn(2**14)
    return _least(lambda: [torch.nn.functional.silu(x) for _ in range(50)]) / (50 * len(x))


def _multiplication(size: int = 1024) -> float:
    """Seconds of one floating-point operation in a large product."""
    a = torch.randn(size, size)
    return _least(lambda: a @ a) / (2.0 * size**3)


def _least(work: Callable[[], object], rounds: int = 10) -> float:
    """Processor seconds of a call, the clock of the times that they are held against."""

    def once() -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    return min(once() for _ in range(rounds))


def _source(rows: int) -> dict[str, object]:
    folder = os.environ.get("COLLAPSE_SWEEP_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
    path = Path(folder, "molecules", "qm9_20k.npz")
    if path.exists():
        return {"kind": "npz", "path": str(path), "limit": rows + 300}
    return {"kind": "qm9", "limit": rows + 300}

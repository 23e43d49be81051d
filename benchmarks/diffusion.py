"""Conformers: one generation (fit and sample) on 2,000 QM9 molecules beside a sparse message-passing loop.

QM9 comes from the npz file that the environment's COLLAPSE_SWEEP_DATA holds, else from the package qm9pack.
PyTorch Geometric is not needed: on a CPU its scatter is torch's `index_add`, which the peer calls itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks import diffusion_peer as peer
from benchmarks.harness import Ratio, seconds
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.data import prepare
from trainables.families.diffusion.dense import Featured
from trainables.families.diffusion.fit import create, fit
from trainables.families.diffusion.process import sample
from trainables.lineage import Stream
from trainables.sources.molecules_rows import Conformers
from trainables.store import MemoryStore

ROWS = 2000
EPOCHS = 5.0
ROUNDS = 2
PEER_BATCHES = (16, 64, 256)
"""Sizes that the peer's sampler is tried at; its best is timed."""


def claims() -> list[Ratio]:
    """Fit, sample, and both."""
    return measure(ROWS, EPOCHS, ROUNDS)


def measure(rows: int, epochs: float, rounds: int) -> list[Ratio]:
    """Product and peer in turn, `rounds` times."""
    config = DiffusionConfig.model_validate(
        {"source": _source(rows), "test_molecules": 200, "epochs": epochs, "sampling_steps": 50}
    )
    real = prepare(config, MemoryStore()).train.take(np.arange(rows))
    graphs = peer.dataset(real, config.scale)
    check_same(config, real)
    batch = _best_batch(config, graphs)
    times: dict[str, list[float]] = {"fit": [], "peer fit": [], "sample": [], "peer sample": []}
    for _ in range(rounds):
        for name, took in _round(config, real, graphs, batch).items():
            times[name].append(took)
    return _ratios(times, rows, epochs, batch)


def _round(config: DiffusionConfig, real: Conformers, graphs: list[peer.Graphs], batch: int) -> dict[str, float]:
    """Seconds of each part; each samples from the model it has fitted."""
    started = time.perf_counter()
    dense = fit(config, real, np.ones(len(real)), Stream("fit")).eval()
    fitted = time.perf_counter()
    sparse = peer.fit(config, graphs).eval()
    peer_fitted = time.perf_counter()
    sample(config, dense, real, Stream("sample"))
    sampled = time.perf_counter()
    peer.sample(config, sparse, graphs, batch)
    ends = [started, fitted, peer_fitted, sampled, time.perf_counter()]
    return dict(zip(("fit", "peer fit", "sample", "peer sample"), np.diff(ends).tolist(), strict=True))


def check_same(config: DiffusionConfig, rows: Conformers) -> None:
    """Both models compute one function of one set of parameters.

    Raises:
        AssertionError: they do not.
    """
    some = rows.take(np.arange(8))
    dense, featured = create(config, 1).eval(), Featured(some, config.scale)
    sparse, graphs = peer.SparseDenoiser(config).copy(dense), peer.collate(peer.dataset(some, config.scale))
    index, t = np.arange(8), torch.arange(8) * 100
    with torch.no_grad():
        padded = featured.graphs(index)
        ours = dense(dense.prepare(padded), featured.places(index), t)[padded.mask_BN > 0]
        torch.testing.assert_close(ours, sparse(graphs, graphs["x"], t), rtol=1e-3, atol=1e-4)


def _best_batch(config: DiffusionConfig, graphs: list[peer.Graphs]) -> int:
    few = config.model_copy(update={"sampling_steps": 5})
    model = peer.SparseDenoiser(config)
    return min(PEER_BATCHES, key=lambda batch: seconds(lambda: peer.sample(few, model, graphs[:256], batch)))


def _ratios(times: dict[str, list[float]], rows: int, epochs: float, batch: int) -> list[Ratio]:
    def both(one: str, other: str) -> tuple[float, ...]:
        return tuple(a + b for a, b in zip(times[one], times[other], strict=True))

    name = "sparse EGNN loop, DataLoader, index_add"
    note = f"same function of the same parameters (checked); peer samples {batch} at once, its best"
    what = f"{rows} QM9 conformers"
    return [
        Ratio(
            f"diffusion generation: {what}, {epochs:g} epochs and 50 sampling steps",
            name,
            3.0,
            both("fit", "sample"),
            both("peer fit", "peer sample"),
            note,
        ),
        Ratio(
            f"diffusion fit alone: {what}, {epochs:g} epochs", name, 3.0, tuple(times["fit"]), tuple(times["peer fit"])
        ),
        Ratio(
            f"diffusion sampling alone: {what}, 50 steps",
            name,
            3.0,
            tuple(times["sample"]),
            tuple(times["peer sample"]),
        ),
    ]


def _source(rows: int) -> dict[str, object]:
    folder = os.environ.get("COLLAPSE_SWEEP_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
    path = Path(folder, "molecules", "qm9_20k.npz")
    if path.exists():
        return {"kind": "npz", "path": str(path), "limit": rows + 300}
    return {"kind": "qm9", "limit": rows + 300}

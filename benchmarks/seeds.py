"""Eight seeds of a small model side by side, `replicates: 8`, against eight cells one after another.

Both fit, judge and sample one generation; in processor time, on one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.harness import Ratio
from trainables.cell import Cell
from trainables.recursion import Recursion
from trainables.store import MemoryStore

SEEDS = 8
TARGET = 1.5
ROUNDS = 2
DEFAULT: Mapping[str, Any] = {"family": {"kind": "vae"}}
SIXTEEN: Mapping[str, Any] = {"family": {"kind": "vae", "source": {"kind": "digits", "size": 16}, "epochs": 4}}
"""Fewer epochs, for this bench's sake: either side takes them alike."""

LANGUAGE: Mapping[str, Any] = {"family": {"kind": "language"}}
LLAMA: Mapping[str, Any] = {"family": {"kind": "language", "architecture": "llama"}}
MOLECULES: Mapping[str, Any] = {
    "family": {"kind": "diffusion", "source": {"kind": "nci", "limit": 300}, "test_molecules": 30, "epochs": 8},
    "rows": 100,
}
"""Few molecules and epochs, for this bench's sake."""

CELLS = {
    "VAE, the default cell (8×8)": DEFAULT,
    "VAE, 16×16, 4 epochs": SIXTEEN,
    "GPT-2 0.1M, the default language cell": LANGUAGE,
    "Llama 0.1M": LLAMA,
    "conformers, 100 rows, 8 epochs": MOLECULES,
}


def generation(store: MemoryStore, fields: Mapping[str, Any], replicates: int, seed: int) -> float:
    """The held-out loss of generation 1, whose samples are drawn too. What is fitted once a source lies in `store`."""
    whole = {"policy": {"kind": "replace"}, "generations": 2, "replicates": replicates, "seed": seed}
    recursion = Recursion(Cell.model_validate({**fields, **whole}), store)
    loss = recursion.record(1).test_loss
    recursion.batch(recursion.steps.batch(1))
    return loss


def processor_seconds(work: Callable[[], object]) -> float:
    """Of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def claims() -> Iterator[Ratio]:
    """One at a time, some minutes in all. Rounds differ in their seeds, so that nothing is found done."""
    for name, fields in CELLS.items():
        store = MemoryStore()
        generation(store, fields, 2, 10_000)
        generation(store, fields, 1, 10_000)
        ours, theirs = [], []
        for round_ in range(ROUNDS):
            first = SEEDS * round_
            ours.append(processor_seconds(lambda: generation(store, fields, SEEDS, first)))  # noqa: B023
            theirs.append(
                processor_seconds(lambda: [generation(store, fields, 1, first + n) for n in range(SEEDS)])  # noqa: B023
            )
        work = f"a generation of {SEEDS} replicates, {name}"
        yield Ratio(work, f"{SEEDS} cells one after another", TARGET, tuple(ours), tuple(theirs), "processor time")

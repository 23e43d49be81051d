"""A process that runs an accumulating recursion with large batches and prints the memory it took.

Run as `python pool_worker.py FAMILY MEGABYTES FIRST LAST`; prints a JSON object for each of the two generations, once
its record is there, all in MB:
    batch      bytes of one batch in the store
    resident   peak so far of the whole process, libraries and mapped files included (VmHWM)
    private    peak so far of its own memory, mapped files left out (RssAnon, looked at every 10 ms)
Real rows are random, and sampling gives random rows: what is measured is how a pool is held, not the sampler.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trainables import Cell, run
from trainables.families import Evaluation
from trainables.store import Payload, open_store

Make = Callable[[int, np.random.Generator], Payload]


def language(megabytes: int) -> tuple[dict[str, Any], int, Make, Any]:
    """Rows of 128 tokens, two bytes each."""
    from trainables.families.language.family import Language
    from trainables.families.language.token_rows import Rows

    def make(rows: int, rng: np.random.Generator) -> Payload:
        return Rows.fixed(rng.integers(4, 300, rows * 128, dtype=np.uint16), 128).payload(300)

    config = {"kind": "language", "width": 16, "heads": 2, "layers": 1, "vocabulary": 300, "context": 128}
    config |= {"steps": 25, "batch": 64, "sample_rows": 0}
    return config, megabytes * 10**6 // 256, make, Language


def vae(megabytes: int) -> tuple[dict[str, Any], int, Make, Any]:
    """Digits, 64 bytes each."""
    from trainables.families.vae.family import Vae
    from trainables.families.vae.rows import payload
    from trainables.sources.images import Pixels

    def make(rows: int, rng: np.random.Generator) -> Payload:
        return payload(Pixels.of(rng.integers(0, 256, (rows, 8, 8, 1), dtype=np.uint8)))

    return {"kind": "vae", "steps": 50}, megabytes * 10**6 // 64, make, Vae


def diffusion(megabytes: int) -> tuple[dict[str, Any], int, Make, Any]:
    """Chains of 30 carbon atoms, 570 bytes each."""
    from trainables.families.diffusion.family import Diffusion
    from trainables.sources.molecules import Conformers
    from trainables.sources.molecules.rows import offsets

    def make(rows: int, rng: np.random.Generator) -> Payload:
        chain = np.stack([np.arange(29), np.arange(1, 30), np.ones(29)], axis=1).astype(np.int16)
        atoms, edges = (offsets(np.full(rows, count)) for count in (30, 29))
        flat = np.full(rows * 30, 6, np.uint8), np.zeros(rows * 30, np.int8)
        places = rng.standard_normal((rows * 30, 3)).astype(np.float32)
        return Conformers(np.ones(rows, np.int64), atoms, *flat, places, edges, np.tile(chain, (rows, 1))).payload()

    return {"kind": "diffusion", "steps": 10}, megabytes * 10**6 // 570, make, Diffusion


def memory(name: str) -> float:
    """A line of the kernel's account of this process, in MB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1000


def watch(private: list[float]) -> None:
    """Note the highest private memory."""
    while True:
        private[0] = max(private[0], memory("RssAnon"))
        time.sleep(0.01)


def main(kind: str, megabytes: int, first: int, last: int) -> None:
    """Run the recursion."""
    config, rows, make, family = {"language": language, "vae": vae, "diffusion": diffusion}[kind](megabytes)
    family.__init__ = lambda self, config, world: setattr(self, "config", config)
    family.real = lambda self, start, count: make(count, np.random.default_rng(0))
    family.sample = lambda self, model, count, stream, bias=1.0: make(count, stream.numpy())
    family.evaluate = lambda self, model, stream: Evaluation(0.0)
    family.compare = lambda self, model, first, stream: {}
    base = {"family": config, "policy": {"kind": "accumulate"}, "rows": rows, "generations": last}
    cell = Cell.model_validate(base)
    with tempfile.TemporaryDirectory() as folder:
        sys.modules["trainables.recursion.loop"].check_data = lambda cell: None  # type: ignore[attr-defined]
        private = [0.0]
        threading.Thread(target=watch, args=(private,), daemon=True).start()
        store = open_store(folder)
        for record in run(cell, folder):
            if record.generation in (first, last):
                batch = next(iter(store.walk("batch"))).size / 1e6
                print(json.dumps({"batch": batch, "resident": memory("VmHWM"), "private": private[0]}))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))

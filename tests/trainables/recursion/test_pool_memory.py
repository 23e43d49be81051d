"""Memory stays flat while a pool grows: batches are mapped, not copied."""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainables.runtime import memory_maps
from trainables.store import Payload, open_store

WORKER = Path(__file__).parents[2] / "support" / "pool_worker.py"
MEGABYTES = 16


def run(family: str, *generations: int) -> list[dict[str, float]]:
    """Memory taken up to each of two generations of one recursion."""
    command = [sys.executable, str(WORKER), family, *map(str, (MEGABYTES, *generations))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="this system does not take pages back")
@pytest.mark.parametrize("family", ["language", "vae", "diffusion"])
def test_twenty_generations_of_accumulate_take_little_more_memory_than_two(family: str) -> None:
    short, long = run(family, 2, 20)
    assert long["batch"] > 0.9 * MEGABYTES
    assert long["resident"] <= 1.5 * short["resident"], "20 batches and 2, the libraries included"
    assert long["private"] - short["private"] <= 4 * long["batch"], "of 18 batches more"


def test_pages_that_were_given_back_are_read_again(tmp_path: Path) -> None:
    from datasets import Dataset

    store = open_store(str(tmp_path))
    store.put("batch", "abc", Payload({"rows": 50_000}, table=Dataset.from_dict({"x": np.arange(50_000)})))
    found = store.get("batch", "abc")
    assert found is not None
    assert found.table is not None
    before = found.table.data.column("x").to_numpy().copy()
    memory_maps.give_back()
    assert np.array_equal(found.table.data.column("x").to_numpy(), before)
    assert np.array_equal(before, np.arange(50_000))

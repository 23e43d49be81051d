"""Where the time of one generation goes, family by family, before and after.

`python -m benchmarks.profiles [FAMILY …] [--before COMMIT]` prints a markdown table. A generation is sample, fit,
evaluate and what lies between; the earlier version runs in turn with this one, from a folder that git fills.
It needs nothing of the earlier version but `trainables` as it was then.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
ROUNDS = 2
GENERATIONS = {"language": 2, "vae": 2, "diffusion": 2}
"""Of the networks; closed forms run `MANY`. The first one is not measured."""

MANY = 11
PARTS = ("forward", "backward", "optimiser", "evaluate", "sample", "store", "engine")
"""`forward` is what a fit spends on neither of the next two: batches, forward passes, losses, clipping. `store` is the
time to read and write artifacts; `engine` the rest: recipes, keys, corpora, closed forms."""

TEXT = {"kind": "language", "architecture": "llama", "size": "1M", "vocabulary": 2048, "context": 128, "batch": 16}
CELLS: dict[str, dict[str, Any]] = {
    "language": {"family": TEXT | {"epochs": 1.0, "learning_rate": 2e-3}, "rows": 128},
    "vae": {"family": {"kind": "vae", "epochs": 20.0}, "rows": 490},
    "diffusion": {
        "family": {"kind": "diffusion", "epochs": 10.0, "test_molecules": 40, "judged_molecules": 8},
        "rows": 60,
    },
    "linear": {"family": {"kind": "linear", "dim": 100}, "rows": 1000, "replicates": 100},
    "gaussian": {"family": {"kind": "gaussian", "dim": 10}, "rows": 1000, "replicates": 1000},
    "discrete": {"family": {"kind": "discrete"}, "rows": 10_000, "replicates": 1000},
    "kde": {"family": {"kind": "kde"}, "rows": 200, "replicates": 100},
}


class Watch:
    """Processor seconds by part; of parts within one another the innermost gets them."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._open = ["engine"]
        self._since = time.process_time()

    def turn(self) -> None:
        """Give the time since the last turn to the part that is at work."""
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    @contextmanager
    def within(self, part: str) -> Iterator[None]:
        """A part at work."""
        self.turn()
        self._open.append(part)
        try:
            yield
        finally:
            self.turn()
            self._open.pop()

    def wrap(self, owner: Any, name: str, part: str, outermost: bool = False) -> None:
        """Count every call of a function for a part; where `outermost`, calls from within others are theirs."""
        whole: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            if outermost and self._open[-1] not in ("engine", "store"):
                return whole(*args, **kwargs)
            with self.within(part):
                return whole(*args, **kwargs)

        setattr(owner, name, counted)


def profile(cell: dict[str, Any]) -> dict[str, float]:
    """Processor seconds of a generation by part, a mean over those after the first, on a store on disk."""
    import torch

    from trainables import Cell
    from trainables.recursion import Recursion
    from trainables.store import open_store

    torch.set_num_threads(1)
    generations = GENERATIONS.get(cell["family"]["kind"], MANY)
    asked = Cell.model_validate(cell | {"policy": {"kind": "accumulate"}, "generations": generations})
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        recursion = Recursion(asked, store)
        recursion.record(1)  # data, imports and first calls are not what is measured
        watch = Watch()
        _instrument(watch, recursion.family, store)
        _instrument_torch(watch)
        watch.turn()
        watch.seconds = dict.fromkeys(PARTS, 0.0)
        for generation in range(2, generations + 1):
            recursion.record(generation)
        watch.turn()
    return {part: seconds / (generations - 1) for part, seconds in watch.seconds.items()}


def _instrument(watch: Watch, family: Any, store: Any) -> None:
    """`once` reads, computes and writes: reading is `get`, writing `put`, and what is computed turns elsewhere."""
    for name, part in (("fit", "forward"), ("evaluate", "evaluate"), ("compare", "evaluate"), ("sample", "sample")):
        watch.wrap(family, name, part, outermost=True)
    for name in ("get", "put"):
        watch.wrap(store, name, "store")


def _instrument_torch(watch: Watch) -> None:
    """For the rest of the process."""
    import torch

    watch.wrap(torch.autograd, "backward", "backward")
    for kind in (torch.optim.AdamW, torch.optim.Adam):
        watch.wrap(kind, "step", "optimiser")


def measure(name: str, tree: Path) -> dict[str, float]:
    """The profile of a family as a tree has it, in a process of its own."""
    paths = os.pathsep.join([str(tree), os.environ.get("PYTHONPATH", "")])
    # -P: the folder of this file would hide the package `analysis` behind a module
    command = [sys.executable, "-P", __file__, "--point", name]
    found = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, check=True, capture_output=True, text=True)
    return {part: float(seconds) for part, seconds in json.loads(found.stdout.splitlines()[-1]).items()}


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A folder that holds a commit's files."""
    command = ["git", "-C", str(REPOSITORY), "archive", commit, "trainables", "analysis"]
    packed = subprocess.run(command, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder)


def compare(name: str, trees: list[Path]) -> list[dict[str, float]]:
    """A family's profile in each tree, in turn; of the rounds the fastest counts."""
    found: list[list[dict[str, float]]] = [[] for _ in trees]
    for _ in range(ROUNDS):
        for tree, rounds in zip(trees, found, strict=True):
            rounds.append(measure(name, tree))
    return [min(rounds, key=lambda parts: sum(parts.values())) for rounds in found]


def row(name: str, found: list[dict[str, float]]) -> str:
    """A line of the table: milliseconds, before → now."""
    cells = []
    for part in (*PARTS, "all"):
        values = [sum(p.values()) if part == "all" else p[part] for p in found]
        cells.append(" → ".join(_milliseconds(v) for v in values) if max(values) >= 5e-5 else "–")
    return f"| {name} | {' | '.join(cells)} |"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f}" if seconds >= 0.01 else f"{1000 * seconds:.1f}"


def table(names: list[str], before: str | None) -> Iterator[str]:
    """Lines of markdown, each as soon as it is measured."""
    columns = ("family", *(f"fit: {part}" if part in PARTS[:3] else part for part in PARTS), "all")
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    if before is None:
        for name in names:
            yield row(name, compare(name, [REPOSITORY]))
        return
    with checkout(before) as earlier:
        for name in names:
            yield row(name, compare(name, [earlier, REPOSITORY]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("families", nargs="*", default=list(CELLS), help=f"of {', '.join(CELLS)}")
    parser.add_argument("--before", help="a commit to compare with")
    parser.add_argument("--point", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.point:
        print(json.dumps(profile(CELLS[given.point])))
        return
    for line in table(given.families, given.before):
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""What cells reached, from the store: the tracker is a view that may lag, lack some, or have been changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.data.replicates import parse
from analysis.data.runs import CellRun, Points
from trainables.policies import FRESH
from trainables.recursion import CellFailed, Recursion

if TYPE_CHECKING:
    from trainables.cell import Record
    from trainables.store import Store


def metrics_of(record: Record) -> dict[str, float]:
    """What a generation shows, by metric name."""
    composition = record.composition
    weights = composition.get("weight_by_batch", {})
    return {
        "test_loss": record.test_loss,
        "corpus_rows": float(record.corpus_rows),
        "real_fraction": record.real_fraction,
        **record.metrics,
        "composition.duplicates": float(composition.get("duplicates", 0.0)),
        "composition.rejected": float(sum(composition.get("rejected", {}).values())),
        "composition.real_weight": float(weights.get("0", 0.0) + weights.get(str(FRESH), 0.0)),
        **{f"seconds.{name}": seconds for name, seconds in record.seconds.items()},
    }


def from_store(runs: Sequence[CellRun], points: Points, store: Store) -> Points:
    """The points with the store's values wherever it has the generation; those of others as they are.

    Args:
        runs: cells.
        points: what a tracker has of them.
        store: where their records may be.
    """
    reached: dict[str, set[int]] = defaultdict(set)
    for run, step in zip(points.run, points.step, strict=True):
        reached[run].add(step)
    found, settled = Points(), set()
    for one in runs:
        for step, record in _records(one, max(reached[one.run], default=0), store):
            settled.add((one.run, step))
            for name, value in metrics_of(record).items():
                found.add(one.run, name, step, value)
    for place in range(len(points.run)):
        run, step = points.run[place], points.step[place]
        if (run, step) not in settled:
            found.add(run, points.name[place], step, points.value[place])
    return found


def _records(run: CellRun, generations: int, store: Store) -> list[tuple[int, Record]]:
    """A cell's generations that the store holds; none where its data can't be read here, as without it no key is
    known."""
    try:
        recursion = Recursion(parse(run.config), store)
        held = [(n, recursion.stored(n)) for n in range(1, generations + 1)]
    except (ValueError, CellFailed):
        return []
    return [(n, record) for n, record in held if record is not None]

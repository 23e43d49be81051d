"""What Ray Tune's own bookkeeping costs the driver of many short trials: `python -m benchmarks.scale_tune [CELLS]`.

Real trials of a closed form in two workers; the driver's own processor time is counted, which other programs do not
lengthen. Prints one line for each fifth of the cells, so that growth with their number is seen.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from search_spaces import Block, Grid, Study
from sweep.engine import run_study
from sweep.progress import Progress
from sweep.resources import Machines
from sweep.scheduling import Job
from sweep.workspace import open_workspace

WORKERS = 2
CELLS = 4000


class Meter(Progress):
    """Notes the driver's processor time whenever a cell ends."""

    def __init__(self) -> None:
        super().__init__(WORKERS)
        self.spent: list[float] = []

    def ended(self, job: Job) -> None:
        """A cell has ended."""
        super().ended(job)
        self.spent.append(time.process_time())


def measure(cells: int) -> tuple[list[float], float]:
    """Milliseconds of the driver for a cell, in each fifth of the cells; and the driver's memory at most, in MiB."""
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 1}
    block = Block(cell=cell | {"replicates": 5}, space={"seed": Grid(values=tuple(range(cells)))})
    meter = Meter()
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder), tracking_uri="none")
        study = Study(name="tune", blocks=(block,))
        run_study(study, workspace, meter, machines=Machines(cpus=WORKERS), warn=print)
    fifth = cells // 5
    took = [meter.spent[at + fifth - 1] - meter.spent[at] for at in range(0, 5 * fifth, fifth)]
    return [1000 * each / (fifth - 1) for each in took], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """One measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", type=int, nargs="?", default=CELLS)
    cells = parser.parse_args().cells
    fifths, memory = measure(cells)
    for number, spent in enumerate(fifths):
        print(f"cells {number * cells // 5:,} to {(number + 1) * cells // 5:,}: {spent:.1f} ms of the driver a cell")
    print(f"memory of the driver, at most: {memory:.0f} MiB")


if __name__ == "__main__":
    main()

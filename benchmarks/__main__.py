"""`python -m benchmarks [NAME …]`: run every claim (or those named) and write benchmarks/results.md."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import HEADER, Ratio, ceiling, pin

CLAIMS = (
    "toys",
    "growth",
    "language",
    "vae",
    "seeds",
    "diffusion",
    "store",
    "analysis",
    "overhead",
    "search",
    "scale",
    "sharing",
    "commands",
    "verdicts",
)


def main(names: list[str]) -> None:
    """Each module named has `claims() -> list[Ratio]`; results are written as they come."""
    pin()
    top = ceiling()
    print(top, flush=True)
    rows: list[Ratio] = []
    for name in names or list(CLAIMS):
        for claim in importlib.import_module(f"benchmarks.{name}").claims():
            print(claim.row(), flush=True)
            rows.append(claim)
        if not names:
            Path(__file__).with_name("results.md").write_text(page(top, rows))


def page(top: str, rows: Sequence[Ratio]) -> str:
    """What `make bench` leaves behind."""
    table = "\n".join([HEADER, *(row.row() for row in rows)])
    return f"# Benchmarks\n\n`make bench`, alternating in one run.\n\nCeiling of the machine: {top}.\n\n{table}\n"


if __name__ == "__main__":
    main(sys.argv[1:])

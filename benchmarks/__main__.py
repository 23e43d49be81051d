"""`python -m benchmarks [NAME …]`: run every claim (or those named) and write benchmarks/results.md."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from benchmarks.harness import HEADER, Ratio, ceiling, pin

CLAIMS = (
    "toys",
    "growth",
    "language",
    "vae",
    "diffusion",
    "store",
    "analysis",
    "overhead",
    "search",
    "scale",
    "sharing",
    "commands",
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
        table = "\n".join([HEADER, *(row.row() for row in rows)])
        text = f"# Benchmarks\n\n`make bench`, alternating in one run.\n\nCeiling of the machine: {top}.\n\n{table}\n"
        Path(__file__).with_name("results.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])

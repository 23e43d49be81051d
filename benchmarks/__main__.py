"""`python -m benchmarks [NAME …]`: run every claim (or those named) and write benchmarks/results.md.

`python -m benchmarks gpu [--device cpu]` is by name alone: it needs a card, or says on what to rehearse.
`--help` says what the named ones measure.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import HEADER, Ratio, ceiling, pin
from trainables.runtime import DEVICE

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
    """Each module named has `claims() -> Iterable[Ratio]`; results are written as they come."""
    names = _placed(names)
    if "--help" in names:
        print(told([name for name in names if name != "--help"]), end="")
        return
    if names != ["gpu"]:  # whose host compiles on all cores
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


def told(names: Sequence[str]) -> str:
    """What claims measure, as their modules say; of no names, which there are."""
    if not names:
        return f"{__doc__}\nNames: {', '.join(CLAIMS)}, and gpu.\n"
    return "\n".join(str(importlib.import_module(f"benchmarks.{name}").__doc__) for name in names)


def _placed(names: list[str]) -> list[str]:
    """The names without `--device WORD`, which is obeyed."""
    if "--device" not in names:
        return names
    at = names.index("--device")
    os.environ[DEVICE] = names[at + 1] if at + 1 < len(names) else "cpu"
    return names[:at] + names[at + 2 :]


def page(top: str, rows: Sequence[Ratio]) -> str:
    """What `make bench` leaves behind."""
    table = "\n".join([HEADER, *(row.row() for row in rows)])
    return f"# Benchmarks\n\n`make bench`, alternating in one run.\n\nCeiling of the machine: {top}.\n\n{table}\n"


if __name__ == "__main__":
    main(sys.argv[1:])

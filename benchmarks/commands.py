"""How long the commands take that train nothing, beside their budgets: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Ratio, seconds
from benchmarks.sharing import complete, four_policies

ROUNDS = 5


def claims() -> list[Ratio]:
    """Everything that is claimed of commands."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            _command("`--help`", 0.5, ["--help"], place),
            _command("`plan quickstart`", 3.0, ["plan", "quickstart"], place),
            _finished(place),
        ]


def _finished(place: Path) -> Ratio:
    """`run` of a study that is done: its cells are run in this process, its report is written by a first call."""
    study = place / "study.yaml"
    study.write_text(four_policies(5))
    complete(str(study), place / "collapse-runs" / "store")
    again = ["run", str(study)]
    _call(again, place)
    work = "`run` of a finished study, 4 policies × 3 sizes × 3 seeds × 5 generations"
    return _command(work, 6.0, again, place, _models(place))


def _command(work: str, budget: float, arguments: list[str], place: Path, models: int | None = None) -> Ratio:
    times = tuple(seconds(lambda: _call(arguments, place)) for _ in range(ROUNDS))
    note = "" if models is None else f"{_models(place) - models} models trained, Ray not started"
    return Ratio(work, f"budget of {budget:g} s", 1.0, times, (budget,) * ROUNDS, note)


def _call(arguments: list[str], place: Path) -> None:
    command = [sys.executable, "-m", "sweep", *arguments]
    subprocess.run(command, cwd=place, capture_output=True, check=True)


def _models(place: Path) -> int:
    return sum(1 for _ in (place / "collapse-runs" / "store" / "model").rglob("*.json"))

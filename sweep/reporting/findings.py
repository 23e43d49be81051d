"""What a study found beyond its cells' records: lines for a terminal, plain data, tags, sections of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.data import settings
from search_spaces import Study
from sweep.scheduling import Board
from sweep.search import hunts, summary
from sweep.tracking import TAG
from sweep.tune_first import Tuned, tuned
from sweep.workspace import Workspace
from trainables.config import canonical_json
from trainables.store import Store

if TYPE_CHECKING:
    from analysis.report import Hunt, Section


@dataclass(frozen=True)
class Findings:
    """Outcomes of hunts for counterexamples, what was tuned first, and the best of searches."""

    hunts: list[Hunt]
    tuned: list[Tuned] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        said = [sentence for hunt in self.hunts for sentence in hunt.sentences]
        return [*tuned_lines(self.tuned), *said, *summary.lines(self.searches)]

    @property
    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        found = [asdict(hunt) | {"outcome": hunt.outcome, "bound": hunt.bound} for hunt in self.hunts]
        plain: dict[str, Any] = {"falsify": found} if found else {}
        plain |= {"searches": self.searches} if self.searches else {}
        return plain | ({"tune_first": [_finite(row) for row in self._rows]} if self.tuned else {})

    @property
    def tags(self) -> dict[str, str]:
        """For the study's run on a tracking server."""
        tags = {name: value for hunt in self.hunts for name, value in hunt.tags().items()}
        tags |= {summary.TAG: canonical_json(self.searches)[:TAG]} if self.searches else {}
        chosen = [{"size": row["size"], "values": row["values"]} for row in self._rows if row["chosen"]]
        return tags | ({"tune_first": canonical_json(chosen)} if self.tuned else {})

    @property
    def sections(self) -> list[Section]:
        """For the report."""
        from analysis.report import hunt_section, tuning_section

        found = (hunt_section(self.hunts), tuning_section(self._rows))
        return [section for section in found if section is not None]

    @property
    def _rows(self) -> list[dict[str, Any]]:
        """One per size and setting."""
        return [
            {"block": one.name, "size": one.tuning.size, "values": trial.values, "loss": loss}
            | {"chosen": trial.values == one.chosen}
            for one in self.tuned
            for trial, loss in zip(one.tuning.trials, one.losses, strict=True)
        ]


def findings_of(study: Study, workspace: Workspace, board: Board, store: Store) -> Findings:
    """What a study has found so far. Changes nothing."""
    return Findings(hunts(study, workspace, board.jobs, store), tuned(study, store), summary.searches(board))


def tuned_lines(every: Sequence[Tuned]) -> list[str]:
    """What was chosen for each size, or how far its tuning is."""
    sizes = settings([one.tuning.size for one in every])
    chosen = settings([one.chosen or {} for one in every])
    return [_tuned(*each) for each in zip(every, sizes, chosen, strict=True)]


def _tuned(one: Tuned, size: str, chosen: str) -> str:
    named = f"Tuned first{size and f' {size}'}"
    if one.chosen is None:
        known = sum(loss is not None for loss in one.losses)
        return f"{named}: {known} of {len(one.losses)} settings are known."
    least = min(loss for loss in one.losses if loss is not None)
    return f"{named}:{chosen and f' {chosen}'}, validation loss {least:.4g}, best of {len(one.losses)} settings."


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: a loss that diverged is told by `diverged`."""
    diverged = row["loss"] == math.inf
    return row | {"loss": None if diverged else row["loss"], "diverged": diverged}

"""What a study found beyond its cells' records: lines for a terminal, plain data, tags, sections of the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from search_spaces import FalsifySearch, Study
from sweep import front
from sweep.board import Board
from sweep.schema import TAG
from sweep.workspace import Workspace
from trainables.config import canonical_json
from trainables.store import Store

if TYPE_CHECKING:
    from analysis.hunted import Hunt
    from analysis.study import Section


@dataclass(frozen=True)
class Findings:
    """Outcomes of hunts for counterexamples, and the best of searches (see `sweep.front`)."""

    hunts: list[Hunt]
    searches: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        return [sentence for hunt in self.hunts for sentence in hunt.sentences] + list(front.lines(self.searches))

    @property
    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        found = [asdict(hunt) | {"outcome": hunt.outcome, "bound": hunt.bound} for hunt in self.hunts]
        return ({"falsify": found} if found else {}) | ({"searches": self.searches} if self.searches else {})

    @property
    def tags(self) -> dict[str, str]:
        """For the study's run on a tracking server."""
        best = {front.TAG: canonical_json(self.searches)[:TAG]} if self.searches else {}
        return {name: value for hunt in self.hunts for name, value in hunt.tags().items()} | best

    @property
    def sections(self) -> list[Section]:
        """For the report."""
        from analysis.hunted import section

        found = section(self.hunts)
        return [found] if found is not None else []


def findings(study: Study, workspace: Workspace, board: Board, store: Store) -> Findings:
    """What a study has found so far. Changes nothing."""
    best = front.searches(board)
    if not any(isinstance(block.search, FalsifySearch) for block in study.blocks):
        return Findings([], best)
    from sweep.falsification import hunts

    return Findings(hunts(study, workspace, board.jobs, store), best)

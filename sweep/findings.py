"""What a study found beyond its cells' records: lines for a terminal, plain data, tags, sections of the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from search_spaces import FalsifySearch, Study
from sweep.board import Board
from sweep.workspace import Workspace
from trainables.store import Store

if TYPE_CHECKING:
    from analysis.hunted import Hunt
    from analysis.study import Section


@dataclass(frozen=True)
class Findings:
    """Outcomes of hunts for counterexamples."""

    hunts: list[Hunt]

    @property
    def lines(self) -> list[str]:
        """For a terminal."""
        return [sentence for hunt in self.hunts for sentence in hunt.sentences]

    @property
    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        found = [asdict(hunt) | {"outcome": hunt.outcome, "bound": hunt.bound} for hunt in self.hunts]
        return {"falsify": found} if found else {}

    @property
    def tags(self) -> dict[str, str]:
        """For the study's run on a tracking server."""
        return {name: value for hunt in self.hunts for name, value in hunt.tags().items()}

    @property
    def sections(self) -> list[Section]:
        """For the report."""
        from analysis.hunted import section

        found = section(self.hunts)
        return [found] if found is not None else []


def findings(study: Study, workspace: Workspace, board: Board, store: Store) -> Findings:
    """What a study has found so far. Changes nothing."""
    if not any(isinstance(block.search, FalsifySearch) for block in study.blocks):
        return Findings([])
    from sweep.falsification import hunts

    return Findings(hunts(study, workspace, board.jobs, store))

"""What a study's real rows are, as far as can be told without data that can't be read here."""

from __future__ import annotations

from typing import Any

from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.families import FamilyConfig
from trainables.sources import Source


class Declared:
    """Identities of data, each asked for once; where the data can't be read, what the config says stands for it.

    Such an identity names no artifact: nothing in a store is found by it.

    Attributes:
        missing: why data can't be read, in the words of `run`.
        notes: what is wrong with the first rows of data that can be.
    """

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []
        self._held: dict[str, dict[str, Any]] = {}

    def data(self, family: FamilyConfig) -> dict[str, Any]:
        """The identity of a family's data."""
        declared = family.declared_data()
        name = canonical_json(declared)
        if name not in self._held:
            try:
                self._held[name] = family.data_identity()
                self._peek(family)
            except ValueError as problem:
                self.missing[name] = f"cell.family.{problem}"
                self._held[name] = declared | {"unread": True}
        return self._held[name]

    def key(self, cell: Cell) -> str:
        """Names a cell."""
        return cell.key_on(self.data(cell.family))

    def readable(self, cell: Cell) -> bool:
        """Whether a cell's data can be read."""
        return "unread" not in self.data(cell.family)

    def _peek(self, family: FamilyConfig) -> None:
        source = getattr(family, "source", None)
        if isinstance(source, Source):
            self.notes += [f"cell.family.{line}" for line in source.notes()]

"""Table sources: columns and a target, told apart by content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from trainables.config import Registry
from trainables.sources.base import Source

if TYPE_CHECKING:
    import pandas as pd

TABLES = Registry(
    "table source",
    {
        "simulated": "trainables.sources.tables.simulated:Simulated",
        "breast_cancer": "trainables.sources.tables.embedded:BreastCancer",
        "diabetes": "trainables.sources.tables.embedded:Diabetes",
        "wine": "trainables.sources.tables.embedded:Wine",
        "digits": "trainables.sources.tables.embedded:DigitsTable",
        "table": "trainables.sources.tables.files:TableFile",
    },
)

READER = 1
"""Version of how tables become inputs; part of the identity, so that a mended reader never goes by old results."""


@dataclass(frozen=True)
class Table:
    """Columns as they were read.

    Attributes:
        columns: one a feature, numbers or text, with gaps where values are missing.
        target: what is predicted.
        name: of the target.
    """

    columns: pd.DataFrame
    target: pd.Series[Any]
    name: str


class TableSource(Source, ABC):
    """Base of every table source. Subclasses add `kind: Literal[...]`.

    Attributes:
        positive: the class that counts as 1, all others as 0; None where the target has two values, of which the
            larger is 1.
        missing: `refuse` a table with gaps; `drop` rows that have one; or fill them, a number by the `mean` of the
            training rows, text by a category of its own.
        test, validation: shares of rows held out by the hash of their content.
    """

    kind: str
    positive: str | None = None
    missing: Literal["refuse", "drop", "mean"] = "refuse"
    test: float = Field(default=0.2, gt=0, lt=0.5)
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    places: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where the table lies: no part of the identity."""
    columns: ClassVar[int] = 1
    """Inputs, as far as they are known before anything is read."""
    threshold: ClassVar[float | None] = None
    """Of a measured target: what lies above it is 1."""

    def identity(self) -> dict[str, Any]:
        """What the rows are: the fields that shape them and a digest of the content, never a place.

        Raises:
            ValueError: the table can't be read; one line says which and why.
        """
        fields = {name: value for name, value in self.canonical().items() if name not in self.places}
        return fields | {"digest": self.digest(), "reader": READER}

    @abstractmethod
    def digest(self) -> str:
        """What tells this content from any other."""

    @abstractmethod
    def read(self) -> Table:
        """The table.

        Raises:
            ValueError: it can't be read; one line says which and why.
        """

"""Tables in files: CSV or Parquet, at a path or any fsspec URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from trainables.sources.damage import damage, first_line
from trainables.sources.digests import content_digest
from trainables.sources.tables.base import Table, TableSource

if TYPE_CHECKING:
    import pandas as pd


class TableFile(TableSource):
    """A table of one file. Columns of text are categories, one-hot but for the first in the alphabet.

    Attributes:
        path: the file: `.parquet`, or CSV with a header under any other name; `.gz`, `.bz2`, `.xz` and `.zst` after it
            are unpacked.
        target: column that is predicted.
        drop: columns that are left out.
    """

    kind: Literal["table"] = "table"
    path: str = Field(min_length=1)
    target: str = "target"
    drop: tuple[str, ...] = ()
    places: ClassVar[frozenset[str]] = frozenset({"path"})

    def digest(self) -> str:
        return f"{'parquet' if self._parquet else 'csv'}-{content_digest(self.path)}"

    @property
    def _parquet(self) -> bool:
        return self.path.lower().endswith(".parquet")

    def read(self) -> Table:
        return self._divided(self._frame())

    def peek(self) -> list[str]:
        rows = self._divided(self._frame(self.PEEK)).target
        return [] if len(rows) else [f"source.path: {self.path!r} holds no row"]

    def _divided(self, frame: pd.DataFrame) -> Table:
        names = [str(name) for name in frame.columns]
        absent = [name for name in (self.target, *self.drop) if name not in names]
        if absent:
            place = "target" if absent[0] == self.target else "drop"
            raise ValueError(f"source.{place}: no column {absent[0]!r} among {', '.join(names)}")
        return Table(frame.drop(columns=[self.target, *self.drop]), frame[self.target], self.target)

    def _frame(self, rows: int | None = None) -> pd.DataFrame:
        """All rows, or the first of a CSV."""
        import fsspec
        import pandas as pd

        content_digest(self.path)  # refuses a file that is not there
        form = "parquet" if self._parquet else "CSV"
        try:
            with fsspec.open(self.path, "rb", compression="infer") as file:
                return pd.read_parquet(file) if self._parquet else pd.read_csv(file, skipinitialspace=True, nrows=rows)
        except damage(ValueError, ImportError) as problem:  # pandas' and Arrow's own errors are ValueErrors
            raise ValueError(f"source.path: {self.path!r} can't be read as {form} ({first_line(problem)})") from problem

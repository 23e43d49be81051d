"""Tables that come with scikit-learn: no file to name, no network."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Literal

from trainables.sources.tables.base import Table, TableSource


class Embedded(TableSource):
    """Base of tables whose content is known beforehand, so that their identity needs no reading."""

    loader: ClassVar[str]
    """Of `sklearn.datasets`."""
    content: ClassVar[str]

    def digest(self) -> str:
        return self.content

    def read(self) -> Table:
        from sklearn import datasets

        found = getattr(datasets, self.loader)(as_frame=True)
        held = hashlib.sha256(found.data.to_numpy(float).tobytes() + found.target.to_numpy(float).tobytes())
        if held.hexdigest()[:32] != self.content:
            raise ValueError(f"source: {self.kind} as installed has digest {held.hexdigest()[:32]}, not {self.content}")
        return self.shaped(found.data, found.target)

    def shaped(self, columns: Any, target: Any) -> Table:
        """The table of what scikit-learn gives."""
        return Table(columns, target, "target")


class BreastCancer(Embedded):
    """569 tumours by 30 measures of cell nuclei; 1 is benign (Wolberg et al. 1995, UCI)."""

    kind: Literal["breast_cancer"] = "breast_cancer"
    loader: ClassVar[str] = "load_breast_cancer"
    content: ClassVar[str] = "cdd5f37c36cbdfc2e5ee074cec7540fa"
    columns: ClassVar[int] = 30


class Diabetes(Embedded):
    """442 patients by 10 measures; whether the disease progressed by more than 140.5, the median of all, within a
    year (Efron et al. 2004). For counts, the progression itself."""

    kind: Literal["diabetes"] = "diabetes"
    loader: ClassVar[str] = "load_diabetes"
    content: ClassVar[str] = "84ec38030d0ff6dfdc32f475c5633e39"
    columns: ClassVar[int] = 10
    threshold: ClassVar[float | None] = 140.5


class Wine(Embedded):
    """178 wines by 13 chemical measures; the second of three growers against the others (Aeberhard 1991, UCI)."""

    kind: Literal["wine"] = "wine"
    positive: str | None = "1"
    loader: ClassVar[str] = "load_wine"
    content: ClassVar[str] = "c7e84e8e03b2b5a354287416d84d0894"
    columns: ClassVar[int] = 13


class DigitsTable(Embedded):
    """1,797 handwritten digits by 61 pixels of 17 greys, those that are equal in all images left out; one digit against
    the others (UCI optical recognition)."""

    kind: Literal["digits"] = "digits"
    positive: str | None = "8"
    loader: ClassVar[str] = "load_digits"
    content: ClassVar[str] = "f19a7d92591ca0a1ffc65ec172e8149a"
    columns: ClassVar[int] = 61

    def shaped(self, columns: Any, target: Any) -> Table:
        return Table(columns.loc[:, columns.nunique() > 1], target, "target")

"""Images of any dataset on the Hugging Face hub, or in a local folder of the same layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from trainables.sources.hub import open_split, placeless
from trainables.sources.images.base import ImageSource, Labelled
from trainables.sources.images.decode import VERSION, kept_for
from trainables.sources.images.files import content_digest, labelled

if TYPE_CHECKING:
    from datasets import Dataset


class Hub(ImageSource):
    """A dataset by name.

    A remote dataset is told apart by name, subset and revision, so that a study can be planned without it;
    pin `revision` to a commit where the numbers must stand. A local folder is told apart by its content.

    Attributes:
        name: `owner/dataset`, or a local folder that `datasets` can load or has saved.
        subset: the dataset's configuration, where it has several.
        revision: commit, tag or branch.
        split: of the training rows.
        test_split, validation_split: held-out rows; None takes shares of `split`.
        column: of the images.
        label_column: of classes, for class coverage; None has none.
        crop: side of the centre square that is kept, before resizing; None keeps the largest.
    """

    kind: Literal["hub"] = "hub"
    name: str = Field(min_length=1)
    subset: str | None = None
    revision: str = "main"
    split: str = "train"
    test_split: str | None = None
    validation_split: str | None = None
    column: str = "image"
    label_column: str | None = None
    crop: int | None = Field(default=None, ge=1)

    def identity(self) -> dict[str, Any]:
        """As of any source; a local folder's name and revision give way to its content."""
        return placeless(self.name, super().identity() | {"decoder": VERSION})

    def digest(self) -> str:
        return content_digest(self.name) if Path(self.name).is_dir() else ""

    def read(self) -> Mapping[str, Labelled]:
        names = {"train": self.split, "test": self.test_split, "validation": self.validation_split}
        return {
            part: labelled(self._open(split), self, self.digest()) for part, split in names.items() if split is not None
        }

    def _open(self, split: str) -> Dataset:
        kept = str(kept_for(self.digest())) if Path(self.name).is_dir() else None
        return open_split(self.name, self.subset, self.revision, split, kept)


class CelebA(Hub):
    """Faces of 10,177 people, 178×218, cropped to 148×148 and resized (Liu et al. 2015), with its own splits.

    The class that coverage watches is a rare attribute: eyeglasses, on one face in fifteen.
    """

    kind: Literal["celeba"] = "celeba"  # type: ignore[assignment]
    size: int = Field(default=64, ge=8, le=256)
    name: str = Field(default="flwrlabs/celeba", min_length=1)
    split: str = "train"
    test_split: str | None = "test"
    validation_split: str | None = "valid"
    label_column: str | None = "Eyeglasses"
    crop: int | None = Field(default=148, ge=1)
    published_rows: ClassVar[int] = 162_770

    def known_rows(self) -> int | None:
        return None if Path(self.name).is_dir() else self.published_rows

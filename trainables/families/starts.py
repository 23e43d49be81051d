"""Where fits start: `StartConfig`, for families whose fits may go on from given weights, and where these lie."""

from __future__ import annotations

from abc import ABC
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from trainables.families.base import FamilyConfig, Start
from trainables.families.checkpoint_files import content, hub_folder
from trainables.lineage import make_key
from trainables.sources.base import Source


class Checkpoint(Source):
    """A pretrained model: a local folder with `model.safetensors`, or a repository of the Hugging Face hub.

    What tells it from any other is its content. Pickled weights and code that comes with a model are never read.

    Attributes:
        path: the folder.
        repository: `owner/model`.
        revision: commit, tag or branch of the repository.
    """

    path: str | None = Field(default=None, min_length=1)
    repository: str | None = Field(default=None, min_length=1)
    revision: str = Field(default="main", min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Checkpoint:
        self._check_places()
        return self

    def _check_places(self) -> None:
        if (self.path is None) == (self.repository is None):
            raise ValueError("path: give a local folder (`path`) or a `repository` of the hub")
        if self.path is not None and self.revision != "main":
            raise ValueError("revision: a local folder has none; leave it out")

    @property
    def place(self) -> str:
        """What messages call it."""
        return self.path or f"{self.repository}@{self.revision}"

    def folder(self, fetch: bool = True) -> Path:
        """The local folder that holds it.

        Args:
            fetch: whether what is not in the local cache may be fetched from the hub.

        Raises:
            ValueError: there is no such folder, repository or revision, or none that can be reached.
        """
        if self.path is None:
            return hub_folder(str(self.repository), self.revision, fetch)
        if not Path(self.path).is_dir():
            raise ValueError(f"checkpoint.path: no such folder: {self.path!r}")
        return Path(self.path)


class StartConfig(FamilyConfig, ABC):
    """Base of the configs of families that can go on from given weights.

    Attributes:
        start: where fits start. `fresh`: at random weights, each generation anew. `checkpoint`: each generation at the
            pretrained one. `previous`: generation 1 at the checkpoint or, where none is named, at random weights,
            every later one at its predecessor. Optimiser and schedule start anew in any case.
        checkpoint: the pretrained model.
    """

    start: Start = Field(default="fresh", exclude_if=lambda start: start == "fresh")
    checkpoint: Checkpoint | None = Field(default=None, exclude_if=lambda checkpoint: checkpoint is None)

    start_fields: ClassVar[frozenset[str]] = frozenset({"start", "checkpoint"})

    @model_validator(mode="after")
    def _starts(self) -> StartConfig:
        if self.start == "checkpoint" and self.checkpoint is None:
            raise ValueError("checkpoint: missing; `start: checkpoint` needs one, as in checkpoint: {path: my-model}")
        if self.start == "fresh" and self.checkpoint is not None:
            raise ValueError("start: fresh takes no checkpoint; say `start: checkpoint` or `start: previous`")
        return self

    def starts_from(self, generation: int) -> Start:
        if self.start == "previous" and generation == 1:
            return "fresh" if self.checkpoint is None else "checkpoint"
        return self.start

    def checkpoint_key(self) -> str | None:
        if self.checkpoint is None:
            return None
        return make_key("checkpoint", kind=self.kind, weights=content(self.checkpoint.folder()))

    def start_identity(self) -> dict[str, Any]:
        if self.start == "fresh":
            return {}
        return {"start": self.start, "checkpoint": self.checkpoint_key()}

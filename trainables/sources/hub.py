"""Datasets of the Hugging Face hub, or local folders of the same layout, as all kinds of sources open them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.runtime import check_dataset

if TYPE_CHECKING:
    from datasets import Dataset

SAVED = ("dataset_dict.json", "state.json")
"""Files of a folder that `datasets` has saved."""


def open_split(name: str, subset: str | None, revision: str | None, split: str, kept: str | None = None) -> Dataset:
    """Rows of a split.

    Args:
        name: `owner/dataset`, or a local folder.
        subset: the dataset's configuration, where it has several.
        revision: commit, tag or branch; a local folder has none.
        split: which one.
        kept: where what is made of a local folder's files is kept; None takes the cache of `datasets`.

    Raises:
        ValueError: the dataset, or the split, is not to be had.
    """
    import datasets

    check_dataset("source.name", name)
    local = Path(name).is_dir()
    try:
        if any((Path(name) / mark).exists() for mark in SAVED):
            saved = datasets.load_from_disk(name)
            return saved[split] if isinstance(saved, datasets.DatasetDict) else saved
        return datasets.load_dataset(name, subset, split=split, revision=None if local else revision, cache_dir=kept)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as problem:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise ValueError(f"source.name: split {split!r} of {name!r} can't be read ({reason})") from problem


def placeless(name: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    """A source's identity, in which a local folder's name and revision give way to its content."""
    local = {"name", "revision"} if Path(name).is_dir() else set()
    return {field: value for field, value in identity.items() if field not in local}

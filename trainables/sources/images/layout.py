"""Which files of a folder or an archive are pictures, of which split and of which class: by their names alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from trainables.sources.images.base import ALL

ENDINGS = frozenset(
    f".{ending}"
    for ending in (
        *(
            "apng",
            "avif",
            "avifs",
            "bmp",
            "dib",
            "gif",
            "icb",
            "ico",
            "j2c",
            "j2k",
            "jfif",
            "jp2",
            "jpc",
            "jpe",
            "jpeg",
        ),
        *("jpf", "jpg", "jpx", "mpo", "pbm", "pcx", "pfm", "pgm", "png", "pnm", "ppm", "tga", "tif", "tiff", "webp"),
        *("eps", "heic", "heif", "jxl", "psd", "svg", "vda", "vst"),
    )
)
"""Of pictures, whether they can be read or are counted as of an unknown format."""

NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
"""Splits by the names that folders and files of them have."""

LEFTOVERS = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"))


def is_leftover(name: str) -> bool:
    """Whether a relative path is hidden or what a desktop leaves behind (`.DS_Store`, `Thumbs.db`, `__MACOSX/`)."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part.lower() in LEFTOVERS for part in parts)


def is_picture(name: str) -> bool:
    """Whether a relative path ends as a picture's does."""
    return "." + name.lower().rpartition(".")[2] in ENDINGS and not is_leftover(name)


def bare(names: Iterable[str]) -> dict[str, str]:
    """Names without the folders that all of them share, by whole name."""
    parts = {name: name.split("/") for name in names}
    folders = [part[:-1] for part in parts.values()]
    shared = 0
    while folders and all(len(f) > shared and f[shared] == folders[0][shared] for f in folders):
        shared += 1
    return {name: "/".join(part[shared:]) for name, part in parts.items()}


def by_split(names: Sequence[str], path: str, tables: bool = False) -> dict[str, list[str]]:
    """Names by split, where folders `train` and `test` or `validation` tell one; else all under one name.

    Args:
        names: relative paths.
        path: where they lie, for messages.
        tables: files' own names tell splits too, as in `train-00000-of-00004.parquet`.

    Raises:
        ValueError: there is more beside the splits, which belongs to none.
    """
    tops = {name: _top(rest, tables) for name, rest in bare(names).items()}
    told = {NAMES[top] for top in tops.values() if top in NAMES}
    if "train" not in told or len(told) < 2:
        return {ALL: list(names)}
    others = sorted({top or "files at the top" for top in tops.values() if top not in NAMES})
    if others:
        raise ValueError(
            f"source.path: {path!r} holds {', '.join(sorted(told))} and, of no split, {', '.join(others[:5])}; move "
            "these away, or into a split"
        )
    return {split: [name for name in names if NAMES[tops[name]] == split] for split in sorted(told)}


def _top(name: str, tables: bool) -> str:
    """The first folder of a name; of a table at the top the word that its name begins with."""
    folder, inside, _ = name.partition("/")
    if inside or not tables:
        return folder.lower() if inside else ""
    return re.split(r"[^a-z]", name.lower(), maxsplit=1)[0]


def classes(splits: dict[str, list[str]]) -> dict[str, str | None]:
    """The class of each picture: its folder inside its split, None at the top; empty where no folder tells one."""
    whole = bare(name for names in splits.values() for name in names)
    divided = ALL not in splits
    folders = {name: rest.split("/", 1)[1] if divided else rest for name, rest in whole.items()}
    found = {name: rest.rpartition("/")[0] or None for name, rest in folders.items()}
    return found if len(set(found.values())) > 1 else {}

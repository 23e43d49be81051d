"""From a cell of any table (file bytes, a path, an array) to square pixels of one size."""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.lineage import make_key
from trainables.sources.images.pixels import LABEL, PIXELS

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL import Image

VERSION = 3
"""Of what reading makes of images; part of the identity of decoded data, and of the name of its cache."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PCX")
"""What is decoded; what cameras write (MPO) is JPEG to Pillow. Others are for documents: EPS, for one, is a program
that Pillow hands to Ghostscript.
"""

ROW = "row"
"""Column of the row that an image had before others were left out."""

BROKEN = (OSError, EOFError, SyntaxError, ValueError, TypeError, IndexError, KeyError, struct.error, zlib.error)
"""What Pillow raises for damaged files."""

STORES = ("file://", "s3://", "gs://", "gcs://", "az://", "abfs://", "hf://")
"""Where a picture that a table names may lie, besides local paths."""


def square(image: Image.Image, size: int, channels: int, crop: int | None = None) -> np.ndarray:
    """The centre of an image, [size, size, channels].

    Args:
        image: any picture; upright as its EXIF says, transparency laid on white, 16-bit greys scaled to 8 bits.
        size: side of the result.
        channels: 1 (luma, ITU-R 601) or 3.
        crop: side of the centre square that is kept, in pixels; None keeps the largest.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole)
    image = image.convert("L" if channels == 1 else "RGB")
    side = min(image.width, image.height, crop or image.width)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if side != size:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(size, size, channels)


class Unreadable(Exception):
    """A cell that gives no image, by reason: a word that names a metric.

    `corrupt` file, `empty` cell, file of an `unknown_format`, file that is `missing`, image `too_large` to unpack, at a
    URL (`not_fetched`), or array that holds no image of bytes (`not_pixels`).
    """


@dataclass(frozen=True)
class Prepared:
    """Decoded images.

    Attributes:
        table: with `pixels` and, where asked for, `label`.
        left_out: images that could not be read, by reason.
    """

    table: Dataset
    left_out: Mapping[str, int]


def resize(images: np.ndarray, size: int, channels: int, crop: int | None = None) -> np.ndarray:
    """Images of one array, [rows, height, width, 1 or 3], as [rows, size, size, channels], cropped as by `square`."""
    if images.shape[1:] == (size, size, channels) and (crop is None or crop >= size):
        return images
    return np.stack([square(_picture(image), size, channels, crop) for image in images])


def kept_for(digest: str) -> Path:
    """Where `datasets` keeps what it makes of data of this content. Its own names trust times of modification, which an
    unpacked archive sets back: other content at the same place would be taken for the former.
    """
    import datasets

    folder: Path = datasets.config.HF_DATASETS_CACHE / "collapse-sweep" / digest
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def prepare(
    raw: Dataset, digest: str, image: str, label: str | None, size: int, channels: int, crop: int | None
) -> Prepared:
    """Decoded images of a table; those that can't be read are left out and counted.

    Decoded once per machine and content, in the cache of `datasets`, and memory-mapped from there. `digest` names the
    content; empty where `datasets` knows it by a commit.
    """
    from datasets import Features, List, Value
    from datasets import Image as ImageFeature

    if isinstance(raw.features[image], ImageFeature):
        raw = raw.cast_column(image, ImageFeature(decode=False))
    settings = {"image": image, "label": label, "size": size, "channels": channels, "crop": crop}
    content = [digest, str(raw.split), raw.num_rows] if digest else raw._fingerprint
    key = make_key("images", content=content, version=VERSION, **settings)
    folder = kept_for(digest)
    features = {PIXELS: List(Value("uint8"), length=size * size * channels), ROW: Value("int64")}
    if label is not None:
        features[LABEL] = raw.features[label]
    table = raw.map(
        _decode_batch,
        with_indices=True,
        batched=True,
        batch_size=256,
        fn_kwargs=settings,
        remove_columns=raw.column_names,
        features=Features(features),
        cache_file_name=str(folder / f"{key}.arrow"),
        new_fingerprint=key,
        desc="decoding images",
    )
    lost = np.setdiff1d(np.arange(raw.num_rows), np.array(table[ROW], dtype=np.int64))
    reasons = Counter(_reason(raw[int(row)][image], size, channels, crop) for row in lost)
    return Prepared(table, reasons)


def _decode_batch(
    rows: Mapping[str, Sequence[Any]],
    numbers: Sequence[int],
    image: str,
    label: str | None,
    size: int,
    channels: int,
    crop: int | None,
) -> dict[str, Any]:
    kept, pixels = [], []
    for row, cell in enumerate(rows[image]):
        try:
            pixels.append(decode(cell, size, channels, crop).ravel())
            kept.append(row)
        except Unreadable:
            continue
    found = np.stack(pixels) if pixels else np.empty((0, size * size * channels), np.uint8)
    labels = {} if label is None else {LABEL: [rows[label][row] for row in kept]}
    return {PIXELS: found, ROW: [numbers[row] for row in kept], **labels}


def _reason(cell: Any, size: int, channels: int, crop: int | None) -> str:
    """Why a cell gives no image."""
    try:
        decode(cell, size, channels, crop)
    except Unreadable as problem:
        return str(problem)
    return "corrupt"  # a file that has come or changed since


def decode(cell: Any, size: int, channels: int, crop: int | None) -> np.ndarray:
    """A cell's image, [size, size, channels].

    Raises:
        Unreadable: it gives none.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        return square(_open(cell), size, channels, crop)
    except Image.DecompressionBombError as problem:
        raise Unreadable("too_large") from problem
    except UnidentifiedImageError as problem:
        raise Unreadable("unknown_format") from problem
    except BROKEN as problem:
        raise Unreadable("corrupt") from problem


def _open(cell: Any) -> Image.Image:
    """A picture from file bytes, from a mapping with `bytes` or `path`, or from an array of bytes.

    Raises:
        Unreadable: the cell is none of these.
    """
    import io

    from PIL import Image

    if isinstance(cell, Mapping):
        path = cell.get("path")
        cell = cell["bytes"] if cell.get("bytes") is not None or path is None else _named(str(path))
    if cell is None:
        raise Unreadable("empty")
    if isinstance(cell, bytes):
        if not cell:
            raise Unreadable("corrupt")
        return Image.open(io.BytesIO(cell), formats=_readable())
    try:
        return _picture(np.asarray(cell))
    except BROKEN as problem:
        raise Unreadable("not_pixels") from problem


@cache
def _readable() -> tuple[str, ...]:
    """Formats that this Pillow reads: given one that it does not know, it raises KeyError for any picture."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _named(path: str) -> bytes:
    """The file that a table names. A table comes from anybody: no picture is a reason to call up a web server.

    Raises:
        Unreadable: there is none, or the path is a URL of something else than a file system or an object store.
    """
    import fsspec

    if ("://" in path and not path.startswith(STORES)) or "::" in path:
        raise Unreadable("not_fetched")
    try:
        with fsspec.open(path) as file:
            data: bytes = file.read()
    except FileNotFoundError as problem:
        raise Unreadable("missing") from problem
    return data


def _picture(array: np.ndarray) -> Image.Image:
    """A picture from bytes of shape [height, width], [height, width, 1 or 3], [3, height, width], or [side · side]."""
    from PIL import Image

    if array.ndim == 1 and array.size and math.isqrt(array.size) ** 2 == array.size:
        array = array.reshape(math.isqrt(array.size), -1)
    if array.ndim not in (2, 3):
        raise ValueError(f"an image of shape {array.shape}")

    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[-1] not in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind not in "iu" or array.size == 0 or array.min() < 0 or array.max() > 255:
        raise ValueError(f"an image of whole numbers from 0 to 255 is needed, not {array.dtype}")
    squeezed = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    return Image.fromarray(squeezed.astype(np.uint8))

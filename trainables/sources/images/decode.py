"""From a cell of any table (file bytes, a path, an array) to square pixels of one size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.sources.images.pixels import LABEL, PIXELS

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL import Image

VERSION = 1
"""Of what decoding makes of an image; part of the name under which decoded images are cached."""


FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO", "PCX")
"""What is decoded. Others are for documents: EPS, for one, is a program that Pillow hands to Ghostscript."""

STORES = ("file://", "s3://", "gs://", "gcs://", "az://", "abfs://", "hf://")
"""Where a picture that a table names may lie, besides local paths."""


def square(image: Image.Image, size: int, channels: int, crop: int | None = None) -> np.ndarray:
    """The centre of an image, [size, size, channels].

    Args:
        image: any picture; upright as its EXIF says, transparency dropped, 16-bit greys scaled to 8 bits.
        size: side of the result.
        channels: 1 (luma, ITU-R 601) or 3.
        crop: side of the centre square that is kept, in pixels; None keeps the largest.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) / 257).round().clip(0, 255).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    side = min(image.width, image.height, crop or image.width)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side))
    if side != size:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(size, size, channels)


def resize(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Images of one array, [rows, height, width, 1 or 3], as [rows, size, size, channels]."""
    if images.shape[1:] == (size, size, channels):
        return images
    return np.stack([square(_picture(image), size, channels) for image in images])


def prepare(raw: Dataset, image: str, label: str | None, size: int, channels: int, crop: int | None) -> Dataset:
    """Decoded images of a table, with `pixels` and `label`; those that can't be read are left out.

    Decoded once per machine, in the cache of `datasets`, and memory-mapped from there.
    """
    import datasets
    from datasets import Features, List, Value
    from datasets import Image as ImageFeature

    from trainables.lineage import make_key

    if isinstance(raw.features[image], ImageFeature):
        raw = raw.cast_column(image, ImageFeature(decode=False))
    settings = {"image": image, "label": label, "size": size, "channels": channels, "crop": crop}
    key = make_key("images", raw=raw._fingerprint, version=VERSION, **settings)
    folder = datasets.config.HF_DATASETS_CACHE / "collapse-sweep"
    folder.mkdir(parents=True, exist_ok=True)
    features = {PIXELS: List(Value("uint8"), length=size * size * channels)}
    if label is not None:
        features[LABEL] = raw.features[label]
    return raw.map(
        _decode_batch,
        batched=True,
        batch_size=256,
        fn_kwargs=settings,
        remove_columns=raw.column_names,
        features=Features(features),
        cache_file_name=str(folder / f"{key}.arrow"),
        new_fingerprint=key,
        desc="decoding images",
    )


def _decode_batch(
    rows: Mapping[str, Sequence[Any]], image: str, label: str | None, size: int, channels: int, crop: int | None
) -> dict[str, Any]:
    kept, pixels = [], []
    for row, cell in enumerate(rows[image]):
        decoded = decode(cell, size, channels, crop)
        if decoded is not None:
            kept.append(row)
            pixels.append(decoded.ravel())
    found = np.stack(pixels) if pixels else np.empty((0, size * size * channels), np.uint8)
    labels = {} if label is None else {LABEL: [rows[label][row] for row in kept]}
    return {PIXELS: found, **labels}


def decode(cell: Any, size: int, channels: int, crop: int | None) -> np.ndarray | None:
    """A cell's image, [size, size, channels], or None where it can't be read."""
    from PIL import Image

    broken = (OSError, EOFError, SyntaxError, ValueError, TypeError, IndexError, KeyError, struct.error, zlib.error)
    try:
        return square(_open(cell), size, channels, crop)
    except (*broken, Image.DecompressionBombError):
        return None


def _open(cell: Any) -> Image.Image:
    """A picture from file bytes, from a mapping with `bytes` or `path`, or from an array of bytes.

    Raises:
        ValueError: the cell is none of these.
    """
    import io

    from PIL import Image

    if isinstance(cell, Mapping):
        cell = cell["bytes"] if cell.get("bytes") is not None else _named(str(cell["path"]))
    if isinstance(cell, bytes):
        return Image.open(io.BytesIO(cell), formats=FORMATS)
    return _picture(np.asarray(cell))


def _named(path: str) -> bytes:
    """The file that a table names. A table comes from anybody: no picture is a reason to call up a web server.

    Raises:
        ValueError: the path is a URL of something else than a file system or an object store.
    """
    import fsspec

    if ("://" in path and not path.startswith(STORES)) or "::" in path:
        raise ValueError("a picture at a URL is not fetched")
    with fsspec.open(path) as file:
        data: bytes = file.read()
    return data


def _picture(array: np.ndarray) -> Image.Image:
    """A picture from bytes of shape [height, width], [height, width, 1 or 3], or [3, height, width]."""
    from PIL import Image

    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[-1] not in (1, 3):
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind not in "iu" or array.size == 0 or array.min() < 0 or array.max() > 255:
        raise ValueError(f"an image of whole numbers from 0 to 255 is needed, not {array.dtype}")
    squeezed = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    return Image.fromarray(squeezed.astype(np.uint8))

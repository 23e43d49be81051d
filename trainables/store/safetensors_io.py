"""Named arrays as safetensors, read without a copy: each array is a window on the mapped file.

The format: eight bytes of header length, a JSON header of dtype, shape and byte range by name, the bytes
(https://huggingface.co/docs/safetensors). The library writes it; it has no way of reading numpy arrays
without copying them.
"""

from __future__ import annotations

import errno
import json
import mmap
import re
from collections.abc import Mapping, Sequence

import numpy as np

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
    "C64": "<c8",
}
NAMES = {np.dtype(name) for name in DTYPES.values()}


def _plain(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name, value in tensors.items():
        if value.dtype.newbyteorder("<") not in NAMES:
            raise ValueError(f"tensors: {name!r} is of type {value.dtype}, which safetensors can't hold")
    return {name: np.asarray(value, order="C") for name, value in tensors.items()}


def save(tensors: Mapping[str, np.ndarray], path: str) -> None:
    """Write a safetensors file.

    Raises:
        ValueError: an array's type has no safetensors name.
        OSError: the file can't be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(_plain(tensors), path)
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, str(error), path) from error


def dump(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The bytes that `save` writes."""
    from safetensors.numpy import save as to_bytes

    data: bytes = to_bytes(_plain(tensors))
    return data


def load(path: str, order: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of a checked file, in `order`. They share the file's pages; writing to one changes no file."""
    with open(path, "rb") as file:
        return parse(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), order)


def parse(data: mmap.mmap | bytearray, order: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays on `data`, in `order`.

    Raises:
        KeyError: `data` lacks a name of `order`.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    found = {}
    for name in order:
        entry = header[name]
        start, stop = entry["data_offsets"]
        dtype = np.dtype(DTYPES[entry["dtype"]])
        count = (stop - start) // dtype.itemsize
        found[name] = np.frombuffer(data, dtype, count, 8 + length + start).reshape(entry["shape"])
    return found

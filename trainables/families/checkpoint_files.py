"""Weights as other libraries keep them: safetensors of a folder, whole or in shards, checked before they are read."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
PICKLED = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"})
FETCHED = ["*.json", "*.safetensors", "*.txt", "tokenizer.model"]
"""What is fetched of a repository: no code, no pickles."""

BITS = {"F8_E4M3": 8, "F8_E5M2": 8, "BF16": 16, "F16": 16, "F32": 32, "F64": 64}
"""Types that hold weights."""

LARGEST_HEADER = 100_000_000
"""Bytes of a header, as the format allows."""

BLOCK = 1 << 22


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies.

    Attributes:
        file: path of its file.
        dtype: as safetensors name it.
        shape: its dimensions.
        start, stop: its bytes in the file.
    """

    file: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def hub_folder(repository: str, revision: str, fetch: bool) -> Path:
    """A repository's files in the local cache of the hub, fetched where they are missing and that is allowed.

    Raises:
        ValueError: they are not in the cache and can't be fetched.
    """
    from huggingface_hub import constants, snapshot_download

    errors: list[str] = []
    for local in (True, False) if fetch and not constants.HF_HUB_OFFLINE else (True,):
        try:
            return Path(
                snapshot_download(repository, revision=revision, allow_patterns=FETCHED, local_files_only=local)
            )
        except (OSError, ValueError) as problem:  # the hub's errors are one or the other
            errors.append((str(problem).strip().splitlines() or [type(problem).__name__])[0])
    where = "the local cache holds no such revision" if len(errors) == 1 else errors[-1]
    raise ValueError(f"checkpoint.repository: {repository!r} at revision {revision!r} can't be read ({where})")


def tensors_in(folder: Path) -> dict[str, Tensor]:
    """Every tensor of a checkpoint by name; headers are read, and files are checked against them.

    Raises:
        ValueError: there are no safetensors, or a file is cut short or damaged.
    """
    found: dict[str, Tensor] = {}
    for file in _files(folder):
        found |= _header(*_state(file))
    if not found:
        raise ValueError(f"checkpoint: {str(folder)!r} holds no tensor")
    return dict(sorted(found.items()))


def content(folder: Path) -> str:
    """32 hex digits that name the weights: names, types, shapes and bytes, however they are spread over files.

    Raises:
        ValueError: as `tensors_in`.
    """
    tensors_in(folder)
    return _content(tuple(_state(file) for file in _files(folder)))


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor by name, in single precision.

    Raises:
        ValueError: as `tensors_in`.
    """
    from safetensors.torch import load_file

    tensors_in(folder)
    found = {name: value for file in _files(folder) for name, value in load_file(str(file)).items()}
    return {name: value.float().numpy() for name, value in sorted(found.items())}


def require_shapes(folder: Path, wanted: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a checkpoint of another model.

    Raises:
        ValueError: as `tensors_in`, or a tensor is missing, is one too many or has another shape.
    """
    held = tensors_in(folder)
    for name, shape in wanted.items():
        if name not in held:
            raise ValueError(f"checkpoint: {str(folder)!r} is of another model: it has no {name!r}")
        if held[name].shape != tuple(shape):
            raise ValueError(
                f"checkpoint: {str(folder)!r} is of another model: {name!r} has shape {list(held[name].shape)}, "
                f"and this config's {list(shape)}"
            )
    if extra := sorted(held.keys() - wanted.keys()):
        raise ValueError(f"checkpoint: {str(folder)!r} is of another model: this config's has no {extra[0]!r}")


def write(tensors: Mapping[str, np.ndarray], config: Mapping[str, Any], folder: Path) -> None:
    """Write weights and the family's config, which says what they are of."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    save_file(whole, str(folder / WEIGHTS), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _files(folder: Path) -> list[Path]:
    """The files that hold the weights."""
    index = folder / SHARDS
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as problem:
            raise ValueError(f"checkpoint: {str(index)!r} is no index of safetensors files") from problem
        if any(Path(str(name)).name != name for name in names):
            raise ValueError(f"checkpoint: {str(index)!r} names files outside its folder")
        files = [folder / name for name in names]
    else:
        files = [folder / WEIGHTS]
    missing = [file.name for file in files if not file.is_file()]
    if not missing:
        return files
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
    if pickles:
        raise ValueError(
            f"checkpoint: {str(folder)!r} holds weights as {pickles[0]} and no {missing[0]}; pickles run code when "
            "they are read, save it as safetensors"
        )
    raise ValueError(f"checkpoint: {str(folder)!r} has no {missing[0]}")


def _state(file: Path) -> tuple[str, int, int]:
    """A file's path, size and time of change."""
    stat = os.stat(file)
    return str(file), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=256)
def _header(path: str, size: int, changed: int) -> dict[str, Tensor]:
    """The tensors of a file, from its header (https://huggingface.co/docs/safetensors)."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= min(size - 8, LARGEST_HEADER):
                raise ValueError("no header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        found = {name: _tensor(path, entry, 8 + length) for name, entry in header.items()}
    except OSError as problem:
        raise ValueError(f"checkpoint: {path!r} can't be read ({problem.strerror or problem})") from problem
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"checkpoint: {path!r} is no safetensors file, or is damaged ({problem})") from problem
    end = max((tensor.stop for tensor in found.values()), default=8 + length)
    if end != size:
        raise ValueError(f"checkpoint: {path!r} is cut short or damaged: {size} bytes of {end}")
    return found


def _tensor(path: str, entry: Mapping[str, Any], offset: int) -> Tensor:
    start, stop = (int(place) + offset for place in entry["data_offsets"])
    shape = tuple(int(n) for n in entry["shape"])
    dtype = str(entry["dtype"])
    if dtype in BITS and math.prod(shape) * BITS[dtype] != 8 * (stop - start):
        raise ValueError(f"{stop - start} bytes for shape {list(shape)} of {dtype}")
    return Tensor(path, dtype, shape, start, stop)


@lru_cache(maxsize=64)
def _content(files: tuple[tuple[str, int, int], ...]) -> str:
    tensors = {name: tensor for file in files for name, tensor in _header(*file).items()}
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(json.dumps([name, tensor.dtype, tensor.shape]).encode())
        with open(tensor.file, "rb") as file:
            file.seek(tensor.start)
            left = tensor.stop - tensor.start
            while left:
                block = file.read(min(BLOCK, left))
                total.update(block)
                left -= len(block)
    return total.hexdigest()[:32]

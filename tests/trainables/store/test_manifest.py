"""What a store writes: manifests as bytes, arrays as safetensors, what lies in a manifest and what beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from trainables.store import Payload, manifest, open_store, payload_io, safetensors_io
from trainables.store.manifest import Damaged, Manifest, PayloadPart
from trainables.store.memory import MemoryStore, settled

KEY = "ab" + "0" * 30
BODY: dict[str, Any] = {
    "attempt": "0badc0de",
    "format": 1,
    "key": KEY,
    "kind": "record",
    "made": {"host": "here"},
    "meta": {"loss": 0.5},
    "parents": {"model": f"model/{KEY}"},
    "parts": [{"inline": "aGk=", "name": "a.txt", "role": "file", "size": 2}],
}


def written(body: dict[str, Any]) -> bytes:
    """A manifest by hand: the digest of the body's bytes, and the body."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return b'{"sha256":"' + hashlib.sha256(text).hexdigest().encode() + b'","body":' + text + b"}\n"


def test_a_manifest_is_one_line_of_json_with_the_digest_of_its_body() -> None:
    part = PayloadPart("file", 2, "a.txt", inline="aGk=")
    made = Manifest("record", KEY, "0badc0de", {"loss": 0.5}, {"model": f"model/{KEY}"}, {"host": "here"}, (part,))
    assert made.encode() == written(BODY)
    assert json.loads(made.encode())["body"]["meta"] == {"loss": 0.5}
    assert manifest.decode(written(BODY), "record", KEY) == made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, f"its manifest is that of record/{KEY}, format 2"),
        ({"kind": "model"}, f"its manifest is that of model/{KEY}, format 1"),
        ({"key": "cd"}, "its manifest is that of record/cd, format 1"),
        ({"attempt": "../../etc"}, "its manifest names an attempt that is none"),
        ({"attempt": "0badc0d"}, "its manifest names an attempt that is none"),
        ({"parents": {"model": "../model"}}, "its manifest names a parent that is no kind and key"),
        ({"parents": {"model": "model"}}, "its manifest names a parent that is no kind and key"),
        ({"parts": [{"role": "pickle", "size": 2}]}, "its manifest names a content of no known role"),
        ({"parts": [{"role": "file"}]}, "its manifest has a valid checksum and is none of ours"),
        ({"parts": 3}, "its manifest has a valid checksum and is none of ours"),
        ({"later": 1}, "its manifest has a valid checksum and is none of ours"),
    ],
)
def test_a_manifest_with_a_right_digest_is_still_not_taken_on_trust(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Damaged) as caught:
        manifest.decode(written(BODY | change), "record", KEY)
    assert str(caught.value) == said


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_manifest_that_was_cut_says_how_much_is_left(cut: int) -> None:
    data = written(BODY)[:-cut]
    with pytest.raises(Damaged, match=rf"^its manifest of {len(data)} bytes does not have the checksum it states$"):
        manifest.decode(data, "record", KEY)
    with pytest.raises(Damaged, match="of 0 bytes"):
        manifest.decode(b"", "record", KEY)
    with pytest.raises(Damaged):
        manifest.decode(written(BODY).replace(b"\n", b" \n"), "record", KEY)


def test_files_are_named_by_key_attempt_number_and_role() -> None:
    parts = (
        PayloadPart("tensors", 70, sha256="x"),
        PayloadPart("file", 2, "../../a", inline="aGk="),
        PayloadPart("table", 30, sha256="y"),
        PayloadPart("file", 5, "../../b", sha256="z"),
    )
    made = Manifest("model", KEY, "0badc0de", {}, {}, {}, parts)
    assert made.files() == [
        f"model/ab/{KEY}.0badc0de.0.safetensors",
        f"model/ab/{KEY}.0badc0de.2.arrow",
        f"model/ab/{KEY}.0badc0de.3.bin",
    ]
    assert manifest.path("model", KEY) == f"model/ab/{KEY}.json"
    assert made.artifact(1000).size == 1000 + 70 + 30 + 5, "what lies in the manifest is counted with it"
    assert made.artifact(1).name == f"model/{KEY}"


def test_numbers_that_json_lacks_are_refused_with_the_kind() -> None:
    made = Manifest("record", KEY, "0badc0de", {"loss": float("nan")}, {}, {})
    with pytest.raises(ValueError, match=r"^meta: an artifact's meta must be plain JSON with finite numbers: record: "):
        made.encode()


ARRAYS = {
    "z": np.arange(6, dtype="<f8").reshape(2, 3),
    "a": np.array([1, -1], dtype="<i2"),
    "flag": np.array(True),
    "none": np.empty((0, 4), dtype="<f4"),
    "complex": np.array([1 + 2j], dtype="<c8"),
}


def test_tensors_are_what_the_safetensors_library_reads(tmp_path: Path) -> None:
    safetensors_io.save(ARRAYS, str(tmp_path / "x"))
    found = load_file(tmp_path / "x")
    assert set(found) == set(ARRAYS)
    for name, value in ARRAYS.items():
        assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
        assert np.array_equal(found[name], value)
    assert safetensors_io.dump(ARRAYS) == (tmp_path / "x").read_bytes()


def test_what_the_library_writes_is_read_in_the_order_asked_for() -> None:
    data = bytearray(save(ARRAYS))
    found = safetensors_io.parse(data, ["a", "z", "flag", "none", "complex"])
    assert list(found) == ["a", "z", "flag", "none", "complex"]
    for name, value in found.items():
        assert value.dtype == ARRAYS[name].dtype
        assert np.array_equal(value, ARRAYS[name])
    with pytest.raises(KeyError):
        safetensors_io.parse(data, ["lost"])


def test_a_file_of_tensors_by_hand_is_read() -> None:
    """Eight bytes of length, a header of dtype, shape and byte range, the bytes."""
    header = (
        b'{"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"f":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}'
    )
    data = len(header).to_bytes(8, "little") + header + np.float32(1.5).tobytes() + bytes([7, 9])
    found = safetensors_io.parse(bytearray(data), ("f", "b"))
    assert (float(found["f"]), found["b"].tolist()) == (1.5, [7, 9])


@pytest.mark.parametrize("value", [np.array(["a"]), np.array([1 + 1j]), np.array([object()])])
def test_a_type_that_safetensors_lacks_is_refused_by_name(value: np.ndarray, tmp_path: Path) -> None:
    line = rf"^tensors: 'x' is of type {value.dtype}, which safetensors can't hold$"
    for write in (safetensors_io.dump, lambda held: safetensors_io.save(held, str(tmp_path / "x"))):
        with pytest.raises(ValueError, match=line.replace("<", r"\<")):
            write({"x": value})


@pytest.mark.parametrize(("size", "beside"), [(payload_io.INLINE, 0), (payload_io.INLINE + 1, 1)])
def test_contents_up_to_32_kib_lie_in_the_manifest(tmp_path: Path, size: int, beside: int) -> None:
    assert payload_io.INLINE == 32_768
    for number, payload in enumerate(
        [Payload(tensors={"x": np.zeros(size, dtype=np.uint8)}), Payload(files={"x": bytes(size)})]
    ):
        store = open_store(str(tmp_path / str(number)))
        store.put("model", KEY, payload)
        folder = tmp_path / str(number) / "model" / "ab"
        assert len(list(folder.iterdir())) == 1 + beside
        about = store.describe("model", KEY)
        assert about is not None
        assert about.size == sum(path.stat().st_size for path in folder.iterdir()), "bytes kept for it in all"
        found = store.get("model", KEY)
        assert found is not None
        assert (len(found.files.get("x", b"")) or found.tensors["x"].size) == size


def test_tensors_together_are_weighed_against_that_limit(tmp_path: Path) -> None:
    half = np.zeros(payload_io.INLINE // 2 + 1, dtype=np.uint8)
    store = open_store(str(tmp_path))
    store.put("model", KEY, Payload(tensors={"x": half, "y": half}))
    assert len(list((tmp_path / "model" / "ab").iterdir())) == 2


def test_small_files_are_base64_of_their_bytes(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.put("record", KEY, Payload(files={"a.svg": b"<svg/>"}), {"model": f"model/{KEY}"})
    body = json.loads((tmp_path / manifest.path("record", KEY)).read_bytes())["body"]
    (part,) = body["parts"]
    assert (part["role"], part["name"], part["size"]) == ("file", "a.svg", 6)
    assert base64.b64decode(part["inline"]) == b"<svg/>"
    assert body["parents"] == {"model": f"model/{KEY}"}
    assert set(body["made"]) == {"run", "host", "pid", "at"}


def test_a_store_in_memory_counts_the_bytes_of_its_contents() -> None:
    store = MemoryStore()
    store.put("model", KEY, Payload(tensors={"x": np.zeros(3), "y": np.zeros(2, np.int8)}, files={"a": b"12345"}))
    about = store.describe("model", KEY)
    assert about is not None
    assert (about.size, about.made) == (3 * 8 + 2 + 5, {})


def test_parents_that_their_owner_changes_later_are_kept_as_they_were_put() -> None:
    store, parents = MemoryStore(), {"model": "model/x1"}
    store.put("record", KEY, Payload(), parents)
    parents["model"] = "model/y2"
    about = store.describe("record", KEY)
    assert about is not None
    assert about.parents == {"model": "model/x1"}


def test_arrays_are_settled_in_the_order_of_c_and_rows_are_whole_numbers() -> None:
    found = settled(Payload({"rows": 3.0}, {"x": np.asfortranarray(np.arange(6.0).reshape(2, 3))}))
    assert found.tensors["x"].flags.c_contiguous
    assert found.rows == 3
    assert isinstance(found.rows, int)
    with pytest.raises(KeyError):
        _ = Payload().rows

"""Weights in safetensors: told by content however they are spread, read in single precision, refused where damaged."""

import json
import struct

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import save_file

from trainables.families import checkpoint_files
from trainables.families.checkpoint_files import arrays, content, require_shapes, tensors_in, write
from trainables.families.starts import Checkpoint

WEIGHTS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([1.5, -2.0], dtype=np.float16)}


def whole(folder, weights=WEIGHTS, name="model.safetensors", **metadata):
    folder.mkdir(exist_ok=True)
    save_file(weights, folder / name, metadata=metadata or None)
    return folder


def sharded(folder, weights=WEIGHTS, index=None):
    """A file for each tensor."""
    files = {name: f"part-{number}.safetensors" for number, name in enumerate(weights)}
    for name, file in files.items():
        whole(folder, {name: weights[name]}, file)
    text = json.dumps({"weight_map": files}) if index is None else index
    (folder / "model.safetensors.index.json").write_text(text)
    return folder


def damaged(folder, change):
    """A file of which the bytes are changed."""
    file = whole(folder) / "model.safetensors"
    file.write_bytes(change(file.read_bytes()))
    return folder


def header(**entry):
    """A file of one tensor of 8 bytes whose header says this of it."""
    text = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | entry}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


def test_tensors_are_where_their_header_says(tmp_path):
    found = tensors_in(whole(tmp_path / "one"))
    assert list(found) == ["a", "b"]
    raw = (tmp_path / "one" / "model.safetensors").read_bytes()
    for name, value in WEIGHTS.items():
        assert found[name].shape == value.shape
        assert raw[found[name].start : found[name].stop] == value.tobytes()
    assert (found["a"].dtype, found["b"].dtype) == ("F16", "F32")


def test_content_is_weights_and_not_files(tmp_path, monkeypatch):
    """The same in one file or in many, with metadata or without, read in blocks of whatever size."""
    one = content(whole(tmp_path / "one"))
    assert content(sharded(tmp_path / "many")) == one
    assert content(whole(tmp_path / "noted", format="pt", by="someone")) == one
    monkeypatch.setattr(checkpoint_files, "BLOCK", 5)
    assert content(whole(tmp_path / "again")) == one
    assert len(one) == 32


@pytest.mark.parametrize(
    "other",
    [
        WEIGHTS | {"a": np.array([1.5, -2.5], dtype=np.float16)},
        WEIGHTS | {"b": WEIGHTS["b"].reshape(3, 2)},
        WEIGHTS | {"a": WEIGHTS["a"].view(np.int16)},
        {"a": WEIGHTS["b"], "b": WEIGHTS["a"]},
        {"b": WEIGHTS["b"]},
    ],
    ids=["value", "shape", "type", "names", "fewer"],
)
def test_any_other_weights_have_other_content(tmp_path, other):
    assert content(whole(tmp_path / "other", other)) != content(whole(tmp_path / "one"))


def test_a_file_that_changes_is_read_again(tmp_path):
    folder = whole(tmp_path / "one")
    before = content(folder)
    whole(folder, {"a": np.zeros(9, dtype=np.float32)})
    assert content(folder) != before
    assert list(tensors_in(folder)) == ["a"]


def test_weights_are_read_in_single_precision(tmp_path):
    weights = WEIGHTS | {"wide": np.array([1 / 3])}
    for folder in (whole(tmp_path / "one", weights), sharded(tmp_path / "many", weights)):
        found = arrays(folder)
        assert list(found) == ["a", "b", "wide"]
        assert {value.dtype for value in found.values()} == {np.dtype(np.float32)}
        for name, value in weights.items():
            assert np.array_equal(found[name], value.astype(np.float32))


def test_what_is_written_is_read_again_with_its_config(tmp_path):
    turned = {"x": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    write(turned, {"kind": "made", "width": 3}, tmp_path / "new" / "deep")
    assert np.array_equal(arrays(tmp_path / "new" / "deep")["x"], turned["x"])
    assert json.loads((tmp_path / "new" / "deep" / "config.json").read_text()) == {"kind": "made", "width": 3}


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ({"a": (2,), "b": (2, 3), "c": (1,)}, "it has no 'c'"),
        ({"a": (2,), "b": (3, 2)}, "'b' has shape [2, 3], and this config's [3, 2]"),
        ({"b": (2, 3)}, "this config's has no 'a'"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, wanted, line):
    folder = whole(tmp_path / "one")
    require_shapes(folder, {"a": (2,), "b": (2, 3)})
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole line follows
        require_shapes(folder, wanted)
    assert str(refused.value) == f"checkpoint: {str(folder)!r} is of another model: {line}"


def no_file(folder):
    folder.mkdir()
    return folder


def pickled(folder):
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"")
    return folder


BROKEN = {
    "nothing": (no_file, "checkpoint: '{}' has no model.safetensors"),
    "a pickle": (
        pickled,
        "checkpoint: '{}' holds weights as pytorch_model.bin and no model.safetensors; pickles run code",
    ),
    "no tensor": (lambda f: whole(f, {}), "checkpoint: '{}' holds no tensor"),
    "an index of nothing": (
        lambda f: sharded(f, index="{}"),
        "checkpoint: '{}/model.safetensors.index.json' is no index",
    ),
    "an index of text": (
        lambda f: sharded(f, index="x"),
        "checkpoint: '{}/model.safetensors.index.json' is no index of",
    ),
    "an index of a list": (
        lambda f: sharded(f, index="[]"),
        "checkpoint: '{}/model.safetensors.index.json' is no index",
    ),
    "an index of files elsewhere": (
        lambda f: sharded(f, index='{"weight_map": {"a": "../part.safetensors"}}'),
        "checkpoint: '{}/model.safetensors.index.json' names files outside its folder",
    ),
    "a shard that is missing": (
        lambda f: sharded(f, index='{"weight_map": {"a": "other.safetensors"}}'),
        "checkpoint: '{}' has no other.safetensors",
    ),
    "a byte too few": (
        lambda f: damaged(f, lambda raw: raw[:-1]),
        "checkpoint: '{}/model.safetensors' is cut short or dam",
    ),
    "a byte too many": (
        lambda f: damaged(f, lambda raw: raw + b"x"),
        "checkpoint: '{}/model.safetensors' is cut short or",
    ),
    "an empty file": (
        lambda f: damaged(f, lambda raw: b""),
        "checkpoint: '{}/model.safetensors' is no safetensors file, or",
    ),
    "a header beyond the file": (
        lambda f: damaged(f, lambda raw: struct.pack("<Q", len(raw) - 7) + raw[8:]),
        "checkpoint: '{}/model.safetensors' is no safetensors file, or is damaged (no header)",
    ),
    "too few bytes for its shape": (
        lambda f: damaged(f, lambda raw: header(shape=[3])),
        "checkpoint: '{}/model.safetensors' is no safetensors file, or is damaged (8 bytes for shape [3] of F32)",
    ),
    "no shape": (
        lambda f: damaged(f, lambda raw: header(shape=None)),
        "checkpoint: '{}/model.safetensors' is no safetensors file, or is damaged (",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_checkpoint_is_refused_in_one_line_that_names_the_file(tmp_path, name):
    make, line = BROKEN[name]
    folder = make(tmp_path / "broken")
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - its beginning follows
        content(folder)
    assert str(refused.value).startswith(line.format(folder))
    assert "\n" not in str(refused.value)


def test_a_header_may_fill_its_file_and_types_of_any_width_are_measured(tmp_path):
    for dtype, shape in (("F32", [2]), ("F16", [4]), ("F64", [1]), ("BF16", [2, 2]), ("F8_E4M3", [8])):
        folder = damaged(tmp_path / dtype, lambda raw, d=dtype, s=shape: header(dtype=d, shape=s))
        assert tensors_in(folder)["x"].shape == tuple(shape)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "path: give a local folder (`path`) or a `repository` of the hub"),
        ({"path": "a", "repository": "b/c"}, "path: give a local folder (`path`) or a `repository` of the hub"),
        ({"path": "a", "revision": "v2"}, "revision: a local folder has none; leave it out"),
    ],
)
def test_a_checkpoint_lies_in_one_place(fields, line):
    with pytest.raises(ValidationError) as refused:
        Checkpoint(**fields)
    assert line in str(refused.value)


def test_a_place_is_a_folder_that_exists_or_a_revision(tmp_path):
    assert Checkpoint(path=str(tmp_path)).folder() == tmp_path
    assert Checkpoint(path="here").place == "here"
    assert Checkpoint(repository="o/m", revision="v2").place == "o/m@v2"
    with pytest.raises(ValueError, match=r"^checkpoint\.path: no such folder: 'nowhere'$"):
        Checkpoint(path="nowhere").folder()
    missing = (
        r"^checkpoint\.repository: 'o/m' at revision 'v2' can't be read \(the local cache holds no such revision\)$"
    )
    with pytest.raises(ValueError, match=missing):
        Checkpoint(repository="o/m", revision="v2").folder(fetch=False)

"""A truncated or altered artifact is set aside, reported and counted as absent; never used."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from trainables import Cell, run
from trainables.lineage import make_key
from trainables.store import Payload, manifest, open_store, payload_io
from trainables.store.orphans import leftovers, sweep

KEY = make_key("test", part=1)


@pytest.fixture
def fresh(monkeypatch):
    """As in a new process: no checksum has been verified yet."""
    monkeypatch.setattr(payload_io, "_checked", {})


def full() -> Payload:
    from datasets import Dataset

    return Payload(
        meta={"rows": 4000, "loss": 0.125},
        tensors={"x": np.arange(6000.0)},
        table=Dataset.from_dict({"x": list(range(4000))}),
        files={"picture": bytes(range(256)) * 200},
    )


def flip(path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", ["json", "safetensors", "arrow", "bin"])
@pytest.mark.parametrize("how", ["truncated", "altered", "emptied", "lost"])
def test_damage_of_any_file_is_found_and_set_aside(tmp_path, fresh, caplog, suffix, how):
    store = open_store(str(tmp_path))
    store.put("batch", KEY, full())
    (file,) = (tmp_path / "batch").rglob(f"{KEY}*.{suffix}")
    size = file.stat().st_size
    if how == "truncated":
        file.write_bytes(file.read_bytes()[: size - 8])
    elif how == "altered":
        flip(file, size // 2)
    elif how == "emptied":
        file.write_bytes(b"")
    else:
        file.unlink()
    payload_io.forget_checks()
    with caplog.at_level(logging.WARNING):
        assert store.get("batch", KEY) is None
    if (suffix, how) == ("json", "lost"):
        return
    assert f"batch/{KEY} is damaged" in caplog.text
    assert not store.has("batch", KEY)
    aside = {path.name.rpartition(".")[2] for path in (tmp_path / "quarantine" / "batch").rglob("*.*.*")}
    assert "json" in {path.suffix[1:] for path in (tmp_path / "quarantine").rglob("*") if path.is_file()}
    assert suffix == "json" or how == "lost" or suffix in aside
    store.once("batch", KEY, full)
    assert store.get("batch", KEY).meta == full().meta


def test_damage_done_while_a_process_lives_is_found_too(tmp_path):
    store = open_store(str(tmp_path))
    store.put("model", KEY, Payload(tensors={"x": np.ones(6000)}))
    assert store.get("model", KEY) is not None
    (file,) = (tmp_path / "model").rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-8])
    assert store.get("model", KEY) is None


def test_every_single_digit_of_a_small_record_is_covered(tmp_path):
    store = open_store(str(tmp_path))
    payload = Payload(meta={"loss": 0.125, "n": 3}, tensors={"x": np.ones(3)})
    store.put("record", KEY, payload)
    file = tmp_path / manifest.path("record", KEY)
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(whole)
        flip(file, place)
        assert store.get("record", KEY) is None, whole[: place + 1]


def test_an_artifact_under_another_key_is_not_used(tmp_path):
    store = open_store(str(tmp_path))
    other = make_key("test", part=2)
    store.put("record", KEY, Payload(meta={"loss": 1.0}))
    target = tmp_path / manifest.path("record", other)
    target.parent.mkdir(exist_ok=True)
    target.write_bytes((tmp_path / manifest.path("record", KEY)).read_bytes())
    assert store.get("record", other) is None
    assert store.get("record", KEY) is not None


@pytest.mark.parametrize("kind", ["record", "model", "batch"])
def test_a_recursion_repairs_what_is_damaged_to_the_last_digit(tmp_path, fresh, kind):
    cell = Cell.model_validate(
        {"family": {"kind": "gaussian"}, "policy": {"kind": "accumulate"}, "generations": 4, "replicates": 60}
    )
    undisturbed = [record.model_dump(exclude={"seconds"}) for record in run(cell, str(tmp_path))]
    held = {path: path.read_bytes() for path in (tmp_path / kind).rglob("*.*")}
    for path in held:
        flip(path, path.stat().st_size // 2)
    for path in (tmp_path / "record").rglob("*.json"):
        path.unlink()
    payload_io.forget_checks()
    assert [record.model_dump(exclude={"seconds"}) for record in run(cell, str(tmp_path))] == undisturbed


def test_leftovers_are_what_no_artifact_needs(tmp_path):
    store = open_store(str(tmp_path))
    store.put("model", KEY, Payload(tensors={"x": np.ones(6000)}))
    for number in range(2):
        store.put("model", f"{KEY}{number}", Payload(tensors={"x": np.ones(6000)}))
    needed = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    shard = tmp_path / "model" / KEY[:2]
    half = [shard / f"{KEY}.0badc0de.0.safetensors", shard / f"{KEY[:2]}ff.0badc0de.0.arrow"]
    half += [shard / f"{KEY}.json.{'0' * 16}.tmp", tmp_path / f"format.json.{'0' * 16}.tmp"]
    (tmp_path / "leases").mkdir()
    half += [tmp_path / "leases" / f"model-{KEY}.1", tmp_path / "quarantine" / "model" / "x" / "x.json"]
    for path in half:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    assert leftovers(store) == []
    assert {tmp_path / path for path, _ in leftovers(store, age=0.0)} == set(half)
    assert sweep(store, age=0.0) == 5 * len(half)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == needed

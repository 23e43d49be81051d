"""Every store gives back exactly what was put, at every place by the same code."""

from __future__ import annotations

import json
import os
import pickle
import secrets
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainables import Cell, run
from trainables.lineage import make_key
from trainables.store import FsspecStore, Payload, Store, StoreError, fsspec_store, open_store
from trainables.store.memory import settled

KEY = make_key("test", part=1)


@pytest.fixture(params=["memory", "local", "fsspec"])
def store(request, tmp_path, monkeypatch) -> Store:
    """An empty store of each sort; `fsspec` goes the way of object stores."""
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))
    urls = {"memory": None, "local": str(tmp_path / "store"), "fsspec": f"memory://{secrets.token_hex(8)}/store"}
    return open_store(urls[request.param])


def same(one: Payload, other: Payload) -> bool:
    """Equal to the last bit, types and shapes and the order of names included."""
    tensors = [
        (a, x.dtype, x.shape, x.tobytes()) == (b, y.dtype, y.shape, y.tobytes())
        for (a, x), (b, y) in zip(one.tensors.items(), other.tensors.items(), strict=True)
    ]
    tables = (one.table is None) == (other.table is None)
    if one.table is not None and other.table is not None:
        tables = one.table.to_list() == other.table.to_list() and one.table.features == other.table.features
    return all(tensors) and tables and one.meta == other.meta and one.files == other.files


@pytest.mark.parametrize("size", [3, 20_000], ids=["inline", "files"])
def test_a_payload_comes_back_as_it_was_put(store, size):
    rng = np.random.default_rng(0)
    payload = Payload(
        meta={"rows": 3, "nested": {"a": [1, 2.5, None, "ü"]}, "tiny": 5e-324, "third": 1 / 3},
        tensors={
            "z": rng.standard_normal((size, 3)),
            "a": rng.integers(0, 9, size),
            "scalar": np.float32(2).reshape(()),
        },
        files={"../picture.png": bytes(size), "b": b""},
    )
    store.put("model", KEY, payload, {"data": "batch/x1"})
    found = store.get("model", KEY)
    assert found is not None
    assert same(found, payload)
    about = store.describe("model", KEY)
    assert about is not None
    assert (about.name, about.parents, about.meta) == (f"model/{KEY}", {"data": "batch/x1"}, payload.meta)
    assert about.size >= 25 * size


DTYPES = ["<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", "|b1", "<c8", ">f8", ">i4"]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    arrays=st.dictionaries(
        st.text(min_size=1, max_size=5).filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))),
        max_size=4,
    ),
    large=st.booleans(),
)
def test_any_array_comes_back_whatever_its_layout(tmp_path_factory, arrays, large):
    tensors = {name: value.T for name, value in arrays.items()}
    if large:
        tensors["large"] = np.zeros(5000)
    store = open_store(str(tmp_path_factory.mktemp("arrays")))
    store.put("model", KEY, Payload(tensors=tensors))
    found = store.get("model", KEY)
    assert found is not None
    assert list(found.tensors) == list(tensors)
    for name, value in tensors.items():
        back = found.tensors[name]
        assert back.shape == value.shape
        assert back.tobytes() == value.astype(value.dtype.newbyteorder("<")).tobytes()
        assert back.flags.c_contiguous


def test_an_array_of_a_type_without_a_name_is_refused(tmp_path):
    store = open_store(str(tmp_path))
    with pytest.raises(ValueError, match=r"'x' is of type complex128"):
        store.put("model", KEY, Payload(tensors={"x": np.zeros(9, complex)}))
    assert not store.has("model", KEY)


@pytest.mark.parametrize("meta", [{"loss": float("nan")}, {"loss": float("inf")}, {"loss": np.int64(3)}])
def test_meta_that_is_no_plain_json_is_refused(store, meta):
    with pytest.raises(ValueError, match=r"^meta: "):
        store.put("record", KEY, Payload(meta=meta))
    assert not store.has("record", KEY)


def test_tables_come_back_as_their_rows_whatever_they_were_selected_from(store):
    from datasets import Dataset

    whole = Dataset.from_dict({"ids": [[i, i + 1] for i in range(500)], "name": [str(i) for i in range(500)]})
    for number, table in enumerate([whole, whole.select([7, 3, 3, 499]), whole.select([]), whole.shuffle(seed=1)]):
        payload = Payload(meta={"rows": table.num_rows}, table=table)
        store.put("batch", f"{KEY}{number}", payload)
        found = store.get("batch", f"{KEY}{number}")
        assert same(found, payload)


def test_a_column_of_one_piece_is_read_without_a_copy(tmp_path):
    import pyarrow as pa
    from datasets import Dataset

    table = Dataset(pa.table({"x": np.arange(100_000)}))
    store = open_store(str(tmp_path))
    store.put("batch", KEY, Payload(table=table))
    store.put("batch", "other", Payload(table=table.shuffle(seed=0)))
    before = pa.total_allocated_bytes()
    column = store.get("batch", KEY).table.data.column("x")
    assert column.num_chunks == 1
    values = column.chunk(0).to_numpy(zero_copy_only=True)
    assert values.sum() == 100_000 * 99_999 // 2
    assert pa.total_allocated_bytes() - before < 10_000
    assert store.get("batch", "other").table.data.column("x").num_chunks == 10


def test_changing_an_array_that_was_read_changes_no_artifact(tmp_path):
    store = open_store(str(tmp_path))
    for rows in (10, 10_000):
        store.put("model", KEY, Payload(tensors={"x": np.ones(rows)}))
        store.get("model", KEY).tensors["x"][:] = 7
        assert (open_store(str(tmp_path)).get("model", KEY).tensors["x"] == 1).all()


def test_once_computes_what_is_missing_and_nothing_else(store):
    calls = []

    def compute() -> Payload:
        calls.append(1)
        return Payload(meta={"pair": (1, 2)}, tensors={"x": np.asfortranarray(np.arange(6.0).reshape(2, 3))})

    first, second = store.once("model", KEY, compute), store.once("model", KEY, compute)
    assert calls == [1]
    assert same(first, second)
    assert first.tensors["x"].flags.c_contiguous
    assert first.meta == {"pair": [1, 2]}


def test_errors_of_what_is_computed_are_passed_on_and_leave_the_key_free(store):
    with pytest.raises(FileNotFoundError, match="my own"):
        store.once("model", KEY, lambda: open_nothing())
    assert store.busy("model", KEY) is None
    assert store.once("model", KEY, lambda: Payload(meta={"ok": 1})).meta == {"ok": 1}


def open_nothing() -> Payload:
    raise FileNotFoundError("my own")


def test_what_is_there_can_be_listed_and_removed(store):
    keys = sorted(make_key("test", part=i) for i in range(5))
    for number, key in enumerate(keys):
        store.put("record", key, Payload(meta={"n": number}, tensors={"x": np.zeros(6000)}))
    store.put("model", KEY, Payload())
    assert set(store.kinds()) - {"provenance"} == {"model", "record"}
    assert list(store.keys("record")) == keys
    assert list(store.keys("record", keys[2][:9])) == [keys[2]]
    assert list(store.keys("record", "f" * 9)) == []
    assert [a.meta["n"] for a in store.walk("record")] == list(range(5))
    store.delete("record", keys[1])
    store.delete("record", "absent")
    assert list(store.keys("record")) == [keys[0], *keys[2:]]
    assert store.get("record", keys[1]) is None
    assert list(store.walk("none")) == []


def test_an_artifact_that_was_put_again_is_read_as_the_last_one(store):
    for value in (1.0, 2.0):
        store.put("model", KEY, Payload(tensors={"x": np.full(6000, value)}))
    assert store.get("model", KEY).tensors["x"][0] == 2.0


def test_a_removed_artifact_leaves_no_file(tmp_path):
    store = open_store(str(tmp_path))
    store.put("model", KEY, Payload(tensors={"x": np.zeros(6000)}, files={"p": bytes(40_000)}))
    assert len(list((tmp_path / "model").rglob("*.*"))) == 3
    store.delete("model", KEY)
    assert not list((tmp_path / "model").rglob("*.*"))


@pytest.mark.parametrize(("kind", "key"), [("model", "../../etc"), ("leases", "abc"), ("a/b", "abc"), ("model", "")])
def test_no_name_leads_out_of_the_store(tmp_path, kind, key):
    store = open_store(str(tmp_path / "store"))
    for act in (lambda: store.put(kind, key, Payload()), lambda: store.get(kind, key), lambda: store.has(kind, key)):
        with pytest.raises(ValueError, match="letters, digits"):
            act()


def test_a_store_survives_pickling(tmp_path):
    store = FsspecStore(str(tmp_path), wait=False)
    store.put("model", KEY, Payload(meta={"x": 1}))
    again = pickle.loads(pickle.dumps(store))  # noqa: S301 - as Ray sends it to its own workers
    assert again.get("model", KEY).meta == {"x": 1}


def test_opening_a_place_that_is_not_there_writes_nothing(tmp_path):
    store = open_store(str(tmp_path / "a" / "b"))
    assert (store.get("model", KEY), store.kinds(), store.busy("model", KEY)) == (None, [], None)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("found", "advice"), [(2, "upgrade collapse-sweep"), (0, "use the version that wrote it"), ("x", "use the version")]
)
def test_another_format_is_refused_with_what_to_do(tmp_path, found, advice):
    (tmp_path / "format.json").write_text(json.dumps({"format": found}))
    with pytest.raises(StoreError, match=advice) as refused:
        open_store(str(tmp_path))
    assert "\n" not in str(refused.value)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(StoreError, match=r"holds 'thesis.docx' but no format.json"):
        open_store(str(tmp_path))


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "abfss://bucket/x"])
def test_a_url_that_no_library_speaks_is_refused(url):
    with pytest.raises(StoreError, match=r"^store \w+://bucket/x: "):
        open_store(url)


def test_every_artifact_says_with_what_it_was_made_and_its_key_does_not(tmp_path):
    cell = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "generations": 2})
    records = [record.model for record in run(cell, str(tmp_path))]
    store = open_store(str(tmp_path))
    runs = {artifact.made["run"] for kind in ("record", "model", "batch") for artifact in store.walk(kind)}
    assert len(runs) == 1
    made = store.get("provenance", runs.pop()).meta
    assert made["packages"]["numpy"] == np.__version__
    assert made["hardware"]["cores"] == os.cpu_count()
    assert set(made) == {"git", "packages", "python", "hardware"}
    assert records == [record.model for record in run(cell)]


def test_records_do_not_depend_on_where_artifacts_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))
    cell = Cell.model_validate(
        {"family": {"kind": "gaussian", "dim": 3}, "policy": {"kind": "accumulate"}, "generations": 6, "replicates": 50}
    )
    places = [None, str(tmp_path / "store"), f"memory://{secrets.token_hex(8)}"]
    told = [[record.model_dump(exclude={"seconds"}) for record in run(cell, place)] for place in places]
    assert told[0] == told[1] == told[2]


def test_reading_small_records_loads_no_library_of_data(tmp_path):
    open_store(str(tmp_path)).put("record", KEY, Payload(meta={"x": 1}, tensors={"y": np.ones(3)}))
    code = (
        "import sys; from trainables.store import open_store\n"
        f"print(open_store({str(tmp_path)!r}).get('record', {KEY!r}).tensors['y'].sum())\n"
        "print(sorted({'datasets', 'pyarrow', 'torch', 'safetensors', 'fsspec', 's3fs'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == ["3.0", "[]"]


def test_only_what_is_dear_is_forced_onto_the_disk(tmp_path, monkeypatch):
    now = 0.0

    def takes(seconds: float) -> Payload:
        nonlocal now
        now += seconds
        return large

    store = open_store(str(tmp_path))
    store.put("record", "first", Payload())
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    large = Payload(tensors={"x": np.ones(6000)})
    monkeypatch.setattr(fsspec_store, "time", SimpleNamespace(monotonic=lambda: now))
    store.once("model", "cheap", lambda: takes(0.9 * fsspec_store.CHEAP))
    assert synced == []
    store.once("model", "dear", lambda: takes(1.1 * fsspec_store.CHEAP))
    assert len(synced) == 3  # the tensors, the manifest, the folder that names them


@pytest.mark.parametrize(
    "meta",
    [
        {"z": 1, "a": {"y": [1.5, (2, None)], "b": {"10": 0.1, "9": -0.0}}, "text": "\u00e9\ud800", "yes": True},
        {"numbers": {3: 1.0, 2: "two"}, "numpy": np.float64(0.1), "many": {"x": np.float64(2), "w": 10**30}},
        {"mixed": {"a": 1.0, "b": 1}, "empty": [{}, [], ()]},
    ],
)
def test_meta_comes_back_as_from_its_text(meta):
    """Values, their types and the order of names, whichever way they take."""
    kept = settled(Payload(meta=meta)).meta
    assert repr(kept) == repr(json.loads(json.dumps(meta, sort_keys=True)))


@pytest.mark.parametrize("bad", [float("nan"), [float("inf")], {"a": {"b": np.int64(1)}}, {"a": {1, 2}}, b"x"])
def test_meta_that_has_no_text_is_refused(bad):
    with pytest.raises(ValueError, match="meta: an artifact's meta must be plain JSON with finite numbers"):
        settled(Payload(meta={"x": bad}))

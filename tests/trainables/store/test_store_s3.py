"""The same store on a real S3 server, run on this machine: the code path of every object store."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest

from trainables import Cell, run
from trainables.lineage import make_key
from trainables.store import FsspecStore, Payload, StoreError, manifest, open_store, payload_io
from trainables.store.orphans import leftovers, sweep
from trainables.store.remote_backend import Cache

KEY = make_key("test", part=1)

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:(botocore|aiobotocore|moto|werkzeug|s3fs).*"),
]


@pytest.fixture(scope="module")
def server():
    """Endpoint of an S3 server, and the environment that makes every client use it."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        S3FileSystem.clear_instance_cache()  # other tests of this process had servers of their own
        for name, value in settings.items():
            patch.setenv(name, value)
        yield settings["AWS_ENDPOINT_URL"]
    S3FileSystem.clear_instance_cache()
    running.stop()


@pytest.fixture
def url(server, tmp_path, monkeypatch) -> str:
    """A new bucket, and a cache of its own."""
    import boto3

    bucket = f"b{time.time_ns()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))
    return f"s3://{bucket}/deep/store"


def cell(**more) -> Cell:
    family = {"kind": "gaussian", "dim": 3}
    given = {"family": family, "policy": {"kind": "accumulate"}, "rows": 30, "replicates": 1000, "generations": 3}
    return Cell.model_validate(given | more)


def told(of: Cell, store: str | None) -> list[dict]:
    return [record.model_dump(exclude={"seconds"}) for record in run(of, store)]


def test_a_recursion_on_s3_is_that_in_memory_and_goes_on_where_it_stopped(url):
    assert told(cell(), url) == told(cell(), None)
    store = open_store(url)
    before = {key: store.describe("model", key).made["at"] for key in store.keys("model")}
    assert told(cell(generations=4), url) == told(cell(generations=4), None)
    after = {key: store.describe("model", key).made["at"] for key in store.keys("model")}
    assert len(after) == 4
    assert before.items() <= after.items()
    assert [record.meta["corpus_rows"] for record in store.walk("record")] != []
    assert store.kinds() == ["batch", "model", "provenance", "record"]


def test_tables_tensors_and_files_are_read_through_the_cache(url, tmp_path):
    from datasets import Dataset

    payload = Payload(
        {"rows": 3}, {"x": np.arange(9000.0)}, Dataset.from_dict({"x": [[1], [2, 3]]}), {"p": b"1" * 40_000}
    )
    FsspecStore(url).put("batch", KEY, payload)
    for _ in range(2):
        found = FsspecStore(url).get("batch", KEY)
        assert (found.tensors["x"] == payload.tensors["x"]).all()
        assert found.table.to_list() == payload.table.to_list()
        assert found.files == payload.files
        for path in (tmp_path / "cache").glob("??/*"):
            path.unlink()  # the second time, everything comes from the server


def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_set_aside(url, tmp_path, caplog):
    store = FsspecStore(url)
    payload = Payload(tensors={"x": np.arange(9000.0)})
    store.put("model", KEY, payload)
    (held,) = (tmp_path / "cache").glob("??/*")
    held.write_bytes(held.read_bytes()[:-8])
    assert (store.get("model", KEY).tensors["x"] == payload.tensors["x"]).all()
    assert "is damaged" not in caplog.text
    (file,) = manifest.decode(store.place.read(manifest.path("model", KEY)), "model", KEY).files()
    store.place.write(file, store.place.read(file)[:-1] + b"\x01")
    for path in (tmp_path / "cache").glob("??/*"):
        path.unlink()
    payload_io.forget_checks()
    assert store.get("model", KEY) is None
    assert "is damaged" in caplog.text
    assert not store.has("model", KEY)
    assert sum(path.startswith("quarantine/") for path, _ in leftovers(store, age=0.0)) == 2
    assert sweep(store, age=0.0) > 0
    assert leftovers(store, age=0.0) == []


def compute(url: str, log: str, number: int) -> None:
    def once() -> Payload:
        with open(log, "a+") as file:
            file.write(f"{number}\n")
            file.flush()
            file.seek(0)
            first = len(file.readlines()) == 1
        time.sleep(600.0 if first else 0.0)  # the first one is killed in the middle
        return Payload(meta={"by": number})

    FsspecStore(url).once("model", KEY, once)


def test_processes_on_s3_compute_a_key_once_and_take_over_from_a_killed_one(url, tmp_path):
    context = multiprocessing.get_context("spawn")
    log = tmp_path / "log"
    workers = [context.Process(target=compute, args=(url, str(log), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    while not (log.exists() and log.read_text().endswith("\n")):
        assert any(worker.is_alive() for worker in workers)
        time.sleep(0.02)
    first = int(log.read_text())
    workers[first].kill()
    for worker in workers:
        worker.join()
    by = [int(line) for line in log.read_text().split()]
    assert len(by) == 2
    assert FsspecStore(url).get("model", KEY).meta == {"by": by[1]}
    assert FsspecStore(url).place.names("leases") == []


@pytest.mark.parametrize(("bucket", "said"), [("s3://no-such-bucket/x", "bucket"), ("s3://127.0.0.1/x", "")])
def test_a_bucket_that_is_not_there_is_one_line(server, bucket, said):
    with pytest.raises(StoreError, match=rf"^store {bucket}: can't be used: .*{said}") as refused:
        open_store(bucket).put("record", KEY, Payload())
    assert "\n" not in str(refused.value)


def test_a_server_out_of_reach_is_one_line(monkeypatch):
    from s3fs import S3FileSystem

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match=r"^store s3://bucket/x: can't be used: .*127.0.0.1:9") as refused:
        open_store("s3://bucket/x").put("record", KEY, Payload())
    assert "\n" not in str(refused.value)
    S3FileSystem.clear_instance_cache()


def test_the_cache_drops_what_is_oldest(tmp_path, monkeypatch):
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path))
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE_BYTES", "2500")
    cache = Cache()
    for number in range(4):
        with cache.entering() as path:
            with open(path, "wb") as file:
                file.write(bytes(1000))
            os.utime(path, (number, number))
            cache.keep(path, f"{number}" * 64)
    assert [cache.path(f"{number}" * 64).exists() for number in range(4)] == [False, False, True, True]
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("home", ["/proc/nowhere", None])
def test_without_a_home_the_cache_is_in_the_temporary_folder(tmp_path, monkeypatch, home):
    def lost(_):
        raise RuntimeError("Could not determine home directory.")

    for name in ("COLLAPSE_SWEEP_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pathlib.Path.home", classmethod(lost if home is None else lambda _: Path(home)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert Cache().folder == tmp_path / "collapse-sweep"

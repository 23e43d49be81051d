"""Where files lie: a folder and an fsspec URL are one contract; what a store's own files and refusals say."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import secrets
import shlex
from pathlib import Path

import pytest

from trainables.lineage import make_key
from trainables.store import FsspecStore, MemoryStore, Payload, Store, StoreError, leftovers, open_place, open_store
from trainables.store.backend import LocalPlace, Place, checksum
from trainables.store.base import Busy, Holder
from trainables.store.fsspec_store import _reason
from trainables.store.orphans import AGE
from trainables.store.remote_backend import CHUNK, Cache

KEY = make_key("place", part=1)


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path / "cache"))
    urls = {"folder": str(tmp_path), "file://": f"file://{tmp_path}", "memory://": f"memory://{secrets.token_hex(6)}/x"}
    return open_place(urls[request.param])


def test_a_file_is_there_as_it_was_written_until_it_is_removed(place: Place) -> None:
    assert not place.exists("a/b/c")
    with pytest.raises(FileNotFoundError):
        place.read("a/b/c")
    for data in (b"one", b"", b"another"):
        place.write("a/b/c", data)
        assert (place.read("a/b/c"), place.size("a/b/c"), place.exists("a/b/c")) == (data, len(data), True)
    place.remove("a/b/c")
    place.remove("a/b/c")
    assert not place.exists("a/b/c")


def test_a_file_is_created_once(place: Place) -> None:
    assert place.create("leases/x.1", b"mine")
    assert not place.create("leases/x.1", b"another's")
    assert place.read("leases/x.1") == b"mine"


def test_names_are_those_of_one_folder_sorted(place: Place) -> None:
    for path in ("k/b", "k/a", "k/sub/c", "other/d", "top"):
        place.write(path, b"1")
    assert place.names("k") == ["a", "b", "sub"]
    assert place.names("k/sub") == ["c"]
    assert place.names("nowhere") == []
    assert {"k", "other", "top"} <= set(place.names(""))


def test_many_files_are_read_in_their_order_and_none_where_there_is_none(place: Place) -> None:
    wanted = [f"m/{number}" for number in range(7)]
    for path in wanted[::2]:
        place.write(path, path.encode())
    found = list(place.read_many(wanted))
    assert found == [path.encode() if number % 2 == 0 else None for number, path in enumerate(wanted)]
    assert list(place.read_many([])) == []


def test_more_files_than_are_asked_for_at_once_are_all_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CHUNK == 500
    monkeypatch.setattr("trainables.store.remote_backend.CHUNK", 2)
    for number in range(5):
        place.write(f"m/{number}", str(number).encode())
    assert list(place.read_many([f"m/{number}" for number in range(5)])) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_file_that_is_moved_is_elsewhere_and_moving_nothing_is_nothing(place: Place) -> None:
    place.write("a/x", b"1")
    place.move("a/x", "q/deep/y")
    place.move("a/x", "q/z")
    assert (place.exists("a/x"), place.read("q/deep/y"), place.exists("q/z")) == (False, b"1", False)


def test_a_staged_file_has_its_size_and_digest_and_a_local_copy(place: Place) -> None:
    def write(path: str) -> None:
        Path(path).write_bytes(b"content")

    size, digest = place.stage("model/ab/x.bin", write)
    assert (size, digest) == (7, hashlib.sha256(b"content").hexdigest())
    assert place.read("model/ab/x.bin") == b"content"
    assert Path(place.local("model/ab/x.bin", digest)).read_bytes() == b"content"


def test_what_fails_while_it_is_staged_leaves_nothing(place: Place) -> None:
    def fail(path: str) -> None:
        Path(path).write_bytes(b"half")
        raise ArithmeticError("diverged")

    with pytest.raises(ArithmeticError):
        place.stage("model/ab/x.bin", fail)
    assert not place.exists("model/ab/x.bin")


def test_a_stamp_changes_with_a_sign_of_life_and_ages_are_by_the_place_s_clock(place: Place) -> None:
    place.write("leases/x.1", b"card 1")
    before = place.stamp("leases/x.1")
    assert place.stamp("leases/x.1") == before
    if isinstance(place, LocalPlace):
        os.utime(f"{place.url}/leases/x.1", (0, 5))
    else:
        place.touch("leases/x.1", b"card 2")
    assert place.stamp("leases/x.1") != before
    place.touch("leases/x.1", b"card 3")
    now = place.now()
    assert -1 <= place.age("leases/x.1", now) < 60
    assert place.age("leases/x.1", now + 100) - place.age("leases/x.1", now) == pytest.approx(100)
    assert [name for name in place.names("") if name.endswith(".tmp")] == [], "the probe is gone"


def test_a_checksum_is_of_the_whole_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)) * 5000)
    assert checksum(str(tmp_path / "x"), sync=True) == (
        1_280_000,
        hashlib.sha256(bytes(range(256)) * 5000).hexdigest(),
    )


def test_a_home_in_a_path_is_the_user_s_and_a_relative_one_is_made_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert open_place("~/runs").url == "/home/me/runs"
    assert open_place("runs").url == os.path.abspath("runs")


def test_a_store_is_marked_with_its_format_before_anything_else(tmp_path: Path) -> None:
    store = FsspecStore(str(tmp_path))
    assert (store.begun, list(tmp_path.iterdir())) == (False, [])
    store.begin()
    store.begin()
    assert store.begun
    assert json.loads((tmp_path / "format.json").read_text()) == {"format": 1, "what": "collapse-sweep store"}
    assert FsspecStore(str(tmp_path)).begun
    assert store.kinds() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "format.json is damaged"),
        ("[]", "format.json is damaged"),
        ("{}", "format.json is damaged ('format')"),
        ('{"format": 9}', "is of format 9, this version reads format 1; upgrade collapse-sweep"),
        (
            '{"format": "x"}',
            "is of format x, this version reads format 1; use the version that wrote it, or a new workspace",
        ),
    ],
)
def test_a_mark_that_is_not_this_version_s_is_refused_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "format.json").write_text(text)
    with pytest.raises(StoreError) as caught:
        open_store(str(tmp_path))
    assert str(caught.value).startswith(f"store {tmp_path}: {said}")
    assert "\n" not in str(caught.value)
    if "damaged" in said:
        command = str(caught.value).partition("; restore it: ")[2]
        words = shlex.split(command)
        assert (words[0], words[2], words[3]) == ("echo", ">", f"{tmp_path}/format.json")
        (tmp_path / "format.json").write_text(words[1])
        assert open_store(str(tmp_path)).begun  # type: ignore[attr-defined]


def test_a_lost_mark_is_restored_and_a_file_that_is_being_written_is_no_stranger(tmp_path: Path) -> None:
    (tmp_path / f"format.json.{'0' * 16}.tmp").touch()
    assert not FsspecStore(str(tmp_path)).begun
    (tmp_path / "record").mkdir()
    with pytest.raises(StoreError, match=r"format.json is lost; if nothing else wrote there, restore it: echo "):
        open_store(str(tmp_path))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full ("),
        (errno.EDQUOT, "the disk is full ("),
        (errno.EROFS, "no permission to write or read there: "),
        (errno.EACCES, "no permission to write or read there: "),
        (errno.EPERM, "no permission to write or read there: "),
        (errno.EIO, "can't be used: "),
    ],
)
def test_what_a_disk_says_is_one_line_with_what_would_help(tmp_path: Path, number: int, said: str) -> None:
    line = _reason(OSError(number, "two\nlines", "x"), str(tmp_path))
    assert line.startswith(said)
    assert line.endswith(f"[Errno {number}] two lines: 'x'")
    assert "\n" not in line
    assert _reason(OSError(errno.ENOSPC, "full"), "s3://x").startswith("the disk is full; make room, for instance with")
    assert _reason(KeyError(), "x") == "can't be used: KeyError"


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_who_is_busy_is_told_and_nobody_is_where_nobody_computes(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else open_store(str(tmp_path))
    seen: list[object] = []

    def compute() -> Payload:
        seen.append(store.busy("model", KEY))
        seen.append(store.claimed("model"))
        return Payload()

    store.once("model", KEY, compute)
    holder = None if kind == "memory" else Holder(os.uname().nodename, os.getpid())
    assert seen == [holder, set() if kind == "memory" else {KEY}]
    assert (store.busy("model", KEY), store.claimed("model"), store.free("model", KEY)) == (None, set(), True)


def test_a_busy_key_and_its_holder_survive_pickling_and_are_one_line() -> None:
    said = Busy("model", "abc", Holder("far", 7))
    assert str(said) == "model/abc is being computed by process 7 on far"
    again = pickle.loads(pickle.dumps(said))  # noqa: S301 - as Ray sends it to its own workers
    assert (str(again), again.holder) == (str(said), said.holder)


def test_a_leftover_counts_from_an_hour_on_by_the_store_s_clock(tmp_path: Path) -> None:
    assert AGE == 3600
    store = FsspecStore(str(tmp_path))
    store.begin()
    stray = tmp_path / f"x.{'0' * 16}.tmp"
    stray.write_bytes(b"123")
    now = store.place.now()
    for age, found in ((AGE - 60, []), (AGE + 60, [(stray.name, 3)])):
        os.utime(stray, (now - age, now - age))
        assert leftovers(store) == found


def test_a_cache_keeps_the_newest_that_fit_and_the_last_in_any_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE", str(tmp_path))
    monkeypatch.setenv("COLLAPSE_SWEEP_CACHE_BYTES", "10")
    cache = Cache()
    for second, (digest, size) in enumerate([("aa1", 4), ("bb2", 6), ("cc3", 1), ("dd4", 99)]):
        with cache.entering() as local:
            Path(local).write_bytes(bytes(size))
            os.utime(local, (second, second))
            cache.keep(local, digest)
        held = {"aa1": ["aa1"], "bb2": ["aa1", "bb2"], "cc3": ["bb2", "cc3"], "dd4": ["dd4"]}[digest]
        assert sorted(path.name for path in tmp_path.glob("??/*")) == held
    with cache.entering() as local:
        Path(local).write_bytes(b"never kept")
    assert list(tmp_path.glob("*.tmp")) == []

"""One process at a time computes a key; a dead holder is found without comparing clocks."""

from __future__ import annotations

import json
import os
import pickle
import secrets
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from trainables.lineage import make_key
from trainables.store import Busy, FsspecStore, Payload, leases

KEY = make_key("test", part=1)
TTL = 0.6
"""Seconds that a silent holder is granted in tests of that."""


@pytest.fixture(params=["local", "fsspec"])
def url(request, tmp_path, monkeypatch) -> str:
    return str(tmp_path / "store") if request.param == "local" else f"memory://{secrets.token_hex(8)}/store"


class Clock:
    """A clock that goes only while the test sleeps by it: how long other things take is not what is claimed."""

    def __init__(self) -> None:
        self.now, self._owner = 0.0, threading.current_thread()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if threading.current_thread() is self._owner:
            self.now += seconds
        else:
            time.sleep(0.01)  # a heart's thread


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """What leases are judged by."""
    made = Clock()
    monkeypatch.setattr(leases, "time", made)
    return made


def elsewhere(store: FsspecStore, number: int = 1) -> str:
    """The lease of a process on another machine."""
    card = {"host": "far", "pid": 7, "machine": "another boot", "beat": 0}
    path = f"{leases.FOLDER}/model-{KEY}.{number}"
    store._mark()
    assert store.place.create(path, json.dumps(card).encode())
    return path


def test_eight_threads_compute_a_key_once(url):
    computed: list[int] = []

    def compute() -> Payload:
        computed.append(1)
        time.sleep(0.2)
        return Payload(meta={"x": 1})

    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(FsspecStore(url).once("model", KEY, compute).meta))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [1]
    assert found == [{"x": 1}] * 8
    assert FsspecStore(url).place.names(leases.FOLDER) == []


class Beats:
    """Counts a holder's signs of life, and is the clock of those who wait: it goes on by a pause between two of them
    each time. So the test holds on a machine, too, on which they come late."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._heard, beat = 0, leases.Heart._beat

        def heard(heart: leases.Heart, number: int) -> bool:
            alive = beat(heart, number)
            self._heard += alive
            return alive

        monkeypatch.setattr(leases.Heart, "_beat", heard)
        monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=self.now, sleep=time.sleep))

    def count(self) -> int:
        return self._heard

    def now(self) -> float:
        return self._heard * TTL / leases.BEATS


def test_a_holder_that_gives_signs_of_life_is_waited_for_however_long(url, monkeypatch):
    monkeypatch.setenv(leases.TTL_VARIABLE, str(TTL))
    beats = Beats(monkeypatch)
    order: list[str] = []

    def slow() -> Payload:
        while beats.count() < 3 * leases.BEATS:  # three times what a silent holder is granted
            time.sleep(0.01)
        order.append("slow")
        return Payload(meta={"by": "slow"})

    first = threading.Thread(target=lambda: FsspecStore(url).once("model", KEY, slow))
    first.start()
    while FsspecStore(url).busy("model", KEY) is None:
        time.sleep(0.01)
    found = FsspecStore(url).once("model", KEY, lambda: order.append("second") or Payload())
    first.join()
    assert order == ["slow"]
    assert found.meta == {"by": "slow"}


@pytest.mark.parametrize("skew", [-86_400.0, 0.0, 86_400.0], ids=["behind", "right", "ahead"])
def test_a_silent_holder_elsewhere_is_taken_over_from_whatever_the_clocks_say(url, skew, monkeypatch, clock):
    store = FsspecStore(url)
    path = elsewhere(store)
    if "://" not in url:
        os.utime(f"{url}/{path}", (time.time() + skew,) * 2)
    monkeypatch.setattr(time, "time", lambda: skew)
    taken = []
    assert store.once("model", KEY, lambda: taken.append(clock.now) or Payload(meta={"x": 1})).meta == {"x": 1}
    assert leases.TTL <= taken[0] < 1.2 * leases.TTL
    assert store.place.names(leases.FOLDER) == []


def test_of_many_that_see_a_dead_holder_one_takes_over(url, monkeypatch):
    monkeypatch.setenv(leases.TTL_VARIABLE, "2")
    elsewhere(FsspecStore(url))
    computed: list[int] = []

    def compute() -> Payload:
        computed.append(1)
        time.sleep(0.3)
        return Payload()

    threads = [threading.Thread(target=FsspecStore(url).once, args=("model", KEY, compute)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [1]


def test_a_holder_that_died_on_this_machine_is_found_at_once(tmp_path):
    code = (
        "import os; from trainables.store import open_store\n"
        f"open_store({str(tmp_path)!r}).once('model', {KEY!r}, lambda: os.kill(os.getpid(), 9))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    store = FsspecStore(str(tmp_path))
    assert store.place.names(leases.FOLDER) == [f"model-{KEY}.1"]
    assert store.busy("model", KEY) is None
    started = time.monotonic()
    assert store.once("model", KEY, lambda: Payload(meta={"x": 1})).meta == {"x": 1}
    assert time.monotonic() - started < leases.TTL / 2, "it is not waited for"


def test_a_lease_that_says_nothing_is_somebodys_until_it_is_silent_for_long(url, clock):
    store = FsspecStore(url)
    store._mark()
    store.place.create(f"{leases.FOLDER}/model-{KEY}.1", b"")
    assert str(store.busy("model", KEY)) == "process 0 on an unknown host"
    assert store.once("model", KEY, lambda: Payload(meta={"x": 1})).meta == {"x": 1}


def test_a_store_that_does_not_wait_says_who_is_busy_and_goes_on_when_it_is_done(url):
    store = FsspecStore(url, wait=False)
    path = elsewhere(store)
    with pytest.raises(Busy, match=f"model/{KEY} is being computed by process 7 on far") as told:
        store.once("record", KEY, lambda: store.once("model", KEY, Payload))
    assert (told.value.kind, told.value.key, told.value.holder.host) == ("model", KEY, "far")
    again = pickle.loads(pickle.dumps(told.value))  # noqa: S301 - as Ray sends it
    assert (str(again), again.holder) == (str(told.value), told.value.holder)
    assert store.busy("record", KEY) is None
    assert store.busy("model", KEY) == told.value.holder
    store.place.remove(path)
    assert store.busy("model", KEY) is None
    store.once("record", KEY, lambda: store.once("model", KEY, Payload))
    assert store.has("model", KEY)


def test_a_store_that_does_not_wait_sees_a_silent_holder_dead_in_time(url, clock):
    store = FsspecStore(url, wait=False)
    elsewhere(store)
    while store.busy("model", KEY) is not None:
        clock.sleep(1.0)
    assert leases.TTL <= clock.now < 1.2 * leases.TTL
    store.once("model", KEY, Payload)


def test_a_process_that_waits_takes_no_cpu(tmp_path, monkeypatch):
    monkeypatch.setenv(leases.TTL_VARIABLE, "2")
    store = FsspecStore(str(tmp_path))
    store.once("record", KEY, Payload)  # what is loaded at first use counts elsewhere
    elsewhere(store)
    used = time.thread_time()
    store.once("model", KEY, Payload)
    assert time.thread_time() - used < 0.1


def test_a_sleeper_that_wakes_up_after_a_takeover_harms_nothing(url, clock):
    store = FsspecStore(url)
    path = elsewhere(store)
    store.once("model", KEY, lambda: Payload(meta={"by": "taker"}))
    store.put("model", KEY, Payload(meta={"by": "sleeper"}))
    store.place.remove(path)
    assert store.once("model", KEY, Payload).meta == {"by": "sleeper"}


def test_heartbeats_end_with_the_last_lease(url, monkeypatch):
    monkeypatch.setenv(leases.TTL_VARIABLE, str(TTL))
    before = set(threading.enumerate())  # hearts of other tests' stores beat once in ten seconds, and end then
    FsspecStore(url).once("model", KEY, Payload)
    deadline = time.monotonic() + 60
    while any(thread.name == "collapse-sweep leases" for thread in set(threading.enumerate()) - before):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_lost_answer_to_a_creation_keeps_nobody_waiting(monkeypatch, clock):
    """The library asks again, is told that the file exists, and it is its own."""
    store = FsspecStore(f"memory://{secrets.token_hex(8)}/store")
    store._mark()
    write, lost = store.place._fs.pipe_file, []

    def lossy(path, data, mode="overwrite", **more):
        write(path, data, mode=mode, **more)
        if mode == "create":
            lost.append(path)
            raise FileExistsError(path)

    monkeypatch.setattr(store.place._fs, "pipe_file", lossy)
    assert store.once("model", KEY, lambda: Payload(meta={"by": "me"})).meta == {"by": "me"}
    assert len(lost) == 1
    assert clock.now == 0.0, "it does not wait for itself"
    monkeypatch.undo()
    assert store.place.create("leases/model-x.1", b"theirs")
    assert not store.place.create("leases/model-x.1", b"ours")


def test_no_two_cards_are_equal():
    """Two threads of one process have the same host and number."""
    assert leases._card() != leases._card()


def test_what_is_claimed_is_listed_in_one_look(tmp_path):
    store = FsspecStore(str(tmp_path))
    keys = [f"{number:032x}" for number in range(3)]
    seen = []

    def compute():
        seen.append(store.claimed("record"))
        return Payload(meta={"value": 1})

    assert store.claimed("record") == set()
    for key in keys:
        store.once("record", key, compute)
    assert seen == [{key} for key in keys]
    assert store.claimed("record") == store.claimed("model") == set()

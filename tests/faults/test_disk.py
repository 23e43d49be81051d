"""A full, read-only or unreachable store: one clear line, nothing lost, nothing half there."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

from tests.support.crew import WORKER, Crew, a_cell, mounted, remount, undisturbed
from trainables import Cell, CellFailed, run
from trainables.families import Diverged
from trainables.families.closed_form.gaussian import Gaussian
from trainables.recursion import collect
from trainables.store import Payload, StoreError, open_store
from trainables.store.orphans import leftovers

LARGE = Payload(meta={"x": 1}, tensors={"x": np.ones(20_000)}, files={"p": bytes(50_000)})


def test_a_disk_that_fills_up_says_so_and_what_was_done_stays(crew: Crew):
    cells = [a_cell("accumulate", 8)]
    with mounted(crew.store, "size=600k"):
        status, records, told = crew.run(cells)
        assert status == 3
        assert told.startswith(f"StoreError: store {crew.store}: the disk is full (")
        assert told.count("\n") == 1
        assert 0 < len(records) < 8
        assert leftovers(open_store(str(crew.store)), age=0.0) == []
        before = crew.computed
        remount(crew.store, "size=20m")
        status, again, _ = crew.run(cells)
        assert (status, again) == (0, undisturbed(cells))
        assert again[: len(records)] == records
        assert crew.repeated <= 1
        assert all(crew.computed[step] == 1 for step in list(before)[:-1])


@pytest.mark.parametrize("fails", ["data", "manifest"])
def test_a_write_without_room_leaves_nothing(tmp_path, monkeypatch, fails):
    store = open_store(str(tmp_path))
    store.put("record", "abc", Payload())
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    left = {"data": 0, "manifest": 2}[fails]
    calls = []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"the disk is full \(\d+ MB free\); make room, .*`collapse-sweep gc`") as told:
        store.put("model", "abc", LARGE)
    assert "\n" not in str(told.value)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
    monkeypatch.undo()
    store.put("model", "abc", LARGE)
    assert store.get("model", "abc").files == LARGE.files


def test_a_file_that_may_grow_no_further_is_a_store_error_whichever_library_writes_it(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    orders = {"store": str(tmp_path / "store"), "cells": [a_cell("replace")], "log": str(tmp_path / "log")}
    command = [sys.executable, str(WORKER), json.dumps(orders)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("StoreError: store ")
    assert "File too large" in done.stderr


def test_a_read_only_store_is_read_and_refuses_before_anything_is_computed(crew: Crew):
    cells = [a_cell("accumulate", 3)]
    with mounted(crew.store, "size=20m"):
        records = crew.run(cells)[1]
        remount(crew.store, "ro")
        status, again, _ = crew.run(cells)
        assert (status, again) == (0, records)
        before = crew.computed
        status, again, told = crew.run([a_cell("accumulate", 4)])
        assert (status, again) == (3, records)
        assert "no permission to write or read there" in told
        assert told.count("\n") == 1
        assert crew.computed == before


def test_a_damaged_artifact_in_a_read_only_store_is_not_used(crew: Crew):
    cells = [a_cell("accumulate", 2)]
    with mounted(crew.store, "size=20m"):
        records = crew.run(cells)[1]
        for path in (crew.store / "record").rglob("*.json"):
            path.write_bytes(path.read_bytes().replace(b"test_loss", b"test_lass"))
        remount(crew.store, "ro")
        status, again, told = crew.run(cells)
        assert (status, again) == (3, [])
        assert "is damaged and counts as absent" in told
        remount(crew.store, "rw")
        assert crew.run(cells)[1] == records


def test_gc_makes_room_on_a_full_disk(crew: Crew):
    """There is no room for the note of what goes before it has gone."""
    cells = [a_cell("replace", 6)]
    with mounted(crew.store, "size=20m"):
        records = crew.run(cells)[1]
        with suppress(OSError), (crew.store / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
        store = open_store(str(crew.store))
        with pytest.raises(StoreError, match="the disk is full"):
            store.put("model", "abc", LARGE)
        found = collect(store, "records", [Cell.model_validate(cell) for cell in cells])
        gone = {(removal.kind, removal.key) for removal in found.removals}
        assert gone
        assert not any(store.has(*name) for name in gone)
        assert {key for _, key in gone} == set(store.keys("collected"))
        (crew.store / "ballast").unlink()
        assert crew.run(cells)[1] == records


def test_a_lease_that_found_no_room_is_not_left_as_nobodys(crew: Crew):
    with mounted(crew.store, "size=1m"):
        store = open_store(str(crew.store))
        store.begin()
        with suppress(OSError), (crew.store / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
        with pytest.raises(StoreError, match="the disk is full"):
            store.once("record", "abc", Payload)
        assert store.claimed("record") == set()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_weights_can_be_read_by_whom_the_umask_lets(tmp_path, umask, mode):
    """The library of weights writes for the owner alone: a second user could not read a shared store."""
    before = os.umask(umask)
    try:
        open_store(str(tmp_path)).put("model", "abc", LARGE)
    finally:
        os.umask(before)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix not in (".json",) for path in files)
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}


def test_a_lost_mark_is_told_with_the_line_that_restores_it(tmp_path):
    store = open_store(str(tmp_path / "a store"))
    store.put("record", "abc", Payload({"x": 1}))
    (tmp_path / "a store" / "format.json").unlink()
    with pytest.raises(StoreError, match=r"format.json is lost; .*restore it: echo '") as told:
        open_store(str(tmp_path / "a store"))
    subprocess.run(str(told.value).partition("restore it: ")[2], shell=True, check=True)
    assert open_store(str(tmp_path / "a store")).get("record", "abc").meta == {"x": 1}


def test_a_store_that_is_a_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "store").write_text("a letter")
    with pytest.raises(StoreError, match=r"^store .*/store: can't be used: .*Not a directory"):
        open_store(str(tmp_path / "store"))


def test_a_divergence_is_kept_as_a_record_and_not_tried_again(tmp_path, monkeypatch):
    cell = Cell.model_validate(a_cell("replace", 4))
    fits = []
    plain = Gaussian.fit

    def fit(self, corpus, stream):
        fits.append(stream.key)
        if len(fits) == 3:
            raise Diverged("the loss is nan")
        return plain(self, corpus, stream)

    monkeypatch.setattr(Gaussian, "fit", fit)
    for _ in range(2):
        records = run(cell, str(tmp_path))
        assert [next(records).generation, next(records).generation] == [1, 2]
        with pytest.raises(CellFailed, match="generation 3: the loss is nan"):
            next(records)
    assert len(fits) == 3

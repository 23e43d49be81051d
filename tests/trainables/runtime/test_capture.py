"""Recorded work: what is called when, and that nothing which can't be recorded or compiled ends it."""

import gc
import logging
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import pretend_card
from trainables.runtime import capture
from trainables.runtime.capture import INDUCTOR, WARM, Captured, compiled_once, keep_compiled_code


@pytest.fixture(autouse=True)
def no_warnings_yet() -> None:
    capture._warned.clear()


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    with pretend_card(monkeypatch, count=2) as card:
        yield card


class Sum:
    """Adds up what lies on a device, by a product whose library keeps scratch memory."""

    def __init__(self, device: str = "cuda:0", wait: bool = False) -> None:
        self.x, self.total = torch.eye(2, device=device), torch.zeros((), device=device)
        self.wait, self.python = wait, 0
        self.run = Captured(self.add, torch.device(device), 1)

    def add(self, more: int) -> None:
        self.python += 1
        self.square = self.x @ self.x
        self.total += self.square.sum() + more
        if self.wait:
            float(self.total)

    def called(self, times: int) -> float:
        for _ in range(times):
            self.run()
        return float(self.total)


def test_on_a_cpu_work_is_called() -> None:
    calls: list[int] = []
    work = Captured(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(WARM + 3):
        work()
    assert len(calls) == WARM + 3
    assert not work.recorded


@pytest.mark.parametrize("device", ["cuda:0", "cuda:1", "cuda"])
def test_a_recording_comes_after_warm_calls_and_is_replayed(card: Card, device: str) -> None:
    """On any device, the current one or not."""
    one = Sum(device)
    assert one.called(WARM) == 3 * WARM
    assert not one.run.recorded
    assert one.called(4) == 3 * (WARM + 4)
    assert one.run.recorded
    assert one.python == WARM + 1, "the last while it was recorded, when a device runs nothing"
    assert card.replays == 4
    assert not card.faults


def test_what_cannot_be_recorded_is_called(card: Card, caplog: pytest.LogCaptureFixture) -> None:
    one = Sum(wait=True)
    with caplog.at_level(logging.WARNING):
        assert one.called(WARM + 5) == 3 * (WARM + 5)
    assert (one.run.recorded, card.replays, len(card.faults)) == (False, 0, 1)
    assert torch.cuda.current_stream() is torch.cuda.default_stream(), "work goes on where it was"
    assert [record.getMessage().splitlines() for record in caplog.records] == [
        [
            "a step can't be recorded as a CUDA graph here and runs as it is, slower: operation not permitted when "
            "stream is capturing: _local_scalar_dense"
        ]
    ]


def test_recordings_go_on_when_all_earlier_ones_are_gone(card: Card) -> None:
    """Of what they made something may lie in their memory still."""
    first = Sum()
    first.called(WARM + 2)
    kept = first.square
    del first
    gc.collect()
    again = Sum()
    assert again.called(WARM + 2) == 3 * (WARM + 2)
    assert again.run.recorded
    assert kept.shape == (2, 2)
    assert not card.faults


def test_recordings_that_live_side_by_side_share_their_memory(card: Card) -> None:
    """And those of each card their own."""
    works = [Sum("cuda:0"), Sum("cuda:1"), Sum("cuda:0"), Sum("cuda:1")]
    for _ in range(2):
        for work in works:
            work.called(WARM + 1)
    pools = [work.run._graph.pool() for work in works]
    assert pools[0] == pools[2]
    assert pools[1] == pools[3]
    assert pools[0] != pools[1]
    assert {float(work.total) for work in works} == {3.0 * (2 * WARM + 2)}


def test_a_recording_goes_with_its_owner() -> None:
    """At once: memory of a card does not wait for Python to look for cycles."""
    one = Sum("cpu")
    held = weakref.ref(one)
    gc.disable()
    try:
        del one
        assert held() is None
    finally:
        gc.enable()


def test_what_cannot_be_compiled_is_called(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> Any:
        raise OSError("no compiler")

    twice = compiled_once(lambda x: 2 * x, backend=broken)
    with caplog.at_level(logging.WARNING, logger=capture.log.name):
        assert [float(twice(torch.tensor(x))) for x in (1.0, 2.0)] == [2.0, 4.0]
    assert len([record for record in caplog.records if record.name == capture.log.name]) == 1


def test_compiled_code_is_kept_with_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(INDUCTOR, "")
    keep_compiled_code()
    assert os.environ[INDUCTOR] == str(tmp_path / "collapse-sweep" / "inductor")
    monkeypatch.setenv(INDUCTOR, "/elsewhere")
    keep_compiled_code()
    assert os.environ[INDUCTOR] == "/elsewhere"


def test_a_folder_that_cannot_be_made_is_torchs_matter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv(INDUCTOR, "")
    keep_compiled_code()
    assert os.environ[INDUCTOR] == ""


def test_one_function_is_compiled_for_more_shapes_than_torch_would() -> None:
    """All that `torch.compile` makes of one function shares a limit of eight."""

    def double(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    before = counters["stats"]["unique_graphs"]
    for size in range(2, 14):
        assert torch.equal(compiled_once(double, backend="eager")(torch.ones(size)), torch.full((size,), 2.0))
    assert counters["stats"]["unique_graphs"] == before + 12

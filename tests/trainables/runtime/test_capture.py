"""Recorded work: what is called when, and that nothing which can't be recorded or compiled ends it."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from trainables.runtime import capture
from trainables.runtime.capture import INDUCTOR, WARM, Captured, compiled_once, keep_compiled_code


@pytest.fixture(autouse=True)
def no_warnings_yet() -> None:
    capture._warned.clear()


class Graph:
    """A stand-in for CUDA's: counts replays."""

    replays = 0

    def replay(self) -> None:
        Graph.replays += 1


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A device that only records what is asked of it."""
    seen: list[str] = []
    Graph.replays = 0

    @contextlib.contextmanager
    def graph(_: Graph, pool: object) -> Iterator[None]:
        seen.append("recording")
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(capture, "_pool", lambda: None)
    monkeypatch.setattr(Captured, "_aside", lambda self: self._work())
    return seen


def test_on_a_cpu_work_is_called() -> None:
    calls: list[int] = []
    work = Captured(lambda: calls.append(1), torch.device("cpu"))
    for _ in range(WARM + 3):
        work()
    assert len(calls) == WARM + 3
    assert not work.recorded


def test_a_recording_comes_after_warm_calls_and_is_replayed(cuda: list[str]) -> None:
    calls: list[int] = []
    work = Captured(lambda: calls.append(1), torch.device("cuda"))
    for _ in range(WARM + 4):
        work()
    assert cuda == ["recording"]
    assert len(calls) == WARM + 1  # the last while it was recorded, when a device runs nothing
    assert Graph.replays == 4
    assert work.recorded


def test_what_cannot_be_recorded_is_called(cuda: list[str], caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def work() -> None:
        if cuda and len(calls) == WARM:
            cuda.append("refused")
            calls.append(0)
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        calls.append(1)

    with caplog.at_level(logging.WARNING):
        one = Captured(work, torch.device("cuda"))
        for _ in range(WARM + 5):
            one()
    assert sum(calls) == WARM + 5
    assert cuda == ["recording", "refused"]
    assert [record.getMessage().splitlines() for record in caplog.records] == [
        [
            "a step can't be recorded as a CUDA graph here and runs as it is, slower: operation not permitted when "
            "stream is capturing"
        ]
    ]


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

"""Mapped files give their pages back once so much was touched, and read the same afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.runtime import memory_maps, open_map, touched
from trainables.runtime.memory_maps import AROUND, RESIDENT


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often pages were given back; no file is mapped and nothing touched yet."""
    calls: list[int] = []
    monkeypatch.setattr(memory_maps, "_maps", type(memory_maps._maps)())
    monkeypatch.setattr(memory_maps, "_touched", 0)
    back = memory_maps.give_back
    monkeypatch.setattr(memory_maps, "give_back", lambda: (calls.append(1), back()))
    return calls


def large(path: Path, size: int) -> Path:
    """A file of so many bytes, without a block on the disk but for its ends."""
    with path.open("wb") as file:
        file.write(b"first")
        file.seek(size - 4)
        file.write(b"last")
    return path


def test_pages_are_given_back_once_more_than_the_limit_was_touched(tmp_path: Path, given: list[int]) -> None:
    """Each row counts its bytes and what the kernel maps around it: 32 rows of no size are the limit of 64 MiB."""
    assert RESIDENT // AROUND == 32
    held = open_map(str(large(tmp_path / "x", RESIDENT + 1)))
    touched(32, 0)
    assert given == [], "as much as the limit is no more"
    touched(1, 0)
    assert given == [1]
    touched(31, 0)
    assert given == [1], "counted anew"
    touched(1, 3 * AROUND)
    assert given == [1, 1], "rows of a size count by it"
    assert (held[:5], held[-4:]) == (b"first", b"last")


def test_files_that_fit_into_the_limit_together_stay(tmp_path: Path, given: list[int]) -> None:
    one = open_map(str(large(tmp_path / "x", RESIDENT // 2)))
    two = open_map(str(large(tmp_path / "y", RESIDENT // 2)))
    touched(100, 0)
    assert given == []
    three = open_map(str(large(tmp_path / "z", 100)))
    touched(100, 0)
    assert given == [1], "one byte too many"
    assert [held[:5] for held in (one, two, three)] == [b"first"] * 3


def test_a_file_that_nobody_holds_no_longer_counts(tmp_path: Path, given: list[int]) -> None:
    held = open_map(str(large(tmp_path / "x", RESIDENT + 1)))
    del held
    touched(100, 0)
    assert given == []


def test_a_mapped_file_can_not_be_written_to(tmp_path: Path, given: list[int]) -> None:
    held = open_map(str(large(tmp_path / "x", 100)))
    with pytest.raises(TypeError):
        held[0] = 1
    with pytest.raises(FileNotFoundError):
        open_map(str(tmp_path / "lost"))

"""Processes that left their number: those that ended, those of other machines, those that can't be seen."""

import os
import subprocess
import sys

import psutil
import pytest

from trainables.runtime import gone, machine


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended, and of none other yet."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_process_that_ended_here_is_gone(ended: int) -> None:
    assert gone(machine(), ended)
    assert not gone(machine(), os.getpid())


def test_one_that_ended_and_was_not_waited_for_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert gone(machine(), process.pid)
    process.wait()


def test_of_another_machine_or_an_unknown_one_nothing_is_known(ended: int) -> None:
    assert not gone("another", ended)
    assert not gone("", ended)


@pytest.mark.parametrize("told", [psutil.NoSuchProcess, psutil.AccessDenied])
def test_a_process_that_is_hidden_is_there(told: type[psutil.Error], monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc mounted with hidepid shows nobody the processes of other users, though they run: of 2 none, of 1 closed."""

    def hidden(pid: int) -> None:
        raise told(pid)

    def others(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "Process", hidden)
    assert not gone(machine(), os.getpid())
    monkeypatch.setattr(os, "kill", others)
    assert not gone(machine(), os.getpid()), "somebody else's"


@pytest.mark.parametrize("number", [2**40, 2**80])
def test_numbers_that_no_process_has_are_of_none(number: int) -> None:
    assert gone(machine(), number)

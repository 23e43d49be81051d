"""What SIGTERM does to a command that is not running trials."""

import os
import signal
import threading

import pytest

from sweep.errors import Interrupted
from sweep.signals import heeded, terminable, unchanged


def test_sigterm_interrupts_a_command_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait(number: signal.Signals) -> None:
    stop = threading.Event()
    with heeded(stop):
        os.kill(os.getpid(), number)
        assert stop.is_set()
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), number)


def test_a_handler_outlives_what_others_set() -> None:
    with terminable():
        mine = signal.getsignal(signal.SIGTERM)
        with unchanged():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is mine


def test_threads_leave_signals_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def work() -> None:
        with terminable(), unchanged(), heeded(threading.Event()):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]

"""Whether a head can be reached: with sockets of this machine, never Ray."""

import socket
from contextlib import closing

import pytest

from sweep.errors import UsageError
from sweep.resources.addresses import check_address, refuses


@pytest.fixture
def listening():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent():
    """A port that nobody listens at, kept by a socket that is bound and does not listen."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("address", [None, "auto", "local", "ray://host:10001"])
def test_what_ray_finds_itself_is_not_asked_for(address):
    check_address(address)


def test_a_head_that_listens_passes(listening):
    check_address(f"127.0.0.1:{listening}")
    assert not refuses(f"127.0.0.1:{listening}")


def test_one_that_does_not_is_told_in_a_line(silent):
    with pytest.raises(UsageError, match=rf"^--address 127.0.0.1:{silent}: no Ray cluster answers there \(Connection"):
        check_address(f"127.0.0.1:{silent}")
    assert refuses(f"127.0.0.1:{silent}")


@pytest.mark.parametrize("address", ["host", ":6379", "host:", "host:port", "10.0.0.1:-1"])
def test_what_is_no_address_is_told_so(address):
    with pytest.raises(UsageError, match=rf"^--address {address}: is no HOST:PORT"):
        check_address(address)


def test_a_port_beyond_all_ports_is_told(silent):
    with pytest.raises(UsageError, match=r"^--address 127.0.0.1:99999: no Ray cluster answers there"):
        check_address("127.0.0.1:99999")


def test_what_can_not_be_found_does_not_refuse(monkeypatch):
    def lost(*_, **__):
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", lost)
    assert not refuses("127.0.0.1:6379")

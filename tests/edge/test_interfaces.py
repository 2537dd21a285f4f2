"""Where servers listen."""

from __future__ import annotations

import socket

import pytest

from img2imu_edge.interfaces import in_url, listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_listens_where_it_is_told(host: str) -> None:
    try:
        listener = listen(host, 0)
    except OSError as error:
        if host != "::1":
            raise
        pytest.skip(f"no IPv6 here: {error}")
    with listener:
        address = listener.getsockname()
        assert address[0] == ("::1" if host == "::1" else "127.0.0.1")  # of a name, IPv4: all can reach it
        with socket.create_connection(address[:2], 5):
            pass
        with pytest.raises(OSError, match="in use"):
            listen(host, address[1])


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(socket.gaierror):
        listen("no host", 0)
    with pytest.raises(OverflowError):
        listen("127.0.0.1", 70_000)


def test_an_address_with_colons_has_brackets_in_a_url() -> None:
    assert [in_url(host) for host in ("::1", "127.0.0.1", "pi.local")] == ["[::1]", "127.0.0.1", "pi.local"]

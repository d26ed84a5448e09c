"""What the conftest beside it refuses."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("method", ["connect", "connect_ex", "bind"])
def test_a_unit_test_opens_no_socket(method: str) -> None:
    """It fails, and says where it belongs."""
    with socket.socket() as opened, pytest.raises(pytest.fail.Exception, match="is no unit test"):
        getattr(opened, method)(("127.0.0.1", 0))


def test_a_unit_test_asks_for_no_addresses() -> None:
    """Nor does it ask the network who has a name."""
    with pytest.raises(pytest.fail.Exception, match="is no unit test"):
        socket.getaddrinfo("localhost", 80)

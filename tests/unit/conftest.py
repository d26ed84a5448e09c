"""Unit tests open no sockets; one that tries fails."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting, binding and asking for addresses fail, whoever catches exceptions."""
    bind = socket.socket.bind

    def refuse(*args: object, **kwargs: object) -> None:
        pytest.fail("a unit test opened a socket: what needs a server is no unit test")

    def bind_to_a_file(self: socket.socket, address: Any) -> None:
        """Only a name in a folder, as of one of the odd files that a test reads."""
        bind(self, address) if self.family == socket.AF_UNIX else refuse()

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket.socket, "bind", bind_to_a_file)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def nothing_in_memory() -> None:
    """fsspec's memory is one for the whole process, and has what another test left."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def backend() -> str:
    """The bucket of `fs` is one in memory."""
    return "fake"

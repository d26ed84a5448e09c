"""The settings that every connection to S3 has, the SDK's and the fast path's."""

from __future__ import annotations

import socket
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # to mypy the name is always a module

from registry_s3fs.threads.signal_errors import is_of_handler

KEEP_ALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPALIVE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""After 15 s of silence the other end is asked every 5 s whether it is there, and given up after three times.

The second name is the first one's on macOS.
"""

MAX_IDLE_S = 20.0
"""A connection that was idle for longer is not used again, as something between may have dropped it without a word."""


def descriptors_allowed() -> int:
    """Return how many file descriptors this process may have."""
    if resource is None:
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def keep_alive(sock: socket.socket) -> None:
    """Have a socket send small data at once, and notice within half a minute that the other end is gone."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except (OSError, AttributeError) as error:  # of what is no TCP socket, or lies below a proxy's TLS
        if is_of_handler(error):
            raise

"""The bytes of an object with the buffer interface. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def bytes_of(data: ReadableBuffer) -> memoryview:
    """Return an object's bytes, uncopied, whatever its items and dimensions are.

    >>> bytes_of(memoryview(bytes(6)).cast("H", (3, 1))).shape, bytes_of(b"abc")[1]
    ((6,), 98)

    Raises:
        TypeError: The object has no buffer, or its bytes do not lie in a row.
    """
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")  # a view with a zero in its shape cannot be cast

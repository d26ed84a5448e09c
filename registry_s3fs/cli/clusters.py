"""The cluster of dask.distributed that a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def client(address: str | None) -> Iterator[Client | None]:
    """Give a client of the scheduler at an address, or None where no address is given.

    Raises:
        OSError: There is no scheduler, or so many workers went that the work was given up.
        ValueError: The text is no address, or dask.distributed is not installed.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import resolve_address
    except ImportError as error:
        raise ValueError("--dask needs dask.distributed: pip install 'registry-s3fs[dask]'") from error
    resolve_address(address)  # a client that was made of a bad one is closed for a minute
    with Client(address, set_as_default=False) as connected:
        try:
            yield connected
        except KilledWorker as error:
            raise ConnectionError(f"several workers of the cluster went, one after the other: {error}") from error

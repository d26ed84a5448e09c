"""zarr's own suite for stores, on an FsspecStore over the filesystem, against moto's server."""

from __future__ import annotations

from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem

pytest.importorskip("anyio", reason="anyio is not installed: pip install anyio")
pytest.importorskip("zarr", reason="zarr is not installed: pip install zarr")
from zarr.core.buffer import Buffer, cpu
from zarr.storage import FsspecStore
from zarr.testing.store import StoreTests


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.usefixtures("anyio_backend")
class TestStore(StoreTests[FsspecStore, cpu.Buffer]):
    """zarr wraps a synchronous filesystem by itself."""

    store_cls = FsspecStore
    buffer_cls = cpu.Buffer

    @pytest.fixture
    def store_kwargs(self, fs: RegistryS3FileSystem) -> dict[str, Any]:
        store = FsspecStore.from_url(fs.unstrip_protocol("/zarr"), storage_options=fs.storage_options)
        return {"fs": store.fs, "path": store.path}

    async def get(self, store: FsspecStore, key: str) -> Buffer:
        return self.buffer_cls.from_bytes(store.fs.sync_fs.cat_file(f"{store.path}/{key}"))

    async def set(self, store: FsspecStore, key: str, value: Buffer) -> None:
        store.fs.sync_fs.pipe_file(f"{store.path}/{key}", value.to_bytes())

    def test_store_repr(self, store: FsspecStore) -> None:
        assert str(store) == "<FsspecStore(AsyncFileSystemWrapper, /zarr)>"

    def test_store_supports_writes(self, store: FsspecStore) -> None:
        assert store.supports_writes

    def test_store_supports_listing(self, store: FsspecStore) -> None:
        assert store.supports_listing

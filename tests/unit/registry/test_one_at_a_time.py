"""A filesystem that threads must not share is asked for one thing at a time, whatever a registry is asked."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from registry_s3fs.cli.image_sources import LiveSource
from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.changes import look_at
from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.verify import verify
from tests.registries import MadeRegistry

ROOT = "docker/registry/v2"


class OneReader(ZipFileSystem):
    """An archive: it has one position, so one call at a time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.reading = threading.RLock()
        super().__init__(*args, **kwargs)

    def _alone(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        assert self.reading.acquire(blocking=False), "two threads at a time"
        try:
            time.sleep(0.001)
            return call(*args, **kwargs)
        finally:
            self.reading.release()

    def info(self, path: str, **kwargs: Any) -> Any:
        return self._alone(super().info, path, **kwargs)

    def ls(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._alone(super().ls, path, *args, **kwargs)

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._alone(super().cat_file, path, *args, **kwargs)

    def open(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return self._alone(super().open, path, *args, **kwargs)


@pytest.fixture
def archive(tmp_path: Path) -> OneReader:
    """A registry of some images in a zip archive."""
    made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/{ROOT}")
    for number in range(20):
        made.image("team/app", f"v{number}", [f"layer {number}".encode()])
    with zipfile.ZipFile(tmp_path / "registry.zip", "w") as file:
        for path in (tmp_path / "docker").rglob("*"):
            file.write(path, path.relative_to(tmp_path))
    return OneReader(str(tmp_path / "registry.zip"))


def sizes(fs: OneReader) -> object:
    blobs = [path for path in fs.find(ROOT) if path.endswith("/data")]
    return LiveSource(Catalog(fs, ROOT)).sizes([f"sha256:{path.split('/')[-2]}" for path in blobs])


ASKED: dict[str, Callable[[OneReader], object]] = {
    "inventory": lambda fs: inventory(fs, ROOT),
    "verify": lambda fs: verify(fs, inventory(fs, ROOT)),
    "sizes of blobs": sizes,
    "what changed meanwhile": lambda fs: look_at(fs, fs.find(ROOT), ROOT),
}


@pytest.mark.parametrize("asked", ASKED)
def test_threads_do_not_share_what_they_must_not(
    archive: OneReader, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FTP has one connection, and an archive one position: what came of two calls at once would be another's bytes."""
    monkeypatch.setattr("registry_s3fs.registry.verify.MOST_IN_A_CALL", 1)
    assert ASKED[asked](archive)

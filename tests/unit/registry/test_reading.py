"""Links and manifests are read many at a time, within bounds, and what cannot be read is a value."""

from __future__ import annotations

from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.errors import FileTooLargeError, LinkError
from registry_s3fs.registry import documents, reading
from tests.registries import MadeRegistry


class Watched(MemoryFileSystem):
    """A filesystem in memory that notes what it was asked to read."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[str]] = []
        self.beginnings: list[str] = []
        self.most_bytes = 0

    def cat(self, path: list[str], **kwargs: Any) -> dict[str, bytes | Exception]:
        """Note the batch."""
        self.batches.append(path)
        found: dict[str, bytes | Exception] = super().cat(path, **kwargs)
        return found

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Note how much came of a file of which only the beginning was asked for."""
        found: bytes = super().cat_file(path, start, end, **kwargs)
        if end is not None:
            self.beginnings.append(path)
            self.most_bytes = max(self.most_bytes, len(found))
        return found


@pytest.fixture
def made() -> MadeRegistry:
    """A registry in a filesystem that notes what is read."""
    return MadeRegistry(Watched(), "/watched/docker/registry/v2")


def files(made: MadeRegistry, *paths: str, sized: bool) -> list[reading.File]:
    """Give the files, with their sizes or without."""
    return [(path, made.fs.size(path) if sized and made.fs.exists(path) else None) for path in paths]


@pytest.mark.parametrize("sized", [False, True])
def test_links_are_digests_or_errors_in_their_order(made: MadeRegistry, sized: bool) -> None:
    """A broken link, a missing one and a huge one are no reason to give up the others."""
    good = made.image("app", "good")
    digest = good.digest.encode()
    made.tag("app", "sha512", "sha512:" + 128 * "a")
    contents = {"empty": b"", "line": digest + b"\n", "short": digest[:-1], "odd": b"\xff", "huge": 2_000_000 * b"x"}
    for tag, content in contents.items():
        made.write(made.tag_path("app", tag), content)
    tags = ["huge", "good", "empty", "missing", "sha512", "line", "short", "odd"]
    paths = [made.tag_path("app", tag) for tag in tags]
    found = list(reading.read_links(made.fs, files(made, *paths, sized=sized)))
    assert [path for path, _ in found] == paths
    kinds = [type(value) for _, value in found]
    assert kinds == [FileTooLargeError, str, LinkError, FileNotFoundError, str, LinkError, LinkError, LinkError]
    assert found[1][1] == good.digest
    assert found[4][1] == "sha512:" + 128 * "a"
    link_errors = [value for _, value in found if isinstance(value, LinkError)]
    assert [error.content for error in link_errors] == [b"", digest + b"\n", digest[:-1], b"\xff"]
    assert all(isinstance(error, ValueError) and isinstance(error, OSError) for error in link_errors)
    assert [error.filename for error in link_errors] == [paths[2], *paths[5:]]
    assert isinstance(made.fs, Watched)
    assert made.fs.most_bytes <= reading.MAX_LINK_BYTES + 1


def test_a_file_whose_size_tells_enough_is_not_read(made: MadeRegistry) -> None:
    """A link of 1 GB, as a listing tells it, costs no request; an empty one neither."""
    gigabyte, empty = ("/watched/a", 2**30), ("/watched/b", 0)
    (_, too_large), (_, broken) = reading.read_links(made.fs, [gigabyte, empty])
    assert isinstance(too_large, FileTooLargeError)
    assert "over 1024 bytes" in str(too_large)
    assert isinstance(broken, LinkError)
    assert isinstance(made.fs, Watched)
    assert (made.fs.batches, made.fs.beginnings) == ([], [])


@pytest.mark.parametrize("sized", [False, True])
def test_a_large_file_is_not_read_to_its_end(made: MadeRegistry, sized: bool) -> None:
    """One of over 4 MiB is an error; the others come, in their order."""
    good = made.image("app")
    huge = made.blob(5 * 1024 * 1024 * b" ")
    paths = [made.blob_path(huge.digest), made.blob_path(good.digest), "/watched/missing"]
    found = dict(reading.read_files(made.fs, files(made, *paths, sized=sized), documents.MAX_BYTES))
    assert list(found) == paths
    assert list(map(type, found.values())) == [FileTooLargeError, bytes, FileNotFoundError]
    assert found[paths[1]] == good.data
    assert isinstance(made.fs, Watched)
    assert made.fs.most_bytes <= 4 * 1024 * 1024 + 1


@pytest.mark.thorough
def test_files_are_read_in_batches_whose_memory_is_bounded(made: MadeRegistry) -> None:
    """At most 4,000 at a time, and less where they could be large."""
    paths = [made.write(f"/watched/{number}", b"x") for number in range(8100)]
    assert isinstance(made.fs, Watched)
    assert len(list(reading.read_files(made.fs, [(path, 1) for path in paths], 100))) == 8100
    assert list(map(len, made.fs.batches)) == [4000, 4000, 100]
    found = reading.read_files(made.fs, [(path, None) for path in paths[:200]], 4 * 1024 * 1024)
    assert next(found) == (paths[0], b"x")
    assert made.fs.beginnings == paths[:64]
    assert len(list(found)) == 199
    assert made.fs.beginnings == paths[:200]


def test_an_exception_of_another_kind_is_an_error_of_the_file(made: MadeRegistry, monkeypatch: Any) -> None:
    """Other filesystems raise their SDKs' own, which may have a secret in their text."""

    def cat_file(self: object, path: str, *args: object, **kwargs: object) -> bytes:
        raise RuntimeError("https://x/?X-Amz-Signature=0123456789abcdef")

    monkeypatch.setattr(Watched, "cat_file", cat_file)
    ((path, error),) = reading.read_files(made.fs, [("/watched/a", 5)], 100)
    assert isinstance(error, OSError)
    assert (path, error.filename) == ("/watched/a", "/watched/a")
    assert "RuntimeError" in str(error)
    assert "0123456789abcdef" not in str(error)

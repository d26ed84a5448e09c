"""What users do while S3 fails. Each operation compares all that it is handed with what is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import data
from benchmarks.data import MIB
from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model.info import Info
from reliability import contents
from reliability.rows import wrong_bytes, wrong_names

Wrong = Iterator[int]
"""Counts of wrong bytes or names, as they are seen: what was handed out before an exception counts, too."""


def read_stream(fs: RegistryS3FileSystem) -> Wrong:
    """From front to back, in steps of 1 MiB."""
    position = 0
    with fs.open(contents.large_path(), "rb", block_size=contents.BLOCK_BYTES) as file:
        while piece := file.read(MIB):
            yield wrong_bytes(contents.large()[position : position + len(piece)], piece)
            position += len(piece)
    yield abs(contents.LARGE_BYTES - position)


def read_whole(fs: RegistryS3FileSystem) -> Wrong:
    """One call, of an object whose path has no digest."""
    yield wrong_bytes(contents.large(), fs.cat_file(contents.DEFAULT_HEADERS))


def random_reads(fs: RegistryS3FileSystem) -> Wrong:
    """Through one open file."""
    with fs.open(contents.large_path(), "rb") as file:
        for start in data.starts(contents.READS, contents.READ_BYTES, contents.LARGE_BYTES):
            file.seek(start)
            piece = file.read(contents.READ_BYTES)
            yield wrong_bytes(contents.large()[start : start + contents.READ_BYTES], piece)


def cat_many(fs: RegistryS3FileSystem) -> Wrong:
    """One call."""
    blobs = contents.small_blobs()
    found = fs.cat(list(blobs))
    yield sum(wrong_bytes(value, found.get(path, b"")) for path, value in blobs.items())


def write_stream(fs: RegistryS3FileSystem) -> Wrong:
    """Over an object that is there."""
    with fs.open(contents.WRITTEN, "wb") as file:
        for block in data.blocks(contents.WRITTEN_BYTES):
            file.write(block)
    yield 0


def pipe_many(fs: RegistryS3FileSystem) -> Wrong:
    """Over objects that are there, in one call."""
    fs.pipe(contents.small_files())
    yield 0


def copy(fs: RegistryS3FileSystem) -> Wrong:
    """Over an object that is there."""
    fs.copy(contents.COPY_SOURCE, contents.WRITTEN)
    yield 0


def rm(fs: RegistryS3FileSystem) -> Wrong:
    """A list of files."""
    fs.rm(contents.doomed())
    yield 0


def ls(fs: RegistryS3FileSystem) -> Wrong:
    """A folder."""
    yield wrong_names(contents.listed(), _sized(fs.ls(contents.FOLDER)))


def find(fs: RegistryS3FileSystem) -> Wrong:
    """A registry."""
    yield wrong_names(contents.found(), _sized(fs.find(contents.REGISTRY, detail=True).values()))


def _sized(infos: Iterable[Info]) -> list[tuple[str, int]]:
    return [(info["name"], info["size"]) for info in infos]


@dataclass(frozen=True)
class Operation:
    """One thing that users do."""

    name: str
    title: str
    run: Callable[[RegistryS3FileSystem], Wrong]
    written: Callable[[], dict[str, tuple[bytes, bytes]]] = dict
    """Paths that it writes: what they hold before, and after."""
    deletes: bool = False
    """Whether it deletes `contents.doomed()`."""


def _large_written() -> dict[str, tuple[bytes, bytes]]:
    return {contents.WRITTEN: (contents.before(), contents.written())}


def _small_written() -> dict[str, tuple[bytes, bytes]]:
    return {path: (contents.small_before(path), value) for path, value in contents.small_files().items()}


OPERATIONS = (
    Operation(
        "read stream",
        f"read a blob of {contents.LARGE_BYTES // MIB} MiB from front to back, block_size 1 MiB", read_stream,
    ),
    Operation(
        "read whole", f"read {contents.LARGE_BYTES // MIB} MiB in one call, compared with the checksum that S3 keeps",
        read_whole,
    ),
    Operation("random reads", f"{contents.READS} random reads of 64 KiB through one open file", random_reads),
    Operation("cat many", f"read {contents.SMALL} blobs of 16 KiB in one call", cat_many),
    Operation(
        "write stream", f"write {contents.WRITTEN_BYTES // MIB} MiB over another object, in parts of 5 MiB",
        write_stream, written=_large_written,
    ),
    Operation(
        "small writes", f"store {contents.SMALL} objects of 16 KiB over others, in one call",
        pipe_many, written=_small_written,
    ),
    Operation(
        "copy", f"copy {contents.WRITTEN_BYTES // MIB} MiB over another object in the server, in parts of 5 MiB",
        copy, written=_large_written,
    ),
    Operation("rm", f"delete {contents.FLAT:,} files, given as a list", rm, deletes=True),
    Operation("ls", f"names and sizes of the {contents.FLAT:,} objects of a folder", ls),
    Operation("find", f"names and sizes of all {contents.TREE:,} objects of a registry", find),
)  # fmt: skip

BY_NAME: dict[str, Operation] = {operation.name: operation for operation in OPERATIONS}


def options(access: Any, **config: Any) -> dict[str, Any]:
    """Storage options of the filesystem under test."""
    return {
        "bucket": access.bucket, "region": access.region, "regionendpoint": access.endpoint,
        "accesskey": access.access_key, "secretkey": access.secret_key,
        "chunksize": contents.CHUNK_BYTES, "multipartcopychunksize": contents.CHUNK_BYTES,
        "config_kwargs": {**config, **CHECKSUMS}, **DIGESTS,
    }  # fmt: skip


DIGESTS: dict[str, Any] = {"verify_digests": True}
"""The option by which what is read of a blob is held against the digest in its path."""
CHECKSUMS: dict[str, Any] = {"response_checksum_validation": "when_supported"}
"""The SDK's setting, its default on AWS, by which what is read whole is held against what S3 keeps."""
PROTECTED = frozenset(("read stream", "read whole", "cat many"))
"""The operations whose answers are so held; ranges at random and listings have neither."""

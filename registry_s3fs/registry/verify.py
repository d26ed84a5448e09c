"""Blobs compared with their digests: which are damaged, what that hurts, what to remove and to push again."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.model import registry_layout
from registry_s3fs.registry import reading
from registry_s3fs.registry.abilities import side_by_side
from registry_s3fs.registry.affected import AffectedTags, affected_tags
from registry_s3fs.registry.columns import rows
from registry_s3fs.registry.verify_state import State
from registry_s3fs.threads import pool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from registry_s3fs.registry.tables import Tables

THREADS = 8
CHUNK_BYTES = 8 * 1024 * 1024
"""Each thread holds at most this much of a blob, or of several small ones."""
SMALL_BYTES = 512 * 1024
"""A blob up to this size is read whole, with others in one call."""
MOST_IN_A_CALL = 256
_NOT_STORED = FileNotFoundError(errno.ENOENT, "not stored")
"""What is found in place of a blob that the inventory did not find either."""

Progress = Callable[[int, int], object]
"""Is called with the blobs and the bytes that were compared since the last call."""


class Blob(NamedTuple):
    """A blob, as the inventory has it."""

    digest: str
    size: int
    modified: datetime | None


@dataclass(frozen=True)
class Finding:
    """A blob that is not what its digest says, or that cannot be read."""

    code: str
    """``digest_mismatch``, ``blob_missing`` or ``blob_unreadable``."""
    digest: str
    detail: str
    affected_tags: tuple[str, ...]
    """The tags that cannot be pulled whole, as in ``team/app:v1``."""
    remove: tuple[str, ...]
    """The keys to remove first: a registry stores no blob that it seems to have already."""
    push: tuple[str, ...]
    """What to push again: the tags, and revisions without one, as in ``team/app@sha256:...``."""


@dataclass
class Verification:
    """What came of comparing blobs with their digests."""

    findings: list[Finding] = field(default_factory=list)
    blobs: int = 0
    """The number of blobs that were compared now."""
    bytes: int = 0
    resumed: int = 0
    """The number of blobs that were compared by a former run, by what its file says."""
    unknown: list[str] = field(default_factory=list)
    """The digests of algorithms that Python does not have. Nothing can be said of their blobs."""
    gone: list[str] = field(default_factory=list)
    """The blobs that nothing needs, and that were deleted meanwhile."""


def verify(
    fs: AbstractFileSystem,
    tables: Tables,
    *,
    digests: Collection[str] | None = None,
    resume: str | None = None,
    sample: float = 1.0,
    seed: str = "",
    threads: int = THREADS,
    progress: Progress | None = None,
) -> Verification:
    """Compare blobs with their digests, side by side. Blobs that are needed and not stored are findings, too.

    Args:
        fs: The filesystem that the blobs are on.
        tables: The tables of its inventory.
        digests: The blobs to compare, such as an image's. By default, all.
        resume: A local file that notes what was compared. A run that was killed goes on where it was.
        sample: The share of the blobs to compare, above 0 and up to 1. The same blobs are chosen each time.
        seed: Another text chooses others.
        threads: The number of blobs that are read at a time.
        progress: Is told of each blob that was compared.

    Raises:
        ConnectionError: The server cannot be reached. With `resume`, what was compared is noted.
        TimeoutError: The server does not answer.
        ValueError: `sample` is no share, or the file of `resume` is of another registry or none of ours.
    """
    if not 0 < sample <= 1:
        raise ValueError(f"sample: {sample!r} is no share; give one above 0 and up to 1")
    root = tables.snapshot["root"][0].as_py().rstrip("/")
    blobs = [blob for blob in _blobs(tables, digests) if is_in_sample(blob.digest, sample, seed)]
    with State(resume, root) as state:
        run = _Run(fs, root, state, progress or (lambda count, size: None))
        run.lacking(_lacking(tables, digests))
        left = run.left(blobs)
        with closing(side_by_side([fs], run.compare, _batches(left), pool.pool(threads), threads)) as compared:
            for _ in compared:
                pass
    return run.result(lambda: affected_tags(tables))


def is_in_sample(digest: str, share: float, seed: str = "") -> bool:
    """Return whether a blob is among those that stand for all.

    >>> [is_in_sample("sha256:00", share) for share in (0.01, 0.5, 1.0)]
    [False, False, True]
    """
    word = hashlib.sha256(f"{seed}{digest}".encode()).digest()[:8]
    return int.from_bytes(word, "big") < share * 2**64


def _blobs(tables: Tables, digests: Collection[str] | None) -> Iterator[Blob]:
    wanted = None if digests is None else set(digests)
    for blob in map(Blob._make, rows(tables.blobs, "digest", "size", "modified")):
        if wanted is None or blob.digest in wanted:
            yield blob


def _lacking(tables: Tables, digests: Collection[str] | None) -> set[str]:
    """Return the digests of those asked for that are needed and were not stored when the inventory was made."""
    found = {
        digest for digest, code in rows(tables.problems, "digest", "code") if code in ("blob_missing", "child_missing")
    }
    return found if digests is None else found.intersection(digests)


def _batches(blobs: list[Blob]) -> Iterator[list[Blob]]:
    """Yield what one thread reads at a time: a large blob, or small ones."""
    batch: list[Blob] = []
    for blob in blobs:
        if blob.size > SMALL_BYTES:
            yield [blob]
            continue
        batch.append(blob)
        if len(batch) == MOST_IN_A_CALL or sum(each.size for each in batch) > CHUNK_BYTES - SMALL_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch


class _Run:
    """One run: what was found so far, by any thread."""

    def __init__(self, fs: AbstractFileSystem, root: str, state: State, progress: Progress) -> None:
        self._fs = fs
        self._root = root
        self._state = state
        self._progress = progress
        self._lock = threading.Lock()
        self._result = Verification()
        self._bad: dict[str, str | OSError] = {}
        """What was found in place of each digest: another one, or why there is none."""

    def lacking(self, digests: Collection[str]) -> None:
        """Note blobs that were not stored when the inventory was made, whatever the share that is compared."""
        self._bad.update(dict.fromkeys(digests, _NOT_STORED))

    def left(self, blobs: list[Blob]) -> list[Blob]:
        """Return the blobs that can be compared, and were not by a former run."""
        self._result.unknown = [blob.digest for blob in blobs if _hash(blob.digest) is None]
        unknown = set(self._result.unknown)
        known = [blob for blob in blobs if blob.digest not in unknown]
        left = [blob for blob in known if not self._state.has(_line(blob))]
        self._result.resumed = len(known) - len(left)
        return left

    def compare(self, batch: list[Blob]) -> None:
        """Compare some blobs, and note each that is good in the state file. One that is not is read once more."""
        found = self._digests(batch)
        bad = {}
        for blob in batch:
            if found[blob.digest] != blob.digest:
                found[blob.digest] = bad[blob.digest] = self._digest(blob)
        good = [blob for blob in batch if found[blob.digest] == blob.digest]
        size = sum(blob.size for blob in batch)
        with self._lock:
            self._state.add([_line(blob) for blob in good])
            self._bad.update({digest: each for digest, each in bad.items() if each != digest})
            self._result.blobs += len(batch)
            self._result.bytes += size
            self._progress(len(batch), size)

    def _digests(self, batch: list[Blob]) -> dict[str, str | OSError]:
        if batch[0].size > SMALL_BYTES:
            return {batch[0].digest: self._digest(batch[0])}
        read = reading.cat(self._fs, [self._path(blob.digest) for blob in batch])
        return {blob.digest: _digest_of(blob.digest, read.get(self._path(blob.digest))) for blob in batch}

    def _digest(self, blob: Blob) -> str | OSError:
        """Read a blob a chunk at a time, and return its digest, or why it cannot be read."""
        running, path = hashlib.new(blob.digest.partition(":")[0], usedforsecurity=False), self._path(blob.digest)
        try:
            size = self._fs.info(path)["size"]
            for start in range(0, size, CHUNK_BYTES):
                running.update(self._fs.cat_file(path, start=start, end=min(start + CHUNK_BYTES, size)))
        except (ConnectionError, TimeoutError):
            raise
        except OSError as error:
            return error
        return f"{blob.digest.partition(':')[0]}:{running.hexdigest()}"

    def _path(self, digest: str) -> str:
        return registry_layout.Blob(digest).at(self._root)

    def result(self, affected: Callable[[], AffectedTags]) -> Verification:
        """Return what came of the run."""
        if self._bad:
            leading = affected()
            for digest in sorted(self._bad):
                self._add(digest, self._bad[digest], leading)
        return self._result

    def _add(self, digest: str, found: str | OSError, leading: AffectedTags) -> None:
        tags, untagged = leading.of(digest)
        is_missing = isinstance(found, FileNotFoundError)
        if is_missing and not (tags or untagged):
            self._result.gone.append(digest)
            return
        remove = () if is_missing else (self._path(digest),)
        code, detail = _meaning(found)
        self._result.findings.append(Finding(code, digest, detail, tags, remove, (*tags, *untagged)))


def _meaning(found: str | OSError) -> tuple[str, str]:
    if found is _NOT_STORED:
        return "blob_missing", "it is needed, and not stored"
    if isinstance(found, FileNotFoundError):
        return "blob_missing", "the blob was deleted after the inventory"
    if isinstance(found, OSError):
        return "blob_unreadable", f"the blob cannot be read: {found.strerror or found}"
    return "digest_mismatch", f"the blob's bytes have the digest {found}"


def _digest_of(digest: str, data: object) -> str | OSError:
    """Return the digest of bytes, by the algorithm of a digest, or the error that there is in place of bytes."""
    if isinstance(data, bytes):
        algorithm = digest.partition(":")[0]
        return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"
    if isinstance(data, (ConnectionError, TimeoutError)):
        raise data
    return data if isinstance(data, OSError) else OSError(errno.EIO, f"the filesystem gave no bytes: {data!r}")


def _hash(digest: str) -> str | None:
    """Return the name of a digest's algorithm, or None where Python does not have it."""
    algorithm, _, encoded = digest.partition(":")
    try:
        known = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError:
        return None
    return algorithm if 2 * known.digest_size == len(encoded) else None


def _line(blob: Blob) -> str:
    return f"{blob.digest} {blob.size} {blob.modified.isoformat() if blob.modified else '-'}"

"""An S3 bucket in memory, with `Bucket`'s methods, for tests that open no socket.

It goes through the same tests as the real one (`on_both`), and `test_buckets.py` holds the two
signature by signature. The bucket always exists, has no versions, and denies nothing.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from itertools import chain, islice
from typing import Any

import pytest

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.errors import FileExpired
from registry_s3fs.model import ranges
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import (
    ANY,
    DEFAULT_HEADERS,
    Body,
    Content,
    ObjectHeaders,
    ObjectInfo,
    ObjectVersion,
    Page,
    Part,
    Upload,
)
from registry_s3fs.model.paths import KeySpace
from registry_s3fs.model.ranges import MAX_DELETE_KEYS, MAX_KEY_BYTES
from registry_s3fs.s3.bucket import Bucket
from registry_s3fs.s3.client import object_fields
from registry_s3fs.s3.error_codes import from_code
from registry_s3fs.s3.first_pages import Started
from registry_s3fs.s3.listing_responses import Listing
from registry_s3fs.s3.puts import Put
from registry_s3fs.s3.read_body import Read
from registry_s3fs.s3.reads import Due
from registry_s3fs.threads.pool import Pool, pool

PAGE_KEYS = 1000

"""Keys and prefixes of a page (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html)."""

on_both = pytest.mark.parametrize("backend", ["moto", "fake"], indirect=True)
"""Runs a test that takes `fs` or `options` on moto's server, and on the bucket in memory."""


@dataclass(frozen=True)
class Blank:
    """Bytes of which only the number is known: what lets a test have an object of 5 TiB."""

    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, cut: slice) -> Blank:
        start, end, _ = cut.indices(self.size)
        return Blank(max(0, end - start))


@dataclass(frozen=True)
class Stored:
    """An object, or a part, as the store keeps it."""

    data: bytes | Blank
    info: ObjectInfo
    tags: dict[str, str] = field(default_factory=dict)

    @cached_property
    def listed(self) -> ObjectInfo:
        """What a listing tells of it."""
        return replace(self.info, head={})


@dataclass
class Pending:
    """A multipart upload, neither completed nor aborted."""

    upload: Upload
    headers: ObjectHeaders
    tags: dict[str, str]
    parts: dict[int, Stored] = field(default_factory=dict)


class Store:
    """What is in a bucket, and how often each operation was asked for; several `FakeBucket` may share one."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Pending] = {}
        self.requests: Counter[str] = Counter()
        self.page_keys = PAGE_KEYS
        self._lock = threading.RLock()
        self._sorted: list[str] = []

    @contextmanager
    def request(self, operation: str) -> Iterator[None]:
        """One request, at a moment of its own: S3 is strongly consistent."""
        with self._lock:
            self.requests[operation] += 1
            yield

    def keys(self) -> list[str]:
        """In S3's order, that of their UTF-8 bytes, which is Python's order of their characters."""
        if len(self._sorted) != len(self.objects):
            self._sorted = sorted(self.objects)
        return self._sorted

    def keep(self, key: str, found: Stored) -> None:
        if key not in self.objects:
            self._sorted = []
        self.objects[key] = found

    def drop(self, key: str) -> None:
        if self.objects.pop(key, None):
            self._sorted = []


class FakeBucket:
    """`Bucket` without S3: the same methods, records, errors (without a ``__cause__``) and limits."""

    def __init__(self, parameters: DriverParameters, store: Store | None = None) -> None:
        self.parameters = parameters
        self.space = KeySpace(parameters.rootdirectory)
        self.store = store or Store()
        self.key_order = KeyOrder.of_s3()
        self._new_object = object_fields(parameters)

    def _error(self, code: str, key: str, precondition: type[OSError] = FileExistsError) -> OSError:
        return from_code(code, "", self.path(key), precondition=precondition)

    @property
    def pool(self) -> Pool:
        return pool(self.parameters.max_concurrency)

    def path(self, key: str) -> str:
        return self.space.path(key) or f"/{key}"

    def plant(self, key: str, size: int) -> None:
        """An object of `size` bytes that nobody had to send."""
        self._keep(key, Blank(size), DEFAULT_HEADERS)

    def _keep(
        self, key: str, data: bytes | Blank, headers: ObjectHeaders, *, etag: str = "", tags: Mapping[str, str] = {}
    ) -> None:
        if len(key.encode()) > MAX_KEY_BYTES:
            raise self._error("KeyTooLongError", key)
        told = {name: value for name, value in self._new_object.items() if name != "ACL"}
        head: dict[str, Any] = {"Metadata": {}, "ContentType": "binary/octet-stream", **headers, **told}
        if tags:
            head["TagCount"] = len(tags)
        now = datetime.now(timezone.utc).replace(microsecond=0)
        info = ObjectInfo(key, len(data), etag or _etag(data), now, told.get("StorageClass", "STANDARD"), head=head)
        self.store.keep(key, Stored(data, info, dict(tags)))

    def _stored(self, key: str, version_id: str = "", missing: str = "NoSuchKey") -> Stored:
        if key not in self.store.objects:
            raise self._error(missing, key)
        if version_id not in ("", "null"):
            raise self._error("NoSuchVersion", key)
        return self.store.objects[key]

    # Looking

    def head(self, key: str, *, version_id: str = "", explain: bool = True, checksum: bool = False) -> ObjectInfo:
        with self.store.request("HeadObject"):
            return self._stored(key, version_id, missing="404").info

    def list(self, prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
        most = min(limit or self.store.page_keys, self.store.page_keys)
        start: str | None = max(prefix, start_after + "\0" if start_after else "")
        while start is not None:
            with self.store.request("ListObjectsV2"):
                page, start = self._page(prefix, delimiter, start, most)
            yield replace(page, last=bool(limit) or start is None)
            if limit:
                return

    def start_lists(self, listings: Sequence[Listing]) -> list[Started | Exception]:
        def start(listing: Listing) -> Started | Exception:
            try:
                pages = self.list(listing.prefix, listing.delimiter, start_after=listing.start_after)
                first = list(islice(pages, 1))
            except OSError as error:
                return error
            return Started(chain(first, pages), 0, 0)

        return self.pool.map(start, listings)

    def _page(self, prefix: str, delimiter: str, start: str, most: int) -> tuple[Page, str | None]:
        """One page, and where the next one begins; None after the last."""
        page, keys = Page([], []), self.store.keys()
        at = bisect_left(keys, start)
        while at < len(keys) and keys[at].startswith(prefix):
            key = keys[at]
            if len(page.objects) + len(page.prefixes) == most:
                return page, key
            below, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                page.prefixes.append(prefix + below + delimiter)
                at = bisect_left(keys, prefix + below + chr(ord(delimiter) + 1), at)
            else:
                page.objects.append(self.store.objects[key].listed)
                at += 1
        return page, None

    def versions(self, key: str) -> Iterator[ObjectInfo]:
        with self.store.request("ListObjectVersions"):
            found = self.store.objects.get(key)
        if found:
            yield replace(found.listed, version_id="null")

    # Reading

    def get(self, key: str, start: int = 0, end: int | None = None, version: ObjectVersion = ANY) -> Content:
        assert end is None or 0 <= start < end, "S3 takes such a Range header for none at all"
        with self.store.request("GetObject"):
            found = self._stored(key, version.version_id)
        if version.etag not in ("", found.info.etag):
            raise self._error("PreconditionFailed", key, FileExpired)
        size = found.info.size
        first = max(size + start, 0) if start < 0 else start
        if (start or end is not None) and first >= size:  # InvalidRange
            return Content(b"", version, 0)
        data = found.data[first:end]
        assert isinstance(data, bytes), "these bytes were never sent; only their number is known"
        return Content(
            data, (version if version.etag else version._replace(etag=found.info.etag))._replace(size=size), size
        )

    def compares_checksums(self, key: str) -> bool:
        return False

    def read(self, read: Read) -> None:
        end = None if read.end is None else max(read.end, read.start + 1)
        content = self.get(read.key, read.start, end, read.version)
        if not content.data and (read.start or read.end is not None):
            read.is_past_end = True
            return
        first = max(content.size + read.start, 0) if read.start < 0 else read.start
        said = {"ETag": content.version.etag, "ContentLength": len(content.data)}
        if content.data:
            said["ContentRange"] = f"bytes {first}-{first + len(content.data) - 1}/{content.size}"
        place = read.accept(said)
        wanted = content.data[: len(place) if isinstance(place, memoryview) else place.left]
        if isinstance(place, memoryview):
            place[:] = wanted
        else:
            place.write(wanted)
        read.received = len(wanted)

    def read_many(self, due: Due, left: Callable[[], int]) -> Generator[Read, None, None]:
        while True:
            count = 0
            for read in self.pool.each(self._attempt, iter(due, None), self.pool.threads):
                count += 1
                yield read
            if not count:
                return

    def _attempt(self, read: Read) -> Read:
        try:
            self.read(read)
        except (OSError, ValueError) as error:
            read.error = error
        return read

    # Writing

    def put(self, key: str, body: Body, *, exclusive: bool = False, headers: ObjectHeaders = DEFAULT_HEADERS) -> None:
        with self.store.request("PutObject"):
            self._check_absent(key, exclusive)
            self._check_size(key, len(body), ranges.MAX_PART_BYTES)
            self._keep(key, _kept(body), headers)

    def replace(self, found: ObjectInfo, body: Body, headers: ObjectHeaders) -> None:
        with self.store.request("PutObject"):
            if self._stored(found.key, "").info.etag != found.etag:
                raise self._error("PreconditionFailed", found.key, FileExpired)
            self._keep(found.key, _kept(body), headers)

    def put_one(self, put: Put) -> None:
        self.put(put.key, put.body, headers=put.headers)

    def put_many(self, due: Due, left: Callable[[], int]) -> Generator[Put, None, None]:
        def attempt(put: Put) -> Put:
            try:
                self.put(put.key, put.body, headers=put.headers)
            except (OSError, ValueError) as error:
                put.error = error
            return put

        yield from self.pool.each(attempt, iter(due, None), self.pool.threads)

    def _check_absent(self, key: str, exclusive: bool) -> None:
        if exclusive and key in self.store.objects:
            raise self._error("PreconditionFailed", key)

    def _check_size(self, key: str, size: int, most: int) -> None:
        if size > most:
            raise self._error("EntityTooLarge", key)

    def look(self, key: str, error: OSError) -> ObjectInfo | None:
        try:
            return self.head(key)
        except FileNotFoundError:
            return None

    def copy(self, source: ObjectInfo, target: str, headers: ObjectHeaders | None = None) -> None:
        with self.store.request("CopyObject"):
            found = self._copied(source)
            if found.info.size > ranges.MAX_PART_BYTES:
                raise self._error("InvalidRequest", source.key)
            kept = found.info.headers if headers is None else headers
            self._keep(target, found.data, kept, tags=found.tags)

    def _copied(self, source: ObjectInfo) -> Stored:
        found = self._stored(source.key, source.version_id)
        if found.info.etag != source.etag:
            raise self._error("PreconditionFailed", source.key, FileExpired)
        return found

    def delete(self, key: str) -> None:
        with self.store.request("DeleteObject"):
            self.store.drop(key)

    def delete_many(self, keys: Sequence[str]) -> dict[str, Exception] | None:
        with self.store.request("DeleteObjects"):
            if not 0 < len(keys) <= MAX_DELETE_KEYS or not all(map(_fits_xml, keys)):
                raise self._error("MalformedXML", keys[0])
            for key in keys:
                self.store.drop(key)
        return {}

    # Tags

    def tags(self, key: str, version_id: str = "") -> dict[str, str]:
        with self.store.request("GetObjectTagging"):
            return dict(self._stored(key, version_id).tags)

    def put_tags(self, key: str, tags: Mapping[str, str]) -> None:
        with self.store.request("PutObjectTagging"):
            found = self._stored(key)
            head = {**found.info.head, "TagCount": len(tags)}
            self.store.keep(key, Stored(found.data, replace(found.info, head=head), dict(tags)))

    # Multipart uploads

    def create_upload(
        self, key: str, *, headers: ObjectHeaders = DEFAULT_HEADERS, tags: Mapping[str, str] | None = None
    ) -> str:
        with self.store.request("CreateMultipartUpload"):
            upload = Upload(key, uuid.uuid4().hex, datetime.now(timezone.utc))
            self.store.uploads[upload.upload_id] = Pending(upload, headers, dict(tags or {}))
            return upload.upload_id

    def _pending(self, key: str, upload_id: str) -> Pending:
        found = self.store.uploads.get(upload_id)
        if found is None or found.upload.key != key:
            raise self._error("NoSuchUpload", key)
        return found

    def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> Part:
        with self.store.request("UploadPart"):
            return self._add_part(key, upload_id, number, _kept(body))

    def upload_part_copy(self, key: str, upload_id: str, number: int, source: ObjectInfo, extent: ranges.Range) -> Part:
        with self.store.request("UploadPartCopy"):
            found = self._copied(source)
            if not 0 <= extent[0] < extent[1] <= found.info.size:
                raise self._error("InvalidRange", source.key)
            return self._add_part(key, upload_id, number, found.data[slice(*extent)])

    def _add_part(self, key: str, upload_id: str, number: int, data: bytes | Blank) -> Part:
        pending = self._pending(key, upload_id)
        if not 1 <= number <= ranges.MAX_PARTS:
            raise self._error("InvalidArgument", key)
        self._check_size(key, len(data), ranges.MAX_PART_BYTES)
        info = ObjectInfo(key, len(data), _etag(data), pending.upload.initiated)
        pending.parts[number] = Stored(data, info)
        return Part(number, info.etag, info.size)

    def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        with self.store.request("ListParts"):
            parts = sorted(self._pending(key, upload_id).parts.items())
        return [Part(number, part.info.etag, part.info.size, part.info.last_modified) for number, part in parts]

    def list_uploads(self, prefix: str) -> Iterator[Upload]:
        with self.store.request("ListMultipartUploads"):
            found = [pending.upload for pending in self.store.uploads.values()]
        yield from sorted((each for each in found if each.key.startswith(prefix)), key=lambda each: each.key)

    def complete_upload(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        exclusive: bool = False,
        has_copies: bool = False,
    ) -> None:
        with self.store.request("CompleteMultipartUpload"):
            pending = self._pending(key, upload_id)
            chosen = [self._chosen(pending, part) for part in sorted(parts, key=lambda part: part.number)]
            if not chosen:
                raise self._error("MalformedXML", key)
            if any(len(part.data) < ranges.MIN_PART_BYTES for part in chosen[:-1]):
                raise self._error("EntityTooSmall", key)
            self._check_absent(key, exclusive)
            data = _joined([part.data for part in chosen])
            self._check_size(key, len(data), ranges.MAX_OBJECT_BYTES)
            etag = _multipart_etag([part.info.etag for part in chosen])
            self._keep(key, data, pending.headers, etag=etag, tags=pending.tags)
            del self.store.uploads[upload_id]

    def _chosen(self, pending: Pending, part: Part) -> Stored:
        found = pending.parts.get(part.number)
        if found is None or found.info.etag != part.etag:
            raise self._error("InvalidPart", pending.upload.key)
        return found

    def abort_upload(self, key: str, upload_id: str) -> None:
        with self.store.request("AbortMultipartUpload"):
            self._pending(key, upload_id)
            del self.store.uploads[upload_id]

    # Signing

    def presign(self, key: str, operation: str, seconds: int, **request: object) -> str:
        return Bucket(self.parameters).presign(key, operation, seconds, **request)  # sends no request


def _kept(body: Body | Blank) -> bytes | Blank:
    return body if isinstance(body, Blank) else bytes(body)


def _etag(data: bytes | Blank) -> str:
    known = data if isinstance(data, bytes) else str(data.size).encode()
    return f'"{hashlib.md5(known).hexdigest()}"'


def _multipart_etag(etags: Sequence[str]) -> str:
    digests = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(etags)}"'


def _joined(pieces: Sequence[bytes | Blank]) -> bytes | Blank:
    if all(isinstance(piece, bytes) for piece in pieces):
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    return Blank(sum(map(len, pieces)))


def _fits_xml(key: str) -> bool:
    """https://www.w3.org/TR/xml/#charsets"""
    return all(char >= " " or char in "\t\n\r" for char in key) and not {"\ufffe", "\uffff"} & set(key)

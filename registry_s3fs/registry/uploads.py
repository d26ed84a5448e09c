"""Uploads that were begun and not completed: S3's pending uploads joined with the registry's ``_uploads`` folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import reading
from registry_s3fs.registry.entries import Entry, listed
from registry_s3fs.registry.tables import table_of

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem

OPEN = "open"
"""The upload can be gone on with: it has ``startedat``, and bytes or a pending upload for them."""
NO_DATA = "no_data"
"""It has ``startedat``, and nothing to go on with."""
CANCELLED = "cancelled"
"""It has no ``startedat``, so the registry does not know it. Files of it are left."""
NO_FOLDER = "no_folder"
"""Nothing is left of it but S3's pending upload, whose parts no listing shows."""
BLOB = "blob"
"""S3's pending upload of a blob itself: the copy into its place was interrupted, or goes on."""
OTHER = "other"
"""S3's pending upload of any other key."""

MOST_STARTED_AT_BYTES = 64
"""A file ``startedat`` has 20 bytes. What is larger is none, and not read."""


@dataclass
class Folder:
    """The files of one upload, below ``_uploads``."""

    repository: str
    uuid: str
    started_at: datetime | None = None
    """What the file ``startedat`` says, or the time at which it was written if it says no time."""
    has_started_at: bool = False
    data_bytes: int | None = None
    """The size of ``data``, if there is such a file. On S3 there mostly is none, but a pending upload."""
    hashstates: int = 0
    modified: datetime | None = None
    """The time of its newest file, if the filesystem tells."""
    files: list[str] = field(default_factory=list)


class Pending(NamedTuple):
    """An upload that S3 has begun."""

    path: str
    upload_id: str
    initiated: datetime | None
    parts: int | None = None
    part_bytes: int | None = None
    modified: datetime | None = None
    """The time of its newest part."""


class Upload(NamedTuple):
    """An upload as a row of the table: what S3 has begun, the folder that it is for, or both."""

    repository: str | None
    uuid: str | None
    started_at: datetime | None
    upload_id: str | None
    initiated: datetime | None
    parts: int | None
    part_bytes: int | None
    data_bytes: int | None
    hashstates: int
    age: int | None
    """The seconds since the last sign of it: a file, a part, or its begin. None where nothing tells."""
    state: str
    path: str
    """The path of its ``data``, or of what S3 would store."""


class UploadFolders:
    """The folders of uploads, from a listing.

    Args:
        root: The path that ``repositories`` lies below.
    """

    def __init__(self, root: str = layout.ROOT) -> None:
        self._parse = layout.Layout(root).parse
        self._folders: dict[tuple[str, str], Folder] = {}
        self._started_at: dict[str, Folder] = {}

    def add(self, entry: Entry) -> None:
        """Add a file, if it is one of an upload."""
        file = self._parse(entry.path)
        if (
            not isinstance(file, (layout.UploadData, layout.UploadStartedAt, layout.UploadHashState))
            or not entry.is_file
        ):
            return
        folder = self._folders.setdefault((file.repository, file.uuid), Folder(file.repository, file.uuid))
        folder.files.append(entry.path)
        folder.modified = _newest(folder.modified, entry.modified)
        if isinstance(file, layout.UploadData):
            folder.data_bytes = entry.size
        elif isinstance(file, layout.UploadHashState):
            folder.hashstates += 1
        else:
            folder.has_started_at, folder.started_at = True, entry.modified
            if entry.size <= MOST_STARTED_AT_BYTES:
                self._started_at[entry.path] = folder

    def listed(self) -> list[Folder]:
        """Return the folders. Until `take` was told what ``startedat`` says, the time of that file stands for it."""
        return list(self._folders.values())

    def take(self, name: str, data: bytes) -> None:
        """Take what one of the files ``startedat`` says."""
        if name in self._started_at and (started := _time(data)):
            self._started_at[name].started_at = started

    def read(self, fs: AbstractFileSystem) -> list[Folder]:
        """Read the files ``startedat``, and return the folders."""
        if self._started_at:
            for name, data in reading.cat(fs, list(self._started_at)).items():
                if isinstance(data, bytes):
                    self.take(name, data)
        return self.listed()


def _time(data: bytes) -> datetime | None:
    """Return the time that a file ``startedat`` says, or None if it says none.

    >>> _time(b"2026-11-24T07:57:54Z").isoformat(), _time(b"yesterday")
    ('2026-11-24T07:57:54+00:00', None)
    """
    try:
        found = datetime.fromisoformat(data.decode().replace("Z", "+00:00"))
        return found.astimezone(timezone.utc) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _newest(*times: datetime | None) -> datetime | None:
    return max((each for each in times if each is not None), default=None)


def pending_uploads(fs: AbstractFileSystem, root: str = layout.ROOT) -> list[Pending]:
    """Return the uploads that S3 has begun below a root, with what their parts weigh.

    There are none on filesystems without multipart uploads, or that do not show them.
    """
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return _pending_below(fs, root) if "registrys3" in protocols else []


def _pending_below(fs: AbstractFileSystem, path: str) -> list[Pending]:
    return [
        Pending(
            each["name"], each["UploadId"], each["Initiated"], each["parts"], each["part_bytes"], each["LastModified"]
        )
        for each in fs.list_multipart_uploads(path, parts=True)
    ]


def joined(
    folders: Iterable[Folder], pending: Iterable[Pending], at: datetime, root: str = layout.ROOT
) -> list[Upload]:
    """Return a row for each upload that S3 has begun, and for each folder that none of them is for.

    Args:
        folders: The folders below ``_uploads``.
        pending: What S3 has begun.
        at: The time at which uploads are as old as they are said to be.
        root: The path that ``repositories`` lies below.
    """
    parse = layout.Layout(root).parse
    waiting = {(folder.repository, folder.uuid): folder for folder in folders}
    begun: defaultdict[tuple[str, str], list[Pending]] = defaultdict(list)
    found: list[Upload] = []
    for each in pending:
        file = parse(each.path)
        if isinstance(file, layout.UploadData):
            begun[file].append(each)
        else:
            state = BLOB if isinstance(file, layout.Blob) else OTHER
            found.append(_row(Folder("", ""), each, at, state, each.path))
    for place in sorted(waiting.keys() | begun.keys()):
        folder = waiting.get(place) or Folder(*place)
        path = layout.UploadData(*place).at(root)
        state = _state(folder, is_begun=place in begun)
        found += [_row(folder, upload, at, state, path) for upload in begun.get(place) or (None,)]
    return found


def _state(folder: Folder, *, is_begun: bool) -> str:
    if not folder.files:
        return NO_FOLDER
    if not folder.has_started_at:
        return CANCELLED
    return OPEN if is_begun or folder.data_bytes is not None else NO_DATA


def _row(folder: Folder, pending: Pending | None, at: datetime, state: str, path: str) -> Upload:
    begun = pending or Pending("", "", None)
    last = _newest(folder.started_at, folder.modified, begun.initiated, begun.modified)
    return Upload(
        folder.repository or None,
        folder.uuid or None,
        folder.started_at,
        begun.upload_id or None,
        begun.initiated,
        begun.parts,
        begun.part_bytes,
        folder.data_bytes,
        folder.hashstates,
        None if last is None else max(0, int((at - last).total_seconds())),
        state,
        path,
    )


def table(uploads: Iterable[Upload]) -> pa.Table:
    """Return uploads as the table of an inventory."""
    return table_of("uploads", (upload[:-1] for upload in uploads))


def read(fs: AbstractFileSystem, root: str = layout.ROOT, at: datetime | None = None) -> list[Upload]:
    """Return the uploads of a registry, from one listing of its repositories and S3's own.

    Args:
        fs: The filesystem.
        root: The path that ``repositories`` lies below.
        at: The time at which uploads are as old as they are said to be; now by default.
    """
    pending = pending_uploads(fs, root)
    folders = _folders(fs, f"{root.rstrip('/')}/repositories", root)
    return joined(folders, pending, at or datetime.now(timezone.utc), root)


def _folders(fs: AbstractFileSystem, path: str, root: str) -> list[Folder]:
    """Return the folders of uploads below a path."""
    folders = UploadFolders(root)
    for page in listed(fs, path):
        for entry in page:
            folders.add(entry)
    return folders.read(fs)


def abort(
    fs: AbstractFileSystem,
    uploads: Iterable[Upload],
    older_than: timedelta,
    *,
    root: str = layout.ROOT,
    dry_run: bool = True,
) -> list[Upload]:
    """Abort uploads that show no sign of life for long: their parts, and their folders.

    An upload is looked at once more just before, and stays where it is not that old any more. One of which no age is
    known stays.

    Args:
        fs: The filesystem.
        uploads: The uploads, as `read` returns them.
        older_than: The time since the last sign of an upload.
        root: The path that ``repositories`` lies below.
        dry_run: Whether to do nothing but tell.

    Returns:
        What was aborted, or would be.
    """
    of_path: defaultdict[str, list[Upload]] = defaultdict(list)
    for upload in uploads:
        of_path[upload.path].append(upload)
    old = [each for each in of_path.values() if _are_old(each, older_than)]
    return [upload for each in old if dry_run or _abort(fs, each[0], older_than, root) for upload in each]


def _are_old(uploads: list[Upload], older_than: timedelta) -> bool:
    """Return whether all uploads of one path are so old; only those may go, since they share a folder."""
    limit = older_than.total_seconds()
    return bool(uploads) and all(upload.age is not None and upload.age >= limit for upload in uploads)


def _abort(fs: AbstractFileSystem, upload: Upload, older_than: timedelta, root: str) -> bool:
    """Abort all uploads of a path, and return whether there still were any, and all still that old."""
    place = upload.path.rpartition("/")[0]
    pending = [each for each in pending_uploads(fs, place) if each.path == upload.path]
    now = joined(_folders(fs, place, root), pending, datetime.now(timezone.utc), root)
    if not _are_old(now, older_than):
        return False
    for each in now:
        if each.upload_id:
            with suppress(FileNotFoundError):  # it was completed or aborted meanwhile
                fs.abort_multipart_upload(each.path, each.upload_id)
    if upload.uuid:
        with suppress(FileNotFoundError):
            fs.rm(place, recursive=True)
    return True

"""Uploads that were begun and not completed: what is told of them, and which are aborted."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import uploads
from registry_s3fs.registry.uploads import BLOB, CANCELLED, NO_DATA, NO_FOLDER, OPEN, OTHER, Folder, Pending, Upload

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
UUIDS = [f"7b5ef0d4-3f0e-4f6b-9d0c-0a1b2c3d4e{number:02}" for number in range(10)]
DATA = [layout.UploadData("team/app", uuid).at() for uuid in UUIDS]


def ago(**age: float) -> datetime:
    """A time before `NOW`."""
    return NOW - timedelta(**age)


def begin(fs: AbstractFileSystem, uuid: str, *, started: datetime | None, data: bytes | None = None) -> str:
    """An upload's folder as the registry writes it; returns the path of its data."""
    path = layout.UploadData("team/app", uuid).at()
    folder = path.rpartition("/")[0]
    fs.makedirs(f"{folder}/hashstates/sha256", exist_ok=True)
    fs.pipe_file(f"{folder}/hashstates/sha256/0", bytes(108))
    if started:
        fs.pipe_file(f"{folder}/startedat", f"{started:%Y-%m-%dT%H:%M:%SZ}".encode())
    if data is not None:
        fs.pipe_file(path, data)
    return path


def states(found: list[Upload]) -> dict[str | None, str]:
    """The state of each upload, by its uuid."""
    return {upload.uuid: upload.state for upload in found}


@pytest.fixture
def memory() -> MemoryFileSystem:
    """An empty filesystem in memory."""
    found = MemoryFileSystem(skip_instance_cache=True)
    found.store, found.pseudo_dirs = {}, [""]
    return found


# What is told


def test_folders_are_told_on_any_filesystem(memory: MemoryFileSystem) -> None:
    """Where there are no multipart uploads, a file holds what was stored so far."""
    begin(memory, UUIDS[0], started=ago(hours=2), data=b"12345")
    begin(memory, UUIDS[1], started=None)
    begin(memory, UUIDS[2], started=ago(days=8))
    found = uploads.read(memory, at=NOW + timedelta(days=36500))
    assert states(found) == {UUIDS[0]: OPEN, UUIDS[1]: CANCELLED, UUIDS[2]: NO_DATA}
    first = found[0]
    assert (first.repository, first.started_at, first.data_bytes) == ("team/app", ago(hours=2), 5)
    assert (first.hashstates, first.upload_id, first.parts, first.path) == (1, None, None, DATA[0])
    assert uploads.table(found).column("state").to_pylist() == [OPEN, CANCELLED, NO_DATA]


def test_what_s3_has_begun_is_joined_with_the_folders(fs: RegistryS3FileSystem) -> None:
    """With its parts, which no listing shows: with a folder, without one, of a blob, and of any other key."""
    begin(fs, UUIDS[0], started=ago(hours=2))
    blob, other = layout.blob_path(layout.digest(b"")), f"{layout.ROOT}/other"
    for path in (DATA[0], DATA[1], blob, other, "/elsewhere"):
        key = fs.bucket.space.key(path)
        upload_id = fs.bucket.create_upload(key)
        fs.bucket.upload_part(key, upload_id, 1, b"part")
    found = uploads.read(fs)
    assert [(each.path, each.state, each.parts, each.part_bytes) for each in found] == [
        (blob, BLOB, 1, 4),
        (other, OTHER, 1, 4),
        (DATA[0], OPEN, 1, 4),
        (DATA[1], NO_FOLDER, 1, 4),
    ]
    assert (found[0].repository, found[0].uuid) == (None, None)
    assert (found[3].repository, found[3].uuid) == ("team/app", UUIDS[1])


def test_the_age_is_the_time_since_the_last_sign() -> None:
    """Whatever it is: the begin, a file, or a part of a push that has sent one request for a day."""
    folder = Folder("team/app", UUIDS[0], ago(days=9), has_started_at=True, modified=ago(days=8), files=["startedat"])
    pending = Pending(DATA[0], "id", ago(days=10), 1, 4, ago(hours=1))
    for folders, begun, age in (
        ([folder], [], 8 * 86400),
        ([], [pending._replace(modified=None)], 10 * 86400),
        ([folder], [pending], 3600),
        ([], [pending._replace(initiated=None, modified=None)], None),
        ([], [pending._replace(modified=NOW + timedelta(minutes=5))], 0),
    ):
        (found,) = uploads.joined(folders, begun, NOW)
        assert found.age == age


def test_two_uploads_of_one_folder_are_two_rows() -> None:
    """As a registry that was killed while it resumed leaves them."""
    folder = Folder("team/app", UUIDS[0], NOW, has_started_at=True, files=["startedat"])
    found = uploads.joined([folder], [Pending(DATA[0], name, NOW, 1, 4) for name in ("one", "two")], NOW)
    assert [(each.upload_id, each.state) for each in found] == [("one", OPEN), ("two", OPEN)]


@pytest.mark.parametrize("text", [b"yesterday", b"\xff", b"9999-12-31T23:59:59-23:59", b"2026-01-01", bytes(1000)])
def test_a_file_that_says_no_time_is_no_error(memory: MemoryFileSystem, text: bytes) -> None:
    """The time at which it was written stands for it; one that is far too large is not read."""
    begin(memory, UUIDS[0], started=NOW)
    path = layout.UploadStartedAt("team/app", UUIDS[0]).at()
    memory.pipe_file(path, text)
    (found,) = uploads.read(memory)
    assert found.state == NO_DATA
    assert found.started_at is not None
    assert abs(found.started_at - memory.modified(path)) < timedelta(seconds=1)


# What is aborted


def test_a_dry_run_touches_nothing(fs: RegistryS3FileSystem) -> None:
    """It is the default."""
    begin(fs, UUIDS[0], started=ago(days=8))
    fs.bucket.create_upload(fs.bucket.space.key(DATA[0]))
    found = [upload._replace(age=8 * 86400) for upload in uploads.read(fs)]
    assert uploads.abort(fs, found, timedelta(days=7)) == found
    assert len(uploads.read(fs)) == 1
    assert fs.find(layout.REPOSITORIES)


def test_old_uploads_are_aborted_and_their_folders_removed(fs: RegistryS3FileSystem) -> None:
    """Parts and files; what lies beside them stays."""
    begin(fs, UUIDS[0], started=ago(days=8))
    fs.bucket.create_upload(fs.bucket.space.key(DATA[0]))
    fs.bucket.create_upload(fs.bucket.space.key(DATA[1]))
    fs.bucket.create_upload(fs.bucket.space.key("/elsewhere"))
    link = layout.layer_link("team/app", layout.digest(b""))
    fs.pipe_file(link, layout.digest(b"").encode())
    found = uploads.read(fs)
    assert uploads.abort(fs, found, timedelta(days=7), dry_run=False) == []  # the files are new
    gone = uploads.abort(fs, [each._replace(age=9 * 86400) for each in found], timedelta(seconds=-1), dry_run=False)
    assert [upload.uuid for upload in gone] == UUIDS[:2]
    assert fs.find(layout.ROOT) == [link]
    assert [each["name"] for each in fs.list_multipart_uploads()] == ["/elsewhere"]


def test_an_upload_that_goes_on_meanwhile_stays(fs: RegistryS3FileSystem) -> None:
    """It is looked at once more just before."""
    begin(fs, UUIDS[0], started=ago(days=8))
    fs.bucket.create_upload(fs.bucket.space.key(DATA[0]))
    found = [upload._replace(age=8 * 86400) for upload in uploads.read(fs)]
    assert uploads.abort(fs, found, timedelta(days=7), dry_run=False) == []
    assert len(fs.list_multipart_uploads()) == 1
    assert fs.find(layout.REPOSITORIES)


def test_an_upload_of_unknown_or_young_age_stays_with_its_folder() -> None:
    """A folder goes as a whole, so that one of two uploads in it that is young keeps both."""
    rows = uploads.joined([], [Pending(DATA[0], "old", ago(days=9)), Pending(DATA[0], "new", ago(days=1))], NOW)
    rows += uploads.joined([], [Pending(DATA[1], "unknown", None)], NOW)
    assert uploads.abort(MemoryFileSystem(), rows, timedelta(days=7)) == []


def test_a_local_registry_is_cleared_of_folders(tmp_path: Path) -> None:
    """Without multipart uploads, only the folders go."""
    local, root = LocalFileSystem(), f"{tmp_path}{layout.ROOT}"
    folder = f"{root}/repositories/team/app/_uploads/{UUIDS[0]}"
    local.makedirs(folder)
    local.pipe_file(f"{folder}/startedat", f"{ago(days=8):%Y-%m-%dT%H:%M:%SZ}".encode())
    local.pipe_file(f"{folder}/data", b"12345")
    found = uploads.read(local, root)
    assert [(upload.state, upload.data_bytes) for upload in found] == [(OPEN, 5)]
    found = [upload._replace(age=10) for upload in found]
    assert uploads.abort(local, found, timedelta(seconds=-1), root=root, dry_run=False) == found
    assert local.ls(f"{root}/repositories/team/app/_uploads") == []

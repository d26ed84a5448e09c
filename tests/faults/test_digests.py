"""A registry's blobs compared with their own digests while they are read."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import DigestMismatch
from registry_s3fs.model import registry_layout
from testbed.proxy import ALWAYS, Fault, Proxy
from tests.faults.conftest import DATA, MIB

Through = Callable[..., RegistryS3FileSystem]
BLOB = registry_layout.blob_path(registry_layout.digest(DATA))
EMPTY = registry_layout.blob_path(registry_layout.digest(b""))
FLIP = Fault("GetObject", "flip", times=ALWAYS)


@pytest.fixture(autouse=True)
def _blobs(fs: RegistryS3FileSystem) -> None:
    fs.pipe({BLOB: DATA, EMPTY: b"", "/plain": b"plain"})


def in_steps(fs: RegistryS3FileSystem, path: str, **how: Any) -> bytes:
    with fs.open(path, "rb", **how) as file:
        return b"".join(iter(lambda: file.read(MIB), b""))


def at_once(fs: RegistryS3FileSystem, path: str, **how: Any) -> bytes:
    with fs.open(path, "rb", **how) as file:
        data: bytes = file.read()
        return data


def cat_file(fs: RegistryS3FileSystem, path: str, **how: Any) -> bytes:
    data: bytes = fs.cat_file(path, **how)
    return data


def cat(fs: RegistryS3FileSystem, path: str, **how: Any) -> bytes:
    data: bytes = fs.cat([path, path], **how)[path]
    return data


def get_file(fs: RegistryS3FileSystem, path: str, **how: Any) -> bytes:
    into = io.BytesIO()
    fs.get_file(path, into, **how)
    return into.getvalue()


READS = pytest.mark.parametrize("read", [in_steps, at_once, cat_file, cat, get_file])


@pytest.mark.promise("Reading")
@READS
def test_one_flipped_bit_of_a_blob_is_told(through: Through, proxy: Proxy, read: Callable[..., bytes]) -> None:
    """With `verify_digests=True` or `verify=True`, a blob whose bytes do not fit its digest is a
    `DigestMismatchError`.

    Each way to read a whole blob is tried. With neither option, the bytes are not compared.
    """
    proxy.faults = [FLIP]
    with pytest.raises(DigestMismatch) as wrong:
        read(through(verify_digests=True), BLOB)
    assert wrong.value.filename == BLOB
    assert wrong.value.errno
    with pytest.raises(DigestMismatch):
        read(through(), BLOB, verify=True)
    assert read(through(), BLOB) != DATA
    assert read(through(verify_digests=True), BLOB, verify=False) != DATA


@READS
@pytest.mark.parametrize(("path", "data"), [(BLOB, DATA), (EMPTY, b"")])
def test_a_blob_with_its_digest_comes_as_it_is(
    through: Through, read: Callable[..., bytes], path: str, data: bytes
) -> None:
    """Verified or not."""
    assert read(through(verify_digests="true"), path) == data
    assert read(through(), path, verify=True) == data


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_blob_of_another_algorithm_is_compared_too(fs: RegistryS3FileSystem, algorithm: str) -> None:
    """The error tells the digest that was found. One of an algorithm that Python does not know is read unverified."""
    digest = f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    path = registry_layout.blob_path(digest)
    fs.pipe_file(path, b"abc")
    assert fs.cat_file(path, verify=True) == b"abc"
    fs.pipe_file(path, b"abd")
    with pytest.raises(DigestMismatch, match=f"{algorithm}:{hashlib.new(algorithm, b'abd').hexdigest()}"):
        fs.cat_file(path, verify=True)
    unknown = registry_layout.blob_path("blake3:0a1b2c")
    fs.pipe_file(unknown, b"abc")
    with pytest.raises(ValueError, match="whose path has its sha256, sha384 or sha512 digest"):
        fs.cat_file(unknown, verify=True)


@pytest.mark.promise("Reading")
@READS
def test_what_is_no_blob_is_read_unverified(through: Through, read: Callable[..., bytes]) -> None:
    """With `verify_digests=True`, a file that is no blob is read unverified. `verify=True` refuses it."""
    assert read(through(verify_digests=True), "/plain") == b"plain"
    with pytest.raises(ValueError, match="verify: /plain: it is no blob"):
        read(through(), "/plain", verify=True)


@pytest.mark.promise("Reading")
def test_a_local_file_with_wrong_bytes_does_not_appear(through: Through, proxy: Proxy, tmp_path: Path) -> None:
    """A local file with wrong bytes does not appear, and an older one stays."""
    fs = through(verify_digests=True)
    proxy.faults = [FLIP]
    with pytest.raises(DigestMismatch):
        fs.get_file(BLOB, str(tmp_path / "new"))
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(DigestMismatch):
        fs.get(BLOB, str(tmp_path / "old"))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_bytes() == b"old"


@pytest.mark.promise("Reading")
def test_a_file_is_verified_when_it_is_read_in_order(through: Through, proxy: Proxy) -> None:
    """An open file is compared with its digest when it is read in order to its end.

    A read that skips bytes ends the check. A read from the first byte begins it again, in a pickled file too.
    """
    fs = through(verify_digests=True)
    proxy.faults = [FLIP]
    with fs.open(BLOB) as file:
        file.read(10)
        file.seek(20)
        assert len(file.read()) == len(DATA) - 20
        for again in (file, pickle.loads(pickle.dumps(file))):
            again.seek(0)
            again.read(MIB)
            with pytest.raises(DigestMismatch):
                again.read()


def test_a_part_of_a_blob_has_no_digest(through: Through) -> None:
    """It is read with verify_digests, and refused with verify=True."""
    fs = through(verify_digests=True)
    assert fs.cat_file(BLOB, 1, 3) == DATA[1:3]
    assert fs.tail(BLOB, 3) == DATA[-3:]
    assert fs.cat_ranges([BLOB], [5], [9]) == [DATA[5:9]]
    with pytest.raises(ValueError, match="a part of a blob"):
        fs.cat_file(BLOB, 1, 3, verify=True)


def test_a_file_for_writing_takes_no_verify(through: Through) -> None:
    """There is nothing to compare."""
    with pytest.raises(ValueError, match="verify: /new"):
        through().open("/new", "wb", verify=True)

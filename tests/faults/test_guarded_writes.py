"""Bytes on their way to the server: whatever signs a request, something guards them, and one guard is enough."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from testbed.messages import Answer, Request
from testbed.plain_answers import refusal
from testbed.scripted_store import ScriptedStore

MIB = 1024 * 1024
DATA = bytes(range(256)) * (11 * 4096)
HASH, MD5, CRC32 = "X-Amz-Content-SHA256", "Content-MD5", "x-amz-checksum-crc32"
TRIES = {"retries": {"total_max_attempts": 3}}
CHECKSUMS: dict[str, Any] = {"config_kwargs": {**TRIES, "request_checksum_calculation": "when_supported"}}
WAYS = {
    "v4": ({}, {HASH}),
    "v4, checksums": (CHECKSUMS, {CRC32}),
    "v2": ({"v4auth": False}, {MD5}),
    "v2, checksums": ({"v4auth": False, **CHECKSUMS}, {CRC32}),
    "unsigned": ({"anon": True, "accesskey": "", "secretkey": ""}, {MD5}),
}
"""The values are options, and the guards of which one is enough."""


def write(fs: RegistryS3FileSystem, path: str) -> None:
    with fs.open(path, "wb", block_size=5 * MIB) as file:
        file.write(DATA)


WRITES: dict[str, Callable[[RegistryS3FileSystem, Path], object]] = {
    "pipe_file": lambda fs, local: fs.pipe_file("/f", DATA[:100]),
    "pipe_file, new": lambda fs, local: fs.pipe_file("/f", DATA[:100], mode="create"),
    "pipe_file, empty": lambda fs, local: fs.pipe_file("/f", b""),
    "pipe_file, parts": lambda fs, local: fs.pipe_file("/f", DATA, block_size=5 * MIB),
    "pipe": lambda fs, local: fs.pipe({"/f": DATA[:100], "/g": DATA[: 2 * MIB], "/h": b""}),
    "put": lambda fs, local: fs.put(str(local), "/f"),
    "open": lambda fs, local: write(fs, "/f"),
    "touch": lambda fs, local: fs.touch("/f"),
}


def guards_of(request: Request) -> set[str]:
    """The guards that a request has, each of which holds its bytes."""
    body = request.body
    right = {
        HASH: hashlib.sha256(body).hexdigest(),
        MD5: base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        CRC32: base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode(),
    }
    return {name for name, value in right.items() if request.header(name) == value}


@pytest.fixture(params=[False, True], ids=["http", "https"])
def store(request: pytest.FixtureRequest) -> Iterator[ScriptedStore]:
    with ScriptedStore({}, tls=request.param) as found:
        yield found


@pytest.fixture(params=[True, False], ids=["fast path", "boto3"])
def make(
    request: pytest.FixtureRequest, store: ScriptedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RegistryS3FileSystem]:
    """Makes a filesystem on the store."""
    (tmp_path / "cert.pem").write_text(store.certificate)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "cert.pem"))

    def made(**options: Any) -> RegistryS3FileSystem:
        common = {"fast_path": request.param, "config_kwargs": TRIES, "skip_instance_cache": True}
        return RegistryS3FileSystem(**{**store.options(), **common, **options})

    return made


@pytest.mark.promise("Writing")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_byte_that_is_sent_is_guarded(
    make: Callable[..., RegistryS3FileSystem],
    store: ScriptedStore,
    tmp_path: Path,
    way: tuple[dict[str, Any], set[str]],
) -> None:
    """The server can tell whether the bytes of an object or part are those that were sent, over http and https.

    The request has their SHA-256 in a signature of version 4, a checksum of the SDK's, or Content-MD5 where it would
    have neither.
    """
    options, expected = way
    (tmp_path / "local").write_bytes(DATA)
    fs = make(**options)
    for name, each in WRITES.items():
        store.requests.clear()
        store.s3.objects.clear()
        each(fs, tmp_path / "local")
        sent = store.of("PutObject") + store.of("UploadPart")
        assert sent, name
        for request in sent:
            found = guards_of(request)
            assert found & expected or request.header("x-amz-trailer") == CRC32, name
            assert (MD5 in found) == (MD5 in expected), name


@pytest.mark.parametrize("write", [WRITES["pipe_file"], WRITES["pipe_file, parts"]], ids=["PutObject", "UploadPart"])
def test_bytes_that_fail_their_md5_are_sent_again(
    make: Callable[..., RegistryS3FileSystem],
    store: ScriptedStore,
    tmp_path: Path,
    write: Callable[[RegistryS3FileSystem, Path], object],
) -> None:
    """As with every other guard."""

    def refused(request: Request, answer: Answer) -> Answer:
        return refusal(400, "BadDigest")

    for operation in ("PutObject", "UploadPart"):
        store.script(operation, refused, times=1, done=False)
    fs = make(v4auth=False)
    write(fs, tmp_path)
    assert fs.cat_file("/f") in (DATA, DATA[:100])


def test_whoever_turns_the_signing_of_payloads_off_is_obeyed(
    make: Callable[..., RegistryS3FileSystem], store: ScriptedStore
) -> None:
    """As in boto3: no guard takes the place of the one that was refused."""
    make(config_kwargs={**TRIES, "s3": {"payload_signing_enabled": False}}).pipe_file("/f", DATA[:100])
    (request,) = store.of("PutObject")
    assert guards_of(request) == set()

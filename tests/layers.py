"""Layers made for tests: archives by the standard library's tarfile, compressed and with tables of contents."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.registry.manifests import Descriptor

NOON = 1_790_000_000


@dataclass(frozen=True)
class Member:
    """A member of an archive."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: float = NOON
    device: tuple[int, int] = (0, 0)
    records: Mapping[str, str] = field(default_factory=dict)

    def info(self) -> tarfile.TarInfo:
        """What tarfile writes of it."""
        info = tarfile.TarInfo(self.name)
        info.size = len(self.data)
        info.type, info.linkname, info.mode = self.type, self.target, self.mode
        info.uid, info.gid, info.mtime = self.uid, self.gid, self.mtime
        info.devmajor, info.devminor = self.device
        info.pax_headers = dict(self.records)
        return info


def folder(name: str, mode: int = 0o755, **fields: Any) -> Member:
    return Member(name, type=tarfile.DIRTYPE, mode=mode, **fields)


def symlink(name: str, target: str) -> Member:
    return Member(name, type=tarfile.SYMTYPE, target=target, mode=0o777)


def hardlink(name: str, target: str) -> Member:
    return Member(name, type=tarfile.LNKTYPE, target=target)


def tar(members: Iterable[Member | str], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002  # tarfile's word
    """An archive. Members that are mere names are empty files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format) as archive:
        for each in members:
            member = Member(each) if isinstance(each, str) else each
            archive.addfile(member.info(), io.BytesIO(member.data))
    return raw.getvalue()


def noise(size: int, seed: object = 0) -> bytes:
    """Bytes that do not compress well, and not badly either, always the same."""
    block = hashlib.shake_128(repr(seed).encode()).digest(min(size, 65_536) // 2 + 1)
    once = b"".join(bytes([byte, byte]) for byte in block)
    numbered = (once[: -4 or None] + number.to_bytes(4, "big") for number in range(size // len(once) + 1))
    return b"".join(numbered)[:size]


class Store(MemoryFileSystem):
    """A registry's blobs in memory. It notes which ranges of them are read, and how often they are opened."""

    root = "/registry"
    cachable = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.store, self.pseudo_dirs = {}, [""]
        self.ranges: list[tuple[int, int]] = []
        self.opened = 0
        self.bytes_read = 0
        self.infos = 0

    def add(self, blob: bytes, annotations: Mapping[str, str] | None = None) -> Descriptor:
        """Store a blob, and return what a manifest would say of it."""
        found = hashlib.sha256(blob).hexdigest()
        self.replace(f"sha256:{found}", blob)
        return Descriptor(f"sha256:{found}", len(blob), annotations=annotations or {})

    def path(self, digest: str) -> str:
        encoded = digest.partition(":")[2]
        return f"{self.root}/blobs/sha256/{encoded[:2]}/{encoded}/data"

    def replace(self, digest: str, blob: bytes) -> None:
        """Store other bytes for a digest."""
        self.pipe_file(self.path(digest), blob)

    def info(self, path: str, **kwargs: Any) -> Any:
        self.infos += 1
        return super().info(path, **kwargs)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        if start is not None:
            self.ranges.append((start, end or 0))
        if path not in self.store:
            raise FileNotFoundError(path)
        data: bytes = self.store[path].getvalue()[start:end]
        self.bytes_read += len(data)
        return data

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode != "rb":
            return super().open(path, mode, **kwargs)
        self.opened += 1
        return _Noted(self, self.store[path].getvalue())


class _Noted(io.BytesIO):
    """A file that tells its filesystem how much is read."""

    def __init__(self, store: Store, data: bytes) -> None:
        super().__init__(data)
        self._store = store

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self._store.bytes_read += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        size = super().readinto(buffer)
        self._store.bytes_read += size
        return size


# Layers with tables of contents, as stargz-snapshotter and containers/storage write them.

TYPES = {
    tarfile.REGTYPE: "reg",
    tarfile.DIRTYPE: "dir",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
Row = dict[str, Any]


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _row(member: Member) -> Row:
    row = {"name": member.name, "type": TYPES[member.type], "size": len(member.data), "mode": member.mode}
    row |= {"uid": member.uid, "gid": member.gid, "linkName": member.target, "modtime": "2026-09-21T14:13:20Z"}
    row |= {"devMajor": member.device[0], "devMinor": member.device[1]}
    named = {name[13:]: value for name, value in member.records.items() if name.startswith("SCHILY.xattr.")}
    row["xattrs"] = {name: base64.b64encode(value.encode()).decode() for name, value in named.items()}
    return {name: value for name, value in row.items() if value}


def _headers(members: Sequence[Member]) -> tuple[list[bytes], bytes]:
    """What stands before each member's bytes in the archive, and what stands behind the last."""
    whole, at, headers = tar(members), 0, []
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        for info, member in zip(archive.getmembers(), members, strict=True):
            headers.append(whole[at : info.offset_data])
            at = info.offset_data + len(member.data)
    return headers, whole[at:]


def stargz(members: Sequence[Member], chunk: int = 1000, edit: Any = None) -> tuple[bytes, dict[str, str]]:
    """An eStargz layer, and the annotations of its descriptor. `edit` may change the table."""
    blob, rows = bytearray(), []
    headers, rest = _headers(members)
    for header, member in zip(headers, members, strict=True):
        blob += gzip.compress(header, 1, mtime=0)
        row = _row(member)
        rows.append(row)
        for at in range(0, len(member.data), chunk):
            data = member.data[at : at + chunk]
            if at:
                row = {"name": member.name, "type": "chunk", "chunkOffset": at}
                rows.append(row)
            row |= {"offset": len(blob), "chunkDigest": sha256(data)}
            if at + chunk < len(member.data):
                row["chunkSize"] = chunk
            blob += gzip.compress(data, 1, mtime=0)
    blob += gzip.compress(rest, 1, mtime=0)
    table = {"version": 1, "entries": rows}
    if edit:
        edit(table)
    document = json.dumps(table).encode()
    offset = len(blob)
    blob += gzip.compress(tar([Member("stargz.index.json", document)]), 1, mtime=0)
    extra = b"SG" + struct.pack("<H", 22) + f"{offset:016x}STARGZ".encode()
    header = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + struct.pack("<H", len(extra)) + extra
    blob += header + b"\x01\x00\x00\xff\xff" + bytes(8)
    return bytes(blob), {"containerd.io/snapshot/stargz/toc.digest": sha256(document)}


def chunked(members: Sequence[Member], chunk: int = 1000, edit: Any = None) -> tuple[bytes, dict[str, str]]:
    """A zstd:chunked layer, and the annotations of its descriptor. `edit` may change the table."""
    from registry_s3fs.registry.layers.compression import zstd_library

    zstd = zstd_library()
    blob, rows = bytearray(), []
    headers, rest = _headers(members)
    for header, member in zip(headers, members, strict=True):
        blob += zstd.compress(header)
        row = _row(member)
        rows.append(row)
        if member.data:
            row |= {"offset": len(blob), "digest": sha256(member.data)}
        for at in range(0, len(member.data), chunk):
            data = member.data[at : at + chunk]
            if at:
                row = {"name": member.name, "type": "chunk", "chunkOffset": at, "offset": len(blob)}
                rows.append(row)
            if len(member.data) > chunk:
                row |= {"chunkDigest": sha256(data), "chunkSize": len(data)}
            blob += zstd.compress(data)
        if member.data:
            rows[-1 - (len(member.data) - 1) // chunk]["endOffset"] = len(blob)
    blob += zstd.compress(rest)
    table = {"version": 1, "entries": rows}
    if edit:
        edit(table)
    document = json.dumps(table).encode()
    frame = zstd.compress(document)
    start = len(blob) + 8
    for content in (frame, struct.pack("<QQQQ", start, len(frame), len(document), 1) + b"GNUlInUx"):
        blob += b"\x50\x2a\x4d\x18" + struct.pack("<I", len(content)) + content
    prefix = "io.github.containers.zstd-chunked.manifest-"
    position = f"{start}:{len(frame)}:{len(document)}:1"
    return bytes(blob), {f"{prefix}position": position, f"{prefix}checksum": sha256(frame)}


def gzip_of(data: bytes, members: int = 1) -> bytes:
    """A gzip stream of several members."""
    size = -(-len(data) // members) or 1
    return b"".join(gzip.compress(data[at : at + size], 1, mtime=0) for at in range(0, max(1, len(data)), size))


def bomb(size: int, beginning: bytes = b"") -> bytes:
    """A gzip stream of zeros, which expand about 1,000 times."""
    compressor = zlib.compressobj(9, wbits=31)
    parts = [compressor.compress(beginning)]
    block = bytes(1024 * 1024)
    parts += [compressor.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, compressor.flush()])

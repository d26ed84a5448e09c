"""Streams of gzip and zstd: members, frames, padding, damage, and what they expand to."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Iterator

import pytest

from registry_s3fs.errors import LayerError
from registry_s3fs.registry.layers import compression
from registry_s3fs.registry.layers.compression import PIECE_BYTES, Compression, compression_of, decompressed
from tests.layers import bomb, gzip_of, noise

DATA = noise(400_000)
ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
SKIPPABLE = b"\x5f\x2a\x4d\x18" + struct.pack("<I", 5) + b"\x1f\x8bxxx"


def zstd_of(data: bytes, frames: int = 1) -> bytes:
    zstd = pytest.importorskip(ZSTD)
    size = -(-len(data) // frames)
    return b"".join(zstd.compress(data[at : at + size]) for at in range(0, len(data), size))


def pieces(data: bytes, size: int = 70_000) -> Iterator[bytes]:
    return iter([data[at : at + size] for at in range(0, len(data), size)])


def decode(data: bytes, size: int = 70_000) -> tuple[bytes, list[tuple[int, int]]]:
    """The decompressed bytes, and where members or frames begin."""
    begins: list[tuple[int, int]] = []
    found = decompressed(pieces(data, size), compression_of(data[:4]), lambda *each: begins.append(each))
    return b"".join(found), begins


@pytest.mark.parametrize("size", [1, 7, 70_000])
def test_members_and_frames_are_one_stream(size: int) -> None:
    """However the bytes come; and decompression can begin where each begins."""
    data = DATA[:9_000] if size < 70_000 else DATA
    for compressed in (gzip_of(data), gzip_of(data, members=5), gzip_of(b"") + gzip_of(data)):
        found, begins = decode(compressed, size)
        assert found == data
        for at, uncompressed in begins:
            assert b"".join(decompressed(pieces(compressed[at:]), "gzip")) == data[uncompressed:]
    assert len(decode(gzip_of(data, members=5), size)[1]) == 5


@pytest.mark.parametrize("size", [1, 7, 70_000])
def test_frames_of_zstd_are_one_stream(size: int) -> None:
    """Those to be skipped are none of it."""
    data = DATA[:9_000] if size < 70_000 else DATA
    for compressed in (zstd_of(data), zstd_of(data, 4), SKIPPABLE + zstd_of(data, 2) + SKIPPABLE):
        found, begins = decode(compressed, size)
        assert found == data
        for at, uncompressed in begins:
            assert b"".join(decompressed(pieces(compressed[at:]), "zstd")) == data[uncompressed:]


def test_zeros_behind_the_end_are_padding_and_all_else_is_not() -> None:
    """Python's gzip takes zeros, too. Go's readers of layers refuse other bytes."""
    assert decode(gzip_of(DATA) + bytes(100_000))[0] == DATA
    with pytest.raises(LayerError, match="gzip stream is damaged"):
        decode(gzip_of(DATA) + b"more")
    with pytest.raises(LayerError, match="zstd stream is damaged"):
        decode(zstd_of(DATA) + b"more")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("left", [1, 4, 8, 1000])
def test_a_stream_that_is_cut_short_is_an_error(kind: Compression, left: int) -> None:
    """Wherever: in a block, in the checksum, in a header."""
    compressed = gzip_of(DATA) if kind == "gzip" else zstd_of(DATA)
    with pytest.raises(LayerError, match=f"{kind} stream is cut short"):
        decode(compressed[:-left])
    with pytest.raises(LayerError, match=f"{kind} stream is cut short"):
        decode(compressed[:5])


def test_a_wrong_checksum_is_an_error() -> None:
    """gzip's, of what was decompressed and of its size."""
    good = gzip_of(DATA)
    for at in (-8, -1, len(good) // 2):
        damaged = bytearray(good)
        damaged[at] ^= 0x40
        with pytest.raises(LayerError, match="gzip stream is damaged"):
            decode(bytes(damaged))


def test_what_expands_a_thousand_times_comes_in_pieces() -> None:
    """No more than a piece is decompressed at a time, whatever the compressed bytes hold."""
    compressed = bomb(30 * PIECE_BYTES)
    assert len(compressed) * 900 < 30 * PIECE_BYTES
    sizes = [len(piece) for piece in decompressed(iter([compressed]), "gzip")]
    assert sum(sizes) == 30 * PIECE_BYTES
    assert max(sizes) <= PIECE_BYTES
    sizes = [len(piece) for piece in decompressed(iter([zstd_of(bytes(30 * PIECE_BYTES))]), "zstd")]
    assert sum(sizes) == 30 * PIECE_BYTES
    assert max(sizes) <= PIECE_BYTES


def test_many_small_members_cost_no_more_than_their_bytes() -> None:
    """Each leaves the rest of what was read to be copied, which is little."""
    compressed = gzip.compress(b"", mtime=0) * 20_000 + gzip_of(b"end")
    found, begins = decode(compressed, 1024 * 1024)
    assert found == b"end"
    assert len(begins) == 20_001


def test_zstd_without_its_library_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else needs it."""
    monkeypatch.setitem(sys.modules, ZSTD, None)
    with pytest.raises(ImportError, match=r"registry-s3fs\[layers\]"):
        list(decompressed(pieces(b"\x28\xb5\x2f\xfd"), "zstd"))
    assert compression.compression_of(b"\x28\xb5\x2f\xfd") == "zstd"

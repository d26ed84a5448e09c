"""Compressed layers as streams: gzip of several members, zstd of several frames, or none.

Members and frames are where decompression can begin, so where they begin is told.
"""

from __future__ import annotations

import importlib
import sys
import zlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Literal, Protocol

from registry_s3fs import errors

Compression = Literal["none", "gzip", "zstd"]
Begins = Callable[[int, int], object]
"""Is told where a member or frame begins, in the compressed and in the uncompressed bytes."""

PIECE_BYTES = 1024 * 1024
"""The most bytes that are decompressed at a time, however much they expand."""
_FED_BYTES = 32 * 1024
"""What a decoder is given at a time. What is left of it behind each member is copied."""
_MAX_WINDOW_LOG = 27
"""zstd's own bound for streams: a frame cannot ask for a window of over 128 MiB."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"


class _Decoder(Protocol):
    """What decodes one member or frame."""

    rest: bytes
    """What was given and not used: of this member, or behind its end."""
    has_ended: bool
    has_more: bool
    """Whether there is more to be had without further bytes."""

    def decode(self, data: bytes) -> bytes:
        """Return at most `PIECE_BYTES` decoded bytes."""


def compression_of(beginning: bytes) -> Compression:
    r"""Return how a layer is compressed, by its first four bytes. What is known of its media type counts for nothing.

    >>> compression_of(b"\x1f\x8b\x08\x00"), compression_of(b"usr/")
    ('gzip', 'none')
    """
    if beginning.startswith(_GZIP):
        return "gzip"
    is_skippable = beginning[1:4] == _SKIPPABLE and beginning[0] & 0xF0 == 0x50
    return "zstd" if beginning.startswith(_ZSTD) or is_skippable else "none"


def decompressed(pieces: Iterator[bytes], compression: Compression, begins: Begins | None = None) -> Iterator[bytes]:
    """Yield a layer's bytes, at most `PIECE_BYTES` at a time.

    Args:
        pieces: The compressed bytes. They may begin at any member or frame.
        compression: How they are compressed.
        begins: Is told where each member or frame begins, counted from the first piece.

    Raises:
        LayerError: They are damaged, cut short, or followed by something else than zeros.
        ImportError: They are zstd's, and there is no library for it.
    """
    if compression == "none":
        return pieces
    new_decoder = _Gzip if compression == "gzip" else _Zstd
    return _decoded(_small(pieces), compression, new_decoder, begins or (lambda compressed, uncompressed: None))


def _small(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), _FED_BYTES):
            yield piece[at : at + _FED_BYTES]


def _decoded(
    pieces: Iterator[bytes], compression: Compression, new_decoder: Callable[[], _Decoder], begins: Begins
) -> Iterator[bytes]:
    """Decode member after member. Zeros behind one are padding, as for Python's gzip; other bytes are an error."""
    decoder: _Decoder | None = None
    fed = decoded = 0
    for piece in pieces:
        fed += len(piece)
        data, has_more = piece, False
        while data or has_more:
            if decoder is None:
                data = data.lstrip(b"\0") if fed > len(piece) or data is not piece else data
                if not data:
                    break
                decoder = new_decoder()
                begins(fed - len(data), decoded)
            out = _decode(decoder, data, compression)
            decoded += len(out)
            if out:
                yield out
            data, has_more = decoder.rest, decoder.has_more
            decoder = None if decoder.has_ended else decoder
    if decoder is not None:
        raise errors.bad_layer(f"the {compression} stream is cut short")


def _decode(decoder: _Decoder, data: bytes, compression: Compression) -> bytes:
    try:
        return decoder.decode(data)
    except (zlib.error, EOFError, ValueError) as error:
        raise errors.bad_layer(f"the {compression} stream is damaged: {error}") from None


class _Gzip:
    """A member of gzip. The library compares its checksum and its size."""

    rest = b""
    has_ended = has_more = False

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    def decode(self, data: bytes) -> bytes:
        out = self._inflate.decompress(data, PIECE_BYTES)
        self.has_ended = self._inflate.eof
        self.rest = self._inflate.unused_data if self.has_ended else self._inflate.unconsumed_tail
        self.has_more = bool(self.rest) and not self.has_ended
        return out


class _Zstd:
    """A frame of zstd, or one to be skipped."""

    rest = b""
    has_ended = has_more = False

    def __init__(self) -> None:
        zstd = zstd_library()
        options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        self._decompressor = zstd.ZstdDecompressor(options=options)
        self._error = zstd.ZstdError

    def decode(self, data: bytes) -> bytes:
        try:
            out: bytes = self._decompressor.decompress(data, PIECE_BYTES)
        except self._error as error:
            raise ValueError(str(error)) from None
        self.has_ended = self._decompressor.eof
        self.rest = self._decompressor.unused_data if self.has_ended else b""
        self.has_more = not self.has_ended and not self._decompressor.needs_input
        return out


def zstd_library() -> ModuleType:
    """Return Python's module for zstd, which is the standard library's from 3.14 on.

    Raises:
        ImportError: There is none.
    """
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return importlib.import_module(name)
    except ImportError as error:
        text = f"layers compressed by zstd need {name}: pip install 'registry-s3fs[layers]'"
        raise ImportError(text, name=name) from error

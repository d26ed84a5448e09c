"""Where downloaded bytes go."""

from __future__ import annotations

from fsspec.callbacks import NoOpCallback

from registry_s3fs import ranges
from registry_s3fs.transfer.targets import IntoWrite


def test_memory_that_is_used_again_is_as_large_as_the_piece() -> None:
    """A short piece may come first, and one at an object's end may be longer than the others."""
    taken: list[bytes] = []
    target, at = IntoWrite(taken.append, NoOpCallback()), 0
    target.begin(0, 10 * ranges.PIECE_BYTES)
    for size in (10, ranges.PIECE_BYTES, ranges.PIECE_BYTES + 5, 3, ranges.PIECE_BYTES):
        piece = target.place(at, at + size)
        assert len(piece) == size
        piece[:] = b"x" * size
        target.take(at, piece)
        at += size
    assert sum(map(len, taken)) == at

"""A file open for reading is `io.BytesIO`, whichever cache of fsspec's it reads through."""

from __future__ import annotations

import io
import pickle
import random
from typing import Any

import pytest
from fsspec.caching import caches

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.files.read_ahead import PrefetchCache
from tests.fakes import on_both

# fsspec's own MMapCache lets go of its temporary file without closing it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZE = 3 * 5000 + 17
DATA = random.Random(3).randbytes(SIZE)
NAMES = ["prefetch", *(name for name in caches if name not in ("parts", "prefetch"))]
"""All that take no options; ``parts`` is told what it holds."""


def steps(file: Any) -> list[Any]:
    """What a file gives to reads and seeks, past its end too."""
    chosen = random.Random(7)
    found: list[Any] = [file.read(10), file.read(SIZE), file.read(5), file.read()]
    for _ in range(60):
        position = chosen.choice([0, 1, 4999, 5000, 5001, SIZE - 1, SIZE, SIZE + 10, chosen.randrange(SIZE)])
        count = chosen.choice([0, 1, 2, 4999, 5000, 5001, SIZE, 2 * SIZE, -1])
        found += [file.seek(position), file.read(count), file.tell()]
    into = bytearray(6000)
    found += [
        file.seek(0, 2),
        file.seek(4000),
        file.readinto(into),
        bytes(into),
        file.seek(0),
        file.readline(),
        file.readlines(20),
        file.readlines(),
    ]
    return found


@pytest.mark.promise("Reading")
@on_both
@pytest.mark.parametrize("size", [SIZE, 0, 1, 5000])
@pytest.mark.parametrize("cache_type", NAMES)
def test_a_file_reads_as_bytesio(fs: RegistryS3FileSystem, cache_type: str, size: int) -> None:
    """A file reads as `io.BytesIO` does with every `cache_type` of fsspec, past its end too.

    Blocks end before the end of the file, at it and past it.
    """
    fs.pipe("/f", DATA[:size])
    with fs.open("/f", cache_type=cache_type, block_size=5000) as file:
        assert steps(file) == steps(io.BytesIO(DATA[:size]))


@on_both
def test_the_cache_of_known_parts_reads_them(fs: RegistryS3FileSystem) -> None:
    """Parquet readers know parts beforehand."""
    fs.pipe("/f", DATA)
    with fs.open("/f", cache_type="parts", cache_options={"data": {(100, 200): DATA[100:200]}}) as file:
        file.seek(110)
        assert file.read(90) == DATA[110:200]


@on_both
@pytest.mark.parametrize("cache_type", NAMES)
def test_a_pickled_file_keeps_its_cache(fs: RegistryS3FileSystem, cache_type: str) -> None:
    """And goes on where it was."""
    fs.pipe("/f", DATA)
    with fs.open("/f", cache_type=cache_type) as file:
        file.read(10)
        with pickle.loads(pickle.dumps(file)) as again:  # our own
            assert type(again.cache) is type(file.cache)
            assert again.read() == DATA[10:]


def test_no_name_is_taken_from_fsspecs_table(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours goes by its name with our files alone, whatever another package registers under it."""
    assert caches.get("prefetch") is not PrefetchCache
    fs.pipe("/f", DATA)
    with fs.open("/f") as file, fs.open("/f", cache_type="prefetch") as named:
        assert type(file.cache) is type(named.cache) is PrefetchCache

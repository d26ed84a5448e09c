"""Layers over a filesystem: entries and bytes, however compressed, whatever the cache has."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.errors import DigestMismatchError, LayerError
from registry_s3fs.registry.layers import chunks, seekable, streamed
from registry_s3fs.registry.layers.contents import CHUNK_BYTES
from registry_s3fs.registry.layers.store import Layers
from registry_s3fs.registry.manifests import Descriptor
from tests.layers import Member, Store, bomb, folder, gzip_of, hardlink, noise, symlink, tar
from tests.registries import MadeRegistry

ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
FILES = {f"d{number}/{number}": noise(number * 20_000, number) for number in range(12)}
MEMBERS = [folder("d"), *(Member(name, data) for name, data in FILES.items()), symlink("s", "d"), hardlink("h", "d1/1")]
ARCHIVE = tar(MEMBERS)
PARTS = [noise(1_100_000, number) for number in range(6)]
LARGE = tar([Member(f"{number}", data) for number, data in enumerate(PARTS)])


def zstd_of(data: bytes) -> bytes:
    compressed: bytes = pytest.importorskip(ZSTD).compress(data)
    return compressed


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": gzip_of,
    "gzip of several members": lambda data: gzip_of(data, members=4) + bytes(512),
    "zstd": zstd_of,
}


@pytest.fixture
def store() -> Store:
    return Store()


def contents(layers: Layers, descriptor: Descriptor) -> dict[str, bytes]:
    return {each.path: layers.read(each) for each in layers.entries(descriptor) if each.kind == "file"}


@pytest.mark.parametrize("cache_bytes", [None, 4 * CHUNK_BYTES, 0])
@pytest.mark.parametrize("form", FORMS)
def test_files_of_layers_are_what_was_packed(store: Store, form: str, cache_bytes: int | None) -> None:
    """Wholly and in parts, in any order, with a cache that keeps all, some or nothing."""
    layers = Layers(store, store.root, cache_bytes=cache_bytes)
    descriptor = store.add(FORMS[form](ARCHIVE))
    assert contents(layers, descriptor) == FILES
    found = [each for each in layers.entries(descriptor) if each.kind == "file"]
    random.Random(1).shuffle(found)
    for entry in found:
        data = FILES[entry.path]
        for start, end in ((5, -7), (entry.size // 2, entry.size * 2), (-10, None), (3, 3)):
            assert layers.read(entry, start, end) == data[start:end]


def test_a_compressed_layer_is_streamed_once(store: Store) -> None:
    """Its entries and files come from the cache then."""
    layers = Layers(store, store.root)
    descriptor = store.add(gzip_of(ARCHIVE))
    for _ in range(3):
        assert contents(layers, descriptor) == FILES
    assert store.opened == 1


def test_the_bytes_of_an_uncompressed_layer_are_ranges_of_its_blob(store: Store) -> None:
    """No more than the file's bytes are read, by one request, and nothing of it is kept."""
    layers = Layers(store, store.root)
    found = {each.path: each for each in layers.entries(store.add(ARCHIVE))}
    store.ranges.clear()
    infos = store.infos
    entry = found["d9/9"]
    assert layers.read(entry, 100, 300) == FILES["d9/9"][100:300]
    offset = entry.offset or 0
    assert store.ranges == [(offset + 100, offset + 300)]
    assert (store.opened, store.infos) == (0, infos)


def test_a_folder_keeps_what_another_process_learned(store: Store, tmp_path: Path) -> None:
    """Entries, links, attributes and bytes come back as they were."""
    members = [*MEMBERS, Member("x", b"1", records={"SCHILY.xattr.user.a": "\x00\u00fc", "mtime": "1.5"})]
    members += [Member("n", type=b"3", device=(1, 3)), Member("odd\udcff", b"2")]
    descriptor = store.add(gzip_of(tar(members)))
    first = Layers(store, store.root, cache=tmp_path)
    entries = first.entries(descriptor)
    store.replace(descriptor.digest, b"")
    second = Layers(store, store.root, cache=str(tmp_path))
    assert second.entries(descriptor) == entries
    assert contents(second, descriptor) == {**FILES, "x": b"1", "odd\udcff": b"2"}


def test_a_damaged_cache_is_not_believed(store: Store, tmp_path: Path) -> None:
    """Whatever became of its files, entries and bytes are right."""
    descriptor = store.add(gzip_of(ARCHIVE))
    expected = Layers(store, store.root, cache=tmp_path).entries(descriptor)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2 + len(ARCHIVE) // CHUNK_BYTES
    for damage in (
        bytes,
        lambda data: data[:-1],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data + b"x",
    ):
        for path in files:
            path.write_bytes(damage(b"" if damage is bytes else path.read_bytes() or b"x"))
        layers = Layers(store, store.root, cache=tmp_path)
        assert layers.entries(descriptor) == expected
        assert contents(layers, descriptor) == FILES


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_layer_with_another_digest_is_refused(store: Store, form: str) -> None:
    """One byte differs that the stream's own checksums do not cover, or all of it does; nothing of it is kept."""
    layers = Layers(store, store.root)
    blob = FORMS[form](ARCHIVE)
    descriptor = store.add(blob)
    other = FORMS[form](tar([Member("other", b"")]))
    for damaged in (blob + bytes(9), blob[:-100], other, other[:-3]):
        store.replace(descriptor.digest, damaged)
        with pytest.raises(DigestMismatchError):
            layers.entries(descriptor._replace(size=None))
        with pytest.raises(DigestMismatchError, match="manifest says"):
            layers.entries(descriptor)
    store.replace(descriptor.digest, blob)
    assert contents(layers, descriptor) == FILES


def test_a_layer_that_changes_after_it_was_read_gives_no_other_bytes(store: Store) -> None:
    """What is decompressed again is compared with what had the digest."""
    layers = Layers(store, store.root, cache_bytes=0)
    descriptor = store.add(gzip_of(LARGE))
    found = layers.entries(descriptor)
    store.replace(descriptor.digest, gzip_of(LARGE.replace(PARTS[5], PARTS[4])))
    assert layers.read(found[1], 0, 100) == PARTS[1][:100]
    with pytest.raises(LayerError, match="is not what it was") as caught:
        layers.read(found[5])
    assert caught.value.filename == descriptor.digest


def test_errors_name_the_layer(store: Store) -> None:
    """What is wrong, and of which blob."""
    layers = Layers(store, store.root)
    descriptor = store.add(b"no archive".ljust(600, b"."))
    with pytest.raises(LayerError, match="damaged header") as caught:
        layers.entries(descriptor)
    assert caught.value.filename == descriptor.digest
    with pytest.raises(FileNotFoundError):
        layers.entries(Descriptor("sha256:" + 64 * "1", None))
    with pytest.raises(FileNotFoundError):
        layers.read(layers.entries(store.add(tar([hardlink("l", "gone")])))[0])
    with pytest.raises(ValueError, match="is no digest"):
        layers.entries(Descriptor("sha256:../../x", None))
    cut_short = store.add(gzip_of(ARCHIVE)[:-9])
    with pytest.raises(LayerError, match="cut short"):
        layers.entries(cut_short)


def test_a_layer_may_not_expand_beyond_the_bound(store: Store) -> None:
    """A gzip of zeros is read up to it, and nothing of it stays; below it, it is an archive as any other."""
    beginning = tar([Member("x", b"")])[:512]
    descriptor = store.add(bomb(16 * CHUNK_BYTES, beginning))
    assert (descriptor.size or 0) * 800 < 16 * CHUNK_BYTES
    with pytest.raises(LayerError, match="expands to over"):
        Layers(store, store.root, max_uncompressed_bytes=8 * CHUNK_BYTES).entries(descriptor)
    layers = Layers(store, store.root, cache_bytes=4 * CHUNK_BYTES)
    assert [each.path for each in layers.entries(descriptor)] == ["x"]


def test_files_of_a_large_layer_are_read_forwards_without_beginning_again(store: Store) -> None:
    """The next range goes on where the last one ended, though the cache keeps little."""
    layers = Layers(store, store.root, cache_bytes=2 * CHUNK_BYTES)
    descriptor = store.add(gzip_of(LARGE))
    found = layers.entries(descriptor)
    store.opened = 0
    for entry in found:
        data = b"".join(layers.read(entry, at, at + 500_000) for at in range(0, entry.size, 500_000))
        assert data == PARTS[int(entry.path)]
    assert store.opened <= 2


def test_decompression_begins_at_the_member_before(store: Store) -> None:
    """So the last file of a layer of several members does not cost the first."""
    layers = Layers(store, store.root, cache_bytes=0)
    blob = gzip_of(LARGE, members=6)
    found = layers.entries(store.add(blob))
    read = store.bytes_read
    assert layers.read(found[-1]) == PARTS[5]
    assert store.bytes_read - read < len(blob) / 3


def test_a_seekable_index_reads_one_file_without_what_comes_before(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With indexed_gzip, the first read makes it, and any later one uses it, also in another process."""
    pytest.importorskip("indexed_gzip")
    monkeypatch.setattr(chunks, "FAR_BYTES", CHUNK_BYTES)
    monkeypatch.setattr(seekable, "MIN_SPACING_BYTES", CHUNK_BYTES)
    blob = gzip_of(LARGE)
    descriptor = store.add(blob)
    first = Layers(store, store.root, cache=tmp_path, cache_bytes=6 * CHUNK_BYTES)
    assert first.read(first.entries(descriptor)[-1]) == PARTS[5]
    second = Layers(store, store.root, cache=tmp_path, cache_bytes=6 * CHUNK_BYTES)
    found = second.entries(descriptor)
    for chunk in tmp_path.rglob("*.[0-9]*"):
        if chunk.name.rpartition(".")[2].isdigit():
            chunk.unlink()
    read = store.bytes_read
    assert second.read(found[-1], 1000, 2000) == PARTS[5][1000:2000]
    assert store.bytes_read - read < len(blob) / 2
    third = Layers(store, store.root, cache_bytes=0)
    third.entries(descriptor)
    store.replace(descriptor.digest, blob[:1000] + bytes(len(blob) - 1000))
    with pytest.raises(LayerError):
        third.read(found[-1])


def test_without_the_library_a_layer_is_read_up_to_the_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are the same."""
    monkeypatch.setattr(seekable, "is_available", lambda: False)
    layers = Layers(store, store.root, cache_bytes=0)
    found = layers.entries(store.add(gzip_of(LARGE)))
    for entry in reversed(found):
        assert layers.read(entry) == PARTS[int(entry.path)]


def test_a_sparse_file_is_read_with_its_holes(store: Store) -> None:
    """Of a compressed layer, too."""
    records = {"GNU.sparse.map": "5,3,100,2", "GNU.sparse.size": "200"}
    archive = tar([Member("x", b"abcde", records=records)])
    whole = bytes(5) + b"abc" + bytes(92) + b"de" + bytes(98)
    for blob in (archive, gzip_of(archive)):
        layers = Layers(store, store.root)
        [entry] = layers.entries(store.add(blob))
        assert entry.size == 200
        assert layers.read(entry) == whole
        assert layers.read(entry, 6, 101) == whole[6:101]


@pytest.mark.parametrize("algorithm", ["blake3", "shake_128", "md5"])
def test_a_digest_of_another_algorithm_is_refused(store: Store, algorithm: str) -> None:
    """Of a compressed layer, whose bytes could not be compared."""
    blob = gzip_of(ARCHIVE)
    store.pipe_file(f"{store.root}/blobs/{algorithm}/ab/abcd/data", blob)
    with pytest.raises(LayerError, match=f"cannot be verified by {algorithm}"):
        Layers(store, store.root).entries(Descriptor(f"{algorithm}:abcd", None))


def test_chunks_are_cut_alike_however_pieces_come() -> None:
    """So that what is decompressed from elsewhere has the same checksums."""
    data = noise(2 * CHUNK_BYTES + 5)
    for size in (1000, CHUNK_BYTES, 3 * CHUNK_BYTES):
        pieces = (data[at : at + size] for at in range(0, len(data), size))
        assert list(map(len, streamed.in_chunks(pieces))) == [CHUNK_BYTES, CHUNK_BYTES, 5]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_reads_on_beside_its_parent(tmp_path: Path) -> None:
    """Parent and child share the position in an open local file, and neither moves that of the other."""
    made = MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    data = b"".join(PARTS)
    blob = made.blob(gzip_of(tar([Member("a", data)])))
    layers = Layers(made.fs, made.root, cache_bytes=0)
    file = layers.entries(Descriptor(blob.digest, blob.size))[0]
    begin, end = (number * CHUNK_BYTES - (file.offset or 0) for number in (3, 4))
    assert layers.read(file, begin, end) == data[begin:end]
    child = os.fork()
    if child == 0:  # whatever happens, the child ends here
        try:
            os._exit(0 if layers.read(file, end) == data[end:] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert layers.read(file, end) == data[end:]

"""eStargz and zstd:chunked: entries by their tables, bytes by chunks, and what a table may not say."""

from __future__ import annotations

import base64
import sys
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from registry_s3fs.errors import LayerError
from registry_s3fs.registry.layers import tables_of_contents
from registry_s3fs.registry.layers.store import Layers
from tests.layers import Member, Store, chunked, folder, hardlink, noise, sha256, stargz, symlink

ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
MEMBERS = [
    folder("./"),
    folder("usr/", mode=0o2775),
    Member("usr/tool", noise(5500), mode=0o4755, uid=1000, gid=5, records={"SCHILY.xattr.user.a": "b"}),
    Member("usr/empty"),
    Member("usr/one", noise(1000, 1)),
    symlink("link", "../usr"),
    hardlink("usr/also", "usr/tool"),
    Member("null", type=tarfile.CHRTYPE, device=(1, 3), mode=0o666),
    Member("usr/.wh.gone"),
    Member("large", noise(900_000, 2)),
]
FILES = {member.name: member.data for member in MEMBERS if member.type == tarfile.REGTYPE}
Edit = Callable[[dict[str, Any]], object]


def make_chunked(*args: Any, **kwargs: Any) -> tuple[bytes, dict[str, str]]:
    pytest.importorskip(ZSTD)
    return chunked(*args, **kwargs)


FORMS = {"stargz": stargz, "chunked": make_chunked}


@pytest.fixture
def store() -> Store:
    return Store()


def contents(layers: Layers, descriptor: Any) -> dict[str, bytes]:
    return {each.path: layers.read(each) for each in layers.entries(descriptor) if each.kind == "file"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cache_bytes", [None, 0])
def test_a_table_says_what_the_archive_says(store: Store, form: str, cache_bytes: int | None) -> None:
    """Entries but for where bytes begin, and the bytes, wholly and in parts; the layer is never streamed."""
    blob, annotations = FORMS[form](MEMBERS)
    layers = Layers(store, store.root, cache_bytes=cache_bytes)
    descriptor = store.add(blob, annotations)
    found = layers.entries(descriptor)
    assert all(each.has_table for each in found)
    assert contents(layers, descriptor) == FILES
    for each in found:
        if each.kind == "file":
            assert layers.read(each, 700, -3) == FILES[each.path][700:-3]
    assert store.opened == 0
    streamed = store.add(blob[:-1] + b"\x01") if form == "stargz" else store.add(blob, {})
    same = [each._replace(offset=None, has_table=False) for each in found]
    if form == "chunked":
        assert [each._replace(offset=None) for each in Layers(store, store.root).entries(streamed)] == [
            each._replace(blob=each.blob and streamed.digest) for each in same
        ]
    assert [each.kind for each in same] == [*("directory", "file", "file", "file"), *[each.kind for each in same][4:]]


@pytest.mark.parametrize("form", FORMS)
def test_entries_and_one_file_cost_a_few_small_ranges(store: Store, form: str) -> None:
    """The footer, the table, and the chunks of the file together."""
    blob, annotations = FORMS[form]([*MEMBERS, Member("more", noise(2_000_000, 3))], chunk=10_000)
    layers = Layers(store, store.root)
    found = {each.path: each for each in layers.entries(store.add(blob, annotations))}
    assert len(store.ranges) <= 2
    assert sum(end - start for start, end in store.ranges) < 40_000
    store.ranges.clear()
    assert layers.read(found["large"], 200_000, 600_000) == FILES["large"][200_000:600_000]
    assert len(store.ranges) == 1
    assert layers.read(found["large"], 300_000, 500_000) == FILES["large"][300_000:500_000]
    assert len(store.ranges) == 1


def _row(table: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in table["entries"] if row["name"] == name)
    return found


LIES: dict[str, Edit] = {
    "a size that no chunks have": lambda table: table["entries"].append(
        {**_row(table, "usr/one"), "name": "y", "size": 9000, "chunkSize": 1000, "chunkDigest": sha256(b"")}
    ),
    "a smaller size": lambda table: _row(table, "usr/tool").update(size=500),
    "a chunk's place in the file": lambda table: table["entries"][3].update(chunkOffset=5),
    "a chunk that is missing": lambda table: table["entries"].pop(4),
    "a chunk of another file": lambda table: table["entries"][4].update(name="large"),
    "a chunk without a file": lambda table: table["entries"].insert(0, {"type": "chunk", "name": "x", "chunkSize": 3}),
    "a place beyond the blob": lambda table: _row(table, "large").update(offset=10**9),
    "a negative number": lambda table: _row(table, "large").update(offset=-5),
    "a chunk of gigabytes": lambda table: _row(table, "usr/one").update(size=2**40, chunkSize=2**40),
    "no digest": lambda table: _row(table, "usr/one").update(chunkDigest="", digest=""),
    "another algorithm": lambda table: _row(table, "usr/one").update(chunkDigest="sha512:" + 128 * "0"),
    "an unknown type": lambda table: _row(table, "link").update(type="door"),
    "a name that is no text": lambda table: _row(table, "link").update(name=5),
    "a name with a null byte": lambda table: _row(table, "link").update(name="a\0b"),
    "a time that is none": lambda table: _row(table, "link").update(modtime="yesterday"),
    "a day that is none": lambda table: _row(table, "link").update(modtime="2026-02-31T00:00:00Z"),
    "attributes that are none": lambda table: _row(table, "link").update(xattrs={"a": "?"}),
    "attributes as a list": lambda table: _row(table, "link").update(xattrs=[1]),
    "entries that are no list": lambda table: table.update(entries={}),
    "entries that are no objects": lambda table: table.update(entries=[1]),
    "the root as a file": lambda table: _row(table, "usr/one").update(name=".."),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lie", LIES)
def test_a_table_that_cannot_be_is_not_used(store: Store, form: str, lie: str) -> None:
    """The layer is streamed as any other then, and its files are right."""
    blob, annotations = FORMS[form](MEMBERS, edit=LIES[lie])
    layers = Layers(store, store.root)
    descriptor = store.add(blob, annotations)
    found = contents(layers, descriptor)
    assert {name: found[name] for name in FILES} == FILES
    assert not any(each.has_table for each in layers.entries(descriptor))


@pytest.mark.parametrize("form", FORMS)
def test_a_table_with_another_digest_than_its_annotation_is_not_used(store: Store, form: str) -> None:
    """The annotation is the manifest's, whose digest is known."""
    blob, annotations = FORMS[form](MEMBERS)
    wrong = {name: sha256(b"") if value.startswith("sha256:") else value for name, value in annotations.items()}
    layers = Layers(store, store.root)
    descriptor = store.add(blob, wrong)
    assert contents(layers, descriptor).items() >= FILES.items()
    assert store.opened == 1


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_chunk_is_never_given_out(store: Store, form: str) -> None:
    """One that does not have the digest that the table says, whether it can be decompressed or not."""
    blob, annotations = FORMS[form](MEMBERS)
    layers = Layers(store, store.root, cache_bytes=0)
    descriptor = store.add(blob, annotations)
    found = {each.path: each for each in layers.entries(descriptor)}
    refused: list[str] = []
    for step in range(1, 40, 3):
        at = step * len(blob) // 45
        store.replace(descriptor.digest, blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :])
        for path, data in FILES.items():
            try:
                assert layers.read(found[path]) == data
            except LayerError as error:
                refused += [error.filename]
    assert set(refused) == {descriptor.digest}
    wrong = sha256(b"")
    blob, annotations = FORMS[form](MEMBERS, edit=lambda table: _row(table, "usr/one").update(chunkDigest=wrong))
    found = {each.path: each for each in layers.entries(store.add(blob, annotations))}
    with pytest.raises(LayerError, match="another digest than its table says"):
        layers.read(found["usr/one"])


def test_holes_of_zstd_chunked_are_zeros(store: Store) -> None:
    """They are not stored, and may be large."""
    zeros = {"chunkType": "zeros", "chunkSize": 2**40}

    def edit(table: dict[str, Any]) -> None:
        table["entries"].append({"type": "reg", "name": "holes", "size": 2**40 + 1000, **zeros})
        last = {**_row(table, "usr/one"), "type": "chunk", "name": "holes", "chunkOffset": 2**40}
        table["entries"].append({**last, "chunkDigest": last["digest"], "size": 0})

    blob, annotations = make_chunked(MEMBERS, edit=edit)
    layers = Layers(store, store.root)
    entry = layers.entries(store.add(blob, annotations))[-1]
    assert (entry.path, entry.size) == ("holes", 2**40 + 1000)
    assert layers.read(entry, 2**39, 2**39 + 5) == bytes(5)
    assert layers.read(entry, 2**40 - 5, 2**40 + 5) == bytes(5) + FILES["usr/one"][:5]


def test_entries_of_one_reading_are_not_mixed_with_those_of_another(store: Store) -> None:
    """Their offsets mean other places, so they are refused."""
    blob, annotations = stargz(MEMBERS)
    descriptor = store.add(blob, annotations)
    by_table = Layers(store, store.root)
    entry = next(each for each in by_table.entries(descriptor) if each.path == "usr/one")
    assert by_table.read(entry) == FILES["usr/one"]
    with pytest.raises(LayerError, match="list its entries again"):
        by_table.read(entry._replace(has_table=False))


REAL = (
    "H4sIAAAAAAAC/9LLy9crKEpNSy1JztDLScxLyU0symagLjCAAFy0gYGBIRLbgMHA0NjQzIhBwYCBDqC0uCSxiMHAgNqeHCIAEAAA//+/NNveAA"
    "IAAB+LCAAAAAAAAv/iZxgFIxmk6NPeDgMDAwNzU1MwbWBggE6D2YamRqYmRsamZmBxcxNzQwYFU3oEQGlxSWIRg4EBNTyJ7LkhE/+JdIl/MxMT"
    "nPFvYmqCHv9mxuYMCgaj8U9zAAgAAP//71+2oQAGAAAfiwgAAAAAAAL/MjA0MjYxNTO3sKQdCxAAAP//vEv8sWQAAAAfiwgAAAAAAAL/MjA0Mj"
    "YxNTO3sKQdCxAAAP//vEv8sWQAAAAfiwgAAAAAAAL/MjA0MjYxNTO3sKQdi2EYAkAAAAD//zUtre04AQAAH4sIAAAAAAAC/+yUQQoCMQxFc5Te"
    "oD+ZZHKeQgUXCqIj6O2ls5LZDZjiQN8mpZvP72tb8+l6W94UCQDMqusEsJ3rmk1MZbK57TNMQQnUgedjKXcCflHyu9xBqPkSntHOw933+Aeckp"
    "ThP5pzh4zd77/dlokS11yG/1hef+Gft/5VfPz/PfgEAAD//yitrUsACAAAH4sIAAAAAAAC/6pgGAUjGQACAAD//7yoOEkAAgAAH4sIAAAAAAAC"
    "/+xVS28aTRDkuvwKtGebb7rn2Zy/c3JITolymJ7pMRubxdrFkR/yf48w+IUhsWwrsiXqAmo1XdVVraFfxO7octy0Wc7HP/t5O3h7qBV2fWqr7e"
    "33VR3QghqM1OAf4GzpwECpt17yg+BqWNW/pOubeVtPRnAwrGppF10jfT0ZfR9W1dWwqqq6jTOpJ6N63M7Hp50UWaTp+CS2eRa74/rgpmdxcXrT"
    "08nRutI3l7KeWlX1vJReFvVkFOyqkJsj6ZeFup9GtG6SkxJK2tkQIWrJIIkMepMDAxHaRFogMvucOSIZQh0zcRatSkgc1rRpetYe///mw4dVdX"
    "3wxJH838b6uenWldk8L5pVFyp0h4oOEb6CmYCeoPp237VsMaR3EcS/GayVegkjqo1ggPyOZDi6yEg+MyMnTs5lawp7F0QBoYqJbWBrLRprgzbF"
    "WKeD8omzcVL4YTJf1ldxK3p7XJSK+BJL8coapJBi8NZ6ARtBocMsIWsR8T6gN+AL5yIRkgEmSajr57p5Q19vOIFaPxD3+c6gR5o/xCKOti2C72"
    "kRmZ0uLnbe+Mtu+skFi2aVzFJ3SZDAUCxcTApErjChQR/FgBhniEmbFA1ZImAfLHKwdqf6kw3l/cXspLkL4nnqlz/4tJ4YH29kAbYzTzd4p7HL"
    "ryK+v6h7M7dTnz/zxX/lc2Ss2xEmZg/gDLJHx8oYBQ59ilQ4Jo3FpmC1KgykdEoms0K0wYMnhGhCgD/+Ubx6+NK0YfVjeD3YY4899ni/+B0AAP"
    "//vgCAVAAOAAAfiwgEAAAAAAD/GgBTRxYAMDAwMDAwMDAwMDAwMDFlNlNUQVJHWgEAAP//AAAAAAAAAAA="
)
"""Made by stargz-snapshotter's own library, of the members below."""
REAL_DIGEST = "sha256:ae18b7565331efdadb64cbcaeee1ca7327e72227ea6c7af0004967f86759f011"
"""Of its table, by the library, too."""


def test_a_layer_of_the_library_of_stargz_is_read(store: Store) -> None:
    """Its table, its landmark file and its chunks."""
    annotations = {"containerd.io/snapshot/stargz/toc.digest": REAL_DIGEST}
    descriptor = store.add(base64.b64decode(REAL), annotations)
    layers = Layers(store, store.root)
    found = contents(layers, descriptor)
    assert store.opened == 0
    assert found.pop(".no.prefetch.landmark") == b"\x0f"
    assert found == {"d/a": b"0123456789" * 30, "d/empty": b"", "x": b"x"}
    kinds = {each.path: (each.kind, each.mode, each.link_target) for each in layers.entries(descriptor)}
    assert (kinds["d"], kinds["d/l"]) == (("directory", 0o755, None), ("symlink", 0o777, "a"))
    assert kinds["h"] == ("hardlink", 0o644, "d/a")


@pytest.mark.parametrize("form", FORMS)
def test_what_a_table_leaves_out_is_not_read(store: Store, form: str) -> None:
    """A table of small files far from each other, in a large blob: memory does not depend on the blob."""
    few = {"usr/one", "usr/tool"}

    def leave_out(table: dict[str, Any]) -> None:
        table["entries"] = [row for row in table["entries"] if row["name"] in few]

    between = [Member(f"other{number}", noise(6_000_000, number)) for number in range(2)]
    members = [MEMBERS[2], between[0], MEMBERS[4], between[1]]
    blob, annotations = FORMS[form](members, chunk=10_000_000, edit=leave_out)
    layers = Layers(store, store.root)
    found = layers.entries(store.add(blob, annotations))
    assert [each.path for each in found] == ["usr/tool", "usr/one"]
    store.ranges.clear()
    assert {each.path: layers.read(each) for each in found} == {name: FILES[name] for name in few}
    assert max(end - start for start, end in store.ranges) < 200_000


def test_a_table_as_large_as_the_blob_is_not_read(store: Store) -> None:
    """The annotations may name any place; a table larger than any that is read counts for nothing."""
    blob, annotations = make_chunked(MEMBERS)
    blob += bytes(tables_of_contents.MAX_TABLE_BYTES)
    prefix = "io.github.containers.zstd-chunked.manifest-"
    descriptor = store.add(blob, {**annotations, f"{prefix}position": f"0:{len(blob)}:300:1"})
    assert tables_of_contents.chunked_position(descriptor.annotations, len(blob)) is None
    assert contents(Layers(store, store.root), descriptor) == {**FILES, "usr/.wh.gone": b""}
    assert all(end - start < 1_000_000 for start, end in store.ranges)

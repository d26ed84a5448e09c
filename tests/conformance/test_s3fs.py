"""s3fs as the second witness: on one bucket, each reads what the other writes, and both see the same tree."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

s3fs = library("s3fs")

MIB = 1024 * 1024
DOCUMENT = Path(__file__).parents[2] / "docs" / "differences.md"

TREE = {
    "/a": b"1",
    "/a/b": b"22",
    "/a/c/d.txt": b"333",
    "/a.txt": b"4",
    "/empty": b"",
    "/hive/year=2025/month=12/p.bin": b"55555",
    "/hive/year=2026/month=01/p.bin": b"666666",
    "/hive/year=2026/month=02/q.bin": b"7",
    "/odd/c d+e%20&é.txt": b"8",
    "/odd/n[1].txt": b"9",
    "/odd/n1.txt": b"10",
    "/odd/{a,b}.txt": b"11",
}
MARKER = "/marked/sub/"

Call = tuple[str, str, dict[str, Any]]

CALLS: list[Call] = [
    *(
        ("ls", path, {"detail": False})
        for path in ("/", "/a", "/a/b", "/hive", "/odd", "/marked", "/marked/sub", "/no")
    ),
    *(("ls", path, {"detail": True}) for path in ("/", "/a", "/a/b", "/hive/year=2026", "/odd")),
    *(("find", path, {}) for path in ("/", "/a", "/a/b", "/hive", "/odd/n[1].txt", "/marked", "/no")),
    *(("find", path, {"withdirs": True}) for path in ("/", "/a", "/hive", "/marked", "/no")),
    *(("find", path, {"maxdepth": depth}) for path in ("/", "/a", "/hive") for depth in (1, 2)),
    ("find", "/hive", {"maxdepth": 2, "withdirs": True}),
    *(("find", path, {"detail": True}) for path in ("/a", "/hive", "/odd")),
    *(("info", path, {}) for path in ("/", "/a", "/a/b", "/a/c", "/empty", "/hive", "/odd/c d+e%20&é.txt", "/no")),
    *(("info", path, {}) for path in ("/odd/n[1].txt", "/marked", "/marked/sub")),
    *((method, path, {}) for method in ("exists", "isfile", "isdir") for path in ("/", "/a", "/a/c", "/a/b", "/no")),
    *(
        (method, path, {})
        for method in ("exists", "isfile", "isdir")
        for path in ("/marked/sub", "/empty", "/odd/n[1].txt")
    ),
    *(("glob", pattern, {}) for pattern in ("/*", "/a*", "/*/*", "/**", "/a/**", "/hive/**/*.bin", "/**/p.bin")),
    *(
        ("glob", pattern, {})
        for pattern in ("/hive/year=*/month=0[12]/*", "/odd/n?.txt", "/odd/n[0-9].txt", "/odd/n[!0]*")
    ),
    *(
        ("glob", pattern, {})
        for pattern in ("/odd/{a,b}.txt", "/odd/{n,x}1.txt", "/no/*", "/hive/*/", "/marked/*", "/a/b")
    ),
    ("glob", "/hive/**", {"maxdepth": 2}),
    ("glob", "/hive/*/*", {"detail": True}),
    *(("du", path, {}) for path in ("/", "/a", "/a/b", "/hive", "/marked", "/no")),
    *(("du", path, {"total": False}) for path in ("/a", "/hive", "/odd")),
    ("du", "/hive", {"total": False, "maxdepth": 2}),
    *(("walk", path, {}) for path in ("/", "/a", "/hive", "/no")),
    ("walk", "/hive", {"maxdepth": 1}),
    *(("cat", path, {"recursive": True}) for path in ("/a", "/hive", "/odd")),
]

ITSELF = "`find` and `du` of a file `a` beside `a/b` count the file too. s3fs counts only the files below it."
FILE_WINS = (
    "Where a file and a directory have one name, `isdir`, `find` and `glob` take it for the file, as `info` does. "
    "In s3fs `isdir` is true for it, and `find` gives it twice."
)
LISTED_TWICE = (
    "Where a file and a directory have one name, `ls` shows the directory first, then the file. "
    "s3fs shows the file first."
)
MARKERS = (
    "A key that ends in a slash, which some tools write, is a directory. s3fs shows it as an empty file "
    "whose name ends in a slash."
)
CAT = "`cat` with `recursive=True` reads the files below a directory. s3fs fails at the first directory between them."
KEEPS_TYPE = "`setxattr` keeps the content type. s3fs loses it unless `copy_kwargs` has it."
EMPTY = (
    "An empty file has the content type and metadata that it was opened with. "
    "An empty file that s3fs opened has neither."
)
SHAPE = (
    "A directory in which `get` finds a single file keeps its shape, as fsspec documents it. "
    "s3fs writes the file at the place of the directory, where `maxdepth` is given."
)
NOTHING = "`walk` of a missing path gives nothing, as in fsspec. s3fs gives an empty directory."

DIFFERENCES: dict[str, str] = {
    "ls('/marked/sub', detail=False)": MARKERS,
    "ls('/', detail=True)": LISTED_TWICE,
    "find('/')": MARKERS,
    "find('/a')": ITSELF,
    "find('/marked')": MARKERS,
    "find('/', withdirs=True)": FILE_WINS,
    "find('/marked', withdirs=True)": MARKERS,
    "find('/a', maxdepth=1)": ITSELF,
    "find('/a', maxdepth=2)": ITSELF,
    "find('/a', detail=True)": ITSELF,
    "isdir('/a')": FILE_WINS,
    "glob('/**')": MARKERS,
    "glob('/a/**')": FILE_WINS,
    "du('/a')": ITSELF,
    "du('/a', total=False)": ITSELF,
    **dict.fromkeys((f"cat('{path}', recursive=True)" for path in ("/a", "/hive", "/odd")), CAT),
    "walk('/')": MARKERS,
    "walk('/no')": NOTHING,
}
"""The calls whose answers are not the same, each with the reason that docs/differences.md gives."""


def label(call: Call) -> str:
    method, path, options = call
    return f"{method}({', '.join([repr(path), *(f'{name}={value}' for name, value in options.items())])})"


@pytest.fixture
def peer(options: dict[str, Any]) -> Any:
    """s3fs on the same bucket, with the same parameters."""
    return s3fs.S3FileSystem(
        key=options["accesskey"], secret=options["secretkey"], use_listings_cache=False, skip_instance_cache=True,
        endpoint_url=options["regionendpoint"], client_kwargs={"region_name": options["region"]},
        default_block_size=5 * MIB,
    )  # fmt: skip


def root(fs: RegistryS3FileSystem) -> str:
    return f"{fs.parameters.bucket}/registry"


def answer(fs: Any, call: Call, above: str) -> Any:
    """What a call gives, or which error, with names as registry paths and infos as name, type and size."""
    method, path, options = call
    try:
        found = getattr(fs, method)(above + path, **options)
        return normal(list(found) if method == "walk" else found, above)
    except Exception as error:  # noqa: BLE001  # it is the answer
        return type(error).__name__


def normal(found: Any, above: str) -> Any:
    if isinstance(found, str):
        return found.removeprefix(above) or "/"
    if isinstance(found, dict) and "type" in found:
        return normal(found["name"], above), found["type"], found["size"]
    if isinstance(found, dict):
        return {normal(name, above): normal(value, above) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [normal(each, above) for each in found]
    return found


@pytest.fixture
def tree(fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
    fs.pipe(TREE)
    fs.bucket.put("registry" + MARKER, b"")
    return fs


def test_both_give_the_same_answer_to_each_call(tree: RegistryS3FileSystem, peer: Any) -> None:
    """Over a hundred looks at one tree; only what is in the table differs, and all of that does."""
    differing = {}
    for call in CALLS:
        ours, theirs = answer(tree, call, ""), answer(peer, call, root(tree))
        if ours != theirs:
            differing[label(call)] = (ours, theirs)
    assert len(CALLS) > 100
    assert len({label(call) for call in CALLS}) == len(CALLS)
    unexpected = {name: found for name, found in differing.items() if name not in DIFFERENCES}
    assert unexpected == {}
    assert differing.keys() == DIFFERENCES.keys()


def test_the_document_tells_every_difference_and_no_other() -> None:
    """Sentence by sentence."""
    section = DOCUMENT.read_text().partition("## From s3fs\n")[2].partition("\n## ")[0]
    sentences = [
        " ".join(bullet.split()) for bullet in re.findall(r"^- ((?:.+\n)+?)(?=- |\n|\Z)", section, re.MULTILINE)
    ]
    assert sorted(sentences) == sorted({*DIFFERENCES.values(), KEEPS_TYPE, EMPTY, SHAPE})


def test_only_one_keeps_the_shape_of_a_directory_of_one_file(
    tree: RegistryS3FileSystem, peer: Any, tmp_path: Path
) -> None:
    """The other one may write the file where its directory would be."""
    tree.pipe("/one/f", b"1")
    tree.get("/one/", f"{tmp_path}/ours/", recursive=True, maxdepth=1)
    peer.get(f"{root(tree)}/one/", f"{tmp_path}/theirs/", recursive=True, maxdepth=1)
    assert (tmp_path / "ours" / "f").read_bytes() == (tmp_path / "theirs").read_bytes() == b"1"


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


SIZES = [0, 10, 12 * MIB]


@pytest.mark.promise("Other libraries")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piped", [True, False])
def test_s3fs_reads_what_is_written_here(fs: RegistryS3FileSystem, peer: Any, size: int, piped: bool) -> None:
    """s3fs reads what is written here.

    It reads bytes, content type and metadata of files that were stored in one request and in parts.
    """
    said = {"content_type": "text/csv", "metadata": {"who": "me", "long-name": "x y"}}
    if piped:
        fs.pipe_file("/d/f", pattern(size), block_size=5 * MIB, **said)
    else:
        with fs.open("/d/f", "wb", block_size=5 * MIB, **said) as file:
            file.write(pattern(size))
    path = f"{root(fs)}/d/f"
    assert peer.cat_file(path) == pattern(size)
    info = peer.info(path)
    assert (info["size"], info["ContentType"]) == (size, "text/csv")
    assert info["ETag"].strip('"').partition("-")[2] == ("3" if size > 5 * MIB else "")
    assert {name.replace("_", "-"): value for name, value in peer.metadata(path).items()} == said["metadata"]
    fs.setxattr("/d/f", who="you", more="1")
    assert [peer.getxattr(path, name) for name in ("who", "more")] == ["you", "1"]
    assert peer.info(path)["ContentType"] == "text/csv"
    fs.put_tags("/d/f", {"team": "x"})
    assert peer.get_tags(path) == {"team": "x"}


@pytest.mark.promise("Other libraries")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piped", [True, False])
def test_what_s3fs_writes_is_read_here(fs: RegistryS3FileSystem, peer: Any, size: int, piped: bool) -> None:
    """What s3fs writes is read here."""
    path, said = f"{root(fs)}/d/f", {"ContentType": "text/csv", "Metadata": {"who": "me", "long-name": "x y"}}
    if piped:
        peer.pipe_file(path, pattern(size), chunksize=5 * MIB, **said)
    else:
        with peer.open(path, "wb", block_size=5 * MIB, **said) as file:
            file.write(pattern(size))
    assert fs.cat_file("/d/f") == pattern(size)
    assert fs.cat_file("/d/f", 5, -5) == pattern(size)[5:-5]
    info = fs.info("/d/f")
    dropped = size == 0 and not piped
    expected = ("binary/octet-stream", {}) if dropped else ("text/csv", said["Metadata"])
    assert (info["size"], info["ContentType"], info["metadata"]) == (size, *expected)
    peer.setxattr(path, who="you", more="1")
    assert fs.metadata("/d/f") == {**expected[1], "who": "you", "more": "1"}
    assert fs.info("/d/f")["ContentType"] == "binary/octet-stream"
    peer.setxattr(path, copy_kwargs={"ContentType": "text/plain"})
    assert fs.info("/d/f")["ContentType"] == "text/plain"
    peer.put_tags(path, {"team": "x"})
    assert fs.get_tags("/d/f") == {"team": "x"}


def test_copies_moves_and_deletions_are_seen_by_the_other(fs: RegistryS3FileSystem, peer: Any) -> None:
    """Neither keeps a listing to itself."""
    above = root(fs)
    fs.pipe({f"/t/{n}/x=1/f": bytes([n]) for n in range(5)})
    peer.copy(f"{above}/t", f"{above}/copy", recursive=True)
    fs.mv("/t", "/moved", recursive=True)
    assert fs.cat("/copy", recursive=True) == {f"/copy/{n}/x=1/f": bytes([n]) for n in range(5)}
    assert peer.find(f"{above}/moved") == [f"{above}/moved/{n}/x=1/f" for n in range(5)]
    peer.rm(f"{above}/moved", recursive=True)
    assert not fs.exists("/moved")
    fs.rm("/copy", recursive=True)
    assert not peer.exists(f"{above}/copy")

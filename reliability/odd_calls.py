"""What is called while a store's answers are odd: the columns of the table, each with what it is asked for."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from reliability.judging import Intent, WrongError

MIB = 1024 * 1024
ROOT = "registry"
CHUNK_BYTES = 5 * MIB
PAGE_KEYS = 3
"""Of a page of a listing, so that there are several."""
READ_TIMEOUT_S = 1.0
OPTIONS: dict[str, Any] = {
    "rootdirectory": f"/{ROOT}",
    "chunksize": CHUNK_BYTES,
    "multipartcopychunksize": CHUNK_BYTES,
    "multipartcopythresholdsize": CHUNK_BYTES,
}
CHECKSUMS: dict[str, Any] = {"response_checksum_validation": "when_supported"}


def _contents() -> dict[str, bytes]:
    seeded = random.Random(12)
    sizes = {"a": 100, "b": 100, "target": 50, "large": 9 * MIB + 5, "dir/sub/x": 7, "dir/sub/y": 8}
    inside = {f"{ROOT}/{name}": size for name, size in sizes.items()}
    inside |= {f"{ROOT}/dir/{number}": 30 + number for number in range(5)}
    outside = {"outside/x": 20, f"{ROOT}2/a": 21, ROOT: 22}
    return {key: seeded.randbytes(size) for key, size in {**inside, **outside}.items()}


CONTENTS = _contents()
"""Keys of the store and their bytes; some are outside `rootdirectory`."""
LARGE_WRITTEN = random.Random(13).randbytes(11 * MIB)
SMALL_WRITTEN = b"written " * 20
IN_DIR = sorted(key for key in CONTENTS if key.startswith(f"{ROOT}/dir/"))


def options(endpoint: Mapping[str, Any], **config: Any) -> dict[str, Any]:
    """Storage options of a filesystem on the store, which waits a second for an answer and asks twice."""
    tries = {"read_timeout": READ_TIMEOUT_S, "connect_timeout": 2, "retries": {"total_max_attempts": 2}}
    return {**endpoint, **OPTIONS, "config_kwargs": {**tries, **config}}


def key(path: str) -> str:
    """The key of a path."""
    return f"{ROOT}{path}"


def data(path: str) -> bytes:
    """What the store holds at a path."""
    return CONTENTS[key(path)]


def names(path: str) -> list[str]:
    """The paths of all files below a path, in order."""
    return sorted(each.removeprefix(ROOT) for each in CONTENTS if each.startswith(f"{ROOT}{path.rstrip('/')}/"))


@dataclass(frozen=True)
class Call:
    """One column of the table."""

    name: str
    run: Callable[[RegistryS3FileSystem], Any]
    intent: Intent
    config: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the SDK."""


def _cat_many(fs: RegistryS3FileSystem) -> Any:
    return fs.cat(["/a", "/b", "/dir/0"])


def _get_file(fs: RegistryS3FileSystem) -> bytes:
    """The file that was fetched; where none was, the one that was there before."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "fetched")
        target.write_bytes(b"before")
        try:
            fs.get_file("/large", str(target))
        except Exception:
            if target.read_bytes() != b"before" or len(list(target.parent.iterdir())) != 1:
                raise WrongError("get_file failed and left part of a file") from None
            raise
        return target.read_bytes()


def _open_and_read(fs: RegistryS3FileSystem) -> bytes:
    with fs.open("/large", "rb", block_size=MIB) as file:
        return b"".join(iter(lambda: file.read(MIB), b""))


def _info(fs: RegistryS3FileSystem) -> Any:
    found = fs.info("/a")
    return found["name"], found["size"], found["type"], fs.exists("/a"), fs.isfile("/a"), fs.isdir("/a")


def _ls(fs: RegistryS3FileSystem) -> Any:
    """Names and types. A size that the store does not tell may be missing, but none may be wrong."""
    infos = fs.ls("/dir")
    for info in infos:
        if info["type"] == "file" and info["size"] not in (None, len(CONTENTS.get(key(info["name"]), b""))):
            raise WrongError(f"{info['name']} is said to have {info['size']} bytes")
    return sorted((info["name"], info["type"]) for info in infos)


def _listed(path: str) -> list[tuple[str, str]]:
    found = [(name, "file") for name in names(path) if "/" not in name[len(path) + 1 :]]
    below = {name[len(path) + 1 :].split("/")[0] for name in names(path) if "/" in name[len(path) + 1 :]}
    return sorted([*found, *((f"{path}/{each}", "directory") for each in below)])


def _walk(fs: RegistryS3FileSystem) -> Any:
    return [(path, sorted(folders), sorted(files)) for path, folders, files in fs.walk("/dir", on_error="raise")]


def _driver_walk(fs: RegistryS3FileSystem) -> list[str]:
    found: list[str] = []
    StorageDriver(fs).walk("/dir", lambda info: found.append(info.path))
    return found


def _write_stream(fs: RegistryS3FileSystem) -> None:
    with fs.open("/target", "wb") as file:
        file.write(LARGE_WRITTEN)


def _driver_write(fs: RegistryS3FileSystem) -> None:
    writer = StorageDriver(fs).writer("/target")
    try:
        writer.write(LARGE_WRITTEN)
        writer.commit()
    finally:
        writer.close()


def _moved(*pairs: tuple[str, str]) -> Intent:
    moves = {key(source): key(target) for source, target in pairs}
    stores = {target: CONTENTS[source] for source, target in moves.items()}
    return Intent(stores=stores, deletes=frozenset(moves), moves=moves)


_WRITTEN_LARGE = Intent(stores={key("/target"): LARGE_WRITTEN})
_WITHOUT_DIR = Intent(deletes=frozenset(IN_DIR))
_TREE = [(name, f"/moved{name.removeprefix('/dir')}") for name in names("/dir")]

CALLS = (
    Call("cat_file", lambda fs: fs.cat_file("/a"), Intent(data("/a"))),
    Call("cat_file, large", lambda fs: fs.cat_file("/large"), Intent(data("/large"))),
    Call("cat_file, checksums compared", lambda fs: fs.cat_file("/a"), Intent(data("/a")), CHECKSUMS),
    Call("cat of many", _cat_many, Intent({path: data(path) for path in ("/a", "/b", "/dir/0")})),
    Call("get_file", _get_file, Intent(data("/large"))),
    Call("open, read", _open_and_read, Intent(data("/large"))),
    Call("info, exists", _info, Intent(("/a", 100, "file", True, True, False))),
    Call("ls", _ls, Intent(_listed("/dir"))),
    Call("find", lambda fs: fs.find("/dir"), Intent(names("/dir"))),
    Call(
        "walk", _walk,
        Intent([("/dir", ["sub"], ["0", "1", "2", "3", "4"]), ("/dir/sub", [], ["x", "y"])]),
    ),
    Call("pipe_file", lambda fs: fs.pipe_file("/target", SMALL_WRITTEN),
         Intent(stores={key("/target"): SMALL_WRITTEN})),
    Call("open, write (multipart)", _write_stream, _WRITTEN_LARGE),
    Call("cp_file", lambda fs: fs.cp_file("/a", "/target"), Intent(stores={key("/target"): data("/a")})),
    Call("cp_file, large", lambda fs: fs.cp_file("/large", "/target"),
         Intent(stores={key("/target"): data("/large")})),
    Call("touch", lambda fs: fs.touch("/a", truncate=False), Intent(stores={key("/a"): data("/a")})),
    Call("mv", lambda fs: fs.mv("/a", "/target"), _moved(("/a", "/target"))),
    Call("mv of a tree", lambda fs: fs.mv("/dir", "/moved", recursive=True), _moved(*_TREE)),
    Call("rm of many", lambda fs: fs.rm(["/a", "/dir/0", "/dir/1"]),
         Intent(deletes=frozenset(map(key, ("/a", "/dir/0", "/dir/1"))))),
    Call("rm of a tree", lambda fs: fs.rm("/dir", recursive=True), _WITHOUT_DIR),
    Call("driver: get_content", lambda fs: StorageDriver(fs).get_content("/large"), Intent(data("/large"))),
    Call("driver: writer", _driver_write, _WRITTEN_LARGE),
    Call("driver: walk", _driver_walk, Intent([*names("/dir")[:5], "/dir/sub", *names("/dir/sub")])),
    Call("driver: delete", lambda fs: StorageDriver(fs).delete("/dir"), _WITHOUT_DIR),
)  # fmt: skip
BY_NAME = {call.name: call for call in CALLS}


def probe(fs: RegistryS3FileSystem) -> tuple[bytes, int]:
    """What another file holds, read after the odd answer: no connection must give the last one's answer again."""
    return fs.cat_file("/b"), fs.info("/b")["size"]


PROBED = (data("/b"), len(data("/b")))

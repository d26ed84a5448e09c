"""Calls by chance on keys whose contents are known, each with what it is asked for."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from reliability.judging import Intent, WrongError
from reliability.odd_calls import CHUNK_BYTES, MIB, ROOT, key

FILES = ("/f0", "/f1", "/f2", "/d/f0", "/d/f1", "/d/f2", "/d/sub/f0", "/d/sub/f1", "/e/f0", "/e/f1")
LARGE = "/large"
LARGE_BYTES = CHUNK_BYTES + MIB
"""Two parts, and two pieces of a read."""
LARGE_SHARE = 0.04
"""Of the calls are on it."""
FOLDERS = ("/d", "/e", "/d/sub")
MISSING = "/missing"
OUTSIDE = {"outside/x": b"outside", f"{ROOT}2/f0": b"beside", ROOT: b"the prefix itself"}
"""Keys that no call may touch."""


@dataclass(frozen=True)
class Call:
    """One call that was drawn."""

    title: str
    run: Callable[[RegistryS3FileSystem], Any]
    intent: Intent
    tells_names: bool = False
    """Whether what it gives or does is what a listing or a HEAD says, which may be a lie that nobody can tell."""
    trusts: bool = False
    """Whether what it stores depends on that, so that a lie would be the loss of something."""


Contents = Mapping[str, bytes]
"""What the store holds, by key."""


def contents(chance: random.Random) -> dict[str, bytes]:
    """What a store begins with."""
    found = {key(path): chance.randbytes(chance.randint(1, 2_000)) for path in FILES}
    return {**found, key(LARGE): chance.randbytes(LARGE_BYTES), **OUTSIDE}


def draw(chance: random.Random, held: Contents) -> Call:
    """A call on a store that holds this."""
    files = [each.removeprefix(ROOT) for each in sorted(held) if each.startswith(f"{ROOT}/")]
    small = [path for path in files if len(held[key(path)]) < MIB]
    large = [path for path in files if path not in small]
    if large and chance.random() < LARGE_SHARE:
        return chance.choice(ON_LARGE)(chance, chance.choice(large), held)
    if not small or chance.random() < 0.35:
        return chance.choice(WRITES)(chance, chance.choice(FILES), held)
    return chance.choice(ON_FILES)(chance, chance.choice(small), held)


def _below(folder: str, held: Contents) -> list[str]:
    return sorted(each.removeprefix(ROOT) for each in held if each.startswith(key(f"{folder}/")))


def _bytes(held: Contents, *paths: str) -> dict[str, bytes]:
    return {path: held[key(path)] for path in paths}


# Reading


def _cat_file(chance: random.Random, path: str, held: Contents) -> Call:
    data = held[key(path)]
    start, end = chance.choice([(None, None), (chance.randrange(len(data) + 1), None), (1, 9), (-5, None), (0, 10)])
    title = f"cat_file {path} {start} {end}"
    return Call(title, lambda fs: fs.cat_file(path, start, end), Intent(data[start:end]))


def _cat_many(chance: random.Random, path: str, held: Contents) -> Call:
    others = [each.removeprefix(ROOT) for each in sorted(held) if each.startswith(f"{ROOT}/")]
    paths = sorted({path, *chance.sample(others, min(3, len(others)))})
    paths = [each for each in paths if len(held[key(each)]) < MIB]
    if len(paths) == 1:
        return _cat_file(chance, path, held)
    return Call(f"cat {paths}", lambda fs: fs.cat(paths), Intent(_bytes(held, *paths)))


def _cat_ranges(chance: random.Random, path: str, held: Contents) -> Call:
    data = held[key(path)]
    starts = [chance.randrange(len(data)) for _ in range(3)]
    ends = [start + 20 for start in starts]
    right = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    return Call(
        f"cat_ranges {path} {starts}", lambda fs: fs.cat_ranges([path] * 3, starts, ends, on_error="raise"),
        Intent(right),
    )  # fmt: skip


def _get_file(chance: random.Random, path: str, held: Contents) -> Call:
    def run(fs: RegistryS3FileSystem) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "fetched")
            try:
                fs.get_file(path, str(target))
            except Exception:
                if target.exists():
                    raise WrongError("get_file failed and left a file") from None
                raise
            return target.read_bytes()

    return Call(f"get_file {path}", run, Intent(held[key(path)]))


def _read(chance: random.Random, path: str, held: Contents) -> Call:
    data, block = held[key(path)], chance.choice([700, MIB])
    start = chance.randrange(len(data))

    def run(fs: RegistryS3FileSystem) -> bytes:
        with fs.open(path, "rb", block_size=block) as file:
            first: bytes = file.read(10)
            file.seek(start)
            return first + b"".join(iter(lambda: file.read(block), b""))

    return Call(f"open {path}, read 10, seek {start}, read", run, Intent(data[:10] + data[start:]))


def _get_content(chance: random.Random, path: str, held: Contents) -> Call:
    return Call(f"get_content {path}", lambda fs: StorageDriver(fs).get_content(path), Intent(held[key(path)]))


def _missing(chance: random.Random, path: str, held: Contents) -> Call:
    def run(fs: RegistryS3FileSystem) -> Any:
        try:
            return fs.cat_file(MISSING)
        except FileNotFoundError:
            return "missing"

    return Call("cat_file of a missing file", run, Intent("missing"))


# Looking


def _info(chance: random.Random, path: str, held: Contents) -> Call:
    def run(fs: RegistryS3FileSystem) -> Any:
        found = fs.info(path)
        return found["name"], found["size"], found["type"]

    return Call(f"info {path}", run, Intent((path, len(held[key(path)]), "file")), tells_names=True)


def _exists(chance: random.Random, path: str, held: Contents) -> Call:
    asked = chance.choice([path, MISSING])
    return Call(f"exists {asked}", lambda fs: fs.exists(asked), Intent(asked == path), tells_names=True)


def _ls(chance: random.Random, path: str, held: Contents) -> Call:
    folder = chance.choice(FOLDERS)
    below = _below(folder, held)
    if not below:
        return _find(chance, path, held)
    names = sorted({"/".join(each.split("/")[: folder.count("/") + 2]) for each in below})
    return Call(f"ls {folder}", lambda fs: sorted(fs.ls(folder, detail=False)), Intent(names), tells_names=True)


def _find(chance: random.Random, path: str, held: Contents) -> Call:
    folder = chance.choice([*FOLDERS, "/"])
    below = _below(folder.rstrip("/"), held)
    return Call(f"find {folder}", lambda fs: fs.find(folder), Intent(below), tells_names=True)


def _walk(chance: random.Random, path: str, held: Contents) -> Call:
    def run(fs: RegistryS3FileSystem) -> list[str]:
        walked = fs.walk("/", on_error="raise")
        return sorted(f"{folder.rstrip('/')}/{name}" for folder, _, names in walked for name in names)

    return Call("walk /", run, Intent(_below("", held)), tells_names=True)


def _glob(chance: random.Random, path: str, held: Contents) -> Call:
    right = [each for each in _below("/d", held) if each.endswith("0") and each.count("/") == 2]
    return Call("glob /d/*0", lambda fs: fs.glob("/d/*0"), Intent(right), tells_names=True)


# Writing


def _pipe_file(chance: random.Random, path: str, held: Contents) -> Call:
    data = chance.randbytes(chance.randint(1, 2_000))
    return Call(f"pipe_file {path}", lambda fs: fs.pipe_file(path, data), Intent(stores={key(path): data}))


def _pipe_many(chance: random.Random, path: str, held: Contents) -> Call:
    paths = sorted({path, *chance.sample(FILES, 2)})
    values = {each: chance.randbytes(50) for each in paths}
    return Call(f"pipe {paths}", lambda fs: fs.pipe(values), Intent(stores={key(p): d for p, d in values.items()}))


def _create(chance: random.Random, path: str, held: Contents) -> Call:
    data = chance.randbytes(60)

    def run(fs: RegistryS3FileSystem) -> Any:
        try:
            return fs.pipe_file(path, data, mode="create")
        except FileExistsError:
            if key(path) not in held:
                raise
            return "exists"

    is_there = key(path) in held
    intent = Intent("exists") if is_there else Intent(stores={key(path): data})
    return Call(f"pipe_file {path}, mode create", run, intent, trusts=True)


def _put_content(chance: random.Random, path: str, held: Contents) -> Call:
    data = chance.randbytes(70)
    return Call(
        f"put_content {path}", lambda fs: StorageDriver(fs).put_content(path, data), Intent(stores={key(path): data})
    )


def _append(chance: random.Random, path: str, held: Contents) -> Call:
    more = chance.randbytes(80)

    def run(fs: RegistryS3FileSystem) -> None:
        with fs.open(path, "ab") as file:
            file.write(more)

    return Call(f"append {path}", run, Intent(stores={key(path): held.get(key(path), b"") + more}), trusts=True)


def _write_large(chance: random.Random, path: str, held: Contents) -> Call:
    data = chance.randbytes(LARGE_BYTES)

    def run(fs: RegistryS3FileSystem) -> None:
        with fs.open(path, "wb") as file:
            file.write(data)

    return Call(f"write {LARGE_BYTES} bytes to {path}", run, Intent(stores={key(path): data}))


def _put_file(chance: random.Random, path: str, held: Contents) -> Call:
    data = chance.randbytes(90)

    def run(fs: RegistryS3FileSystem) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "source")
            source.write_bytes(data)
            fs.put_file(str(source), path)

    return Call(f"put_file {path}", run, Intent(stores={key(path): data}))


# Copying, moving, deleting


def _copied(path: str, target: str, held: Contents) -> dict[str, bytes]:
    return {key(target): held[key(path)]}


def _cp_file(chance: random.Random, path: str, held: Contents) -> Call:
    target = chance.choice([each for each in FILES if each != path])
    return Call(
        f"cp_file {path} {target}", lambda fs: fs.cp_file(path, target), Intent(stores=_copied(path, target, held))
    )


def _touch(chance: random.Random, path: str, held: Contents) -> Call:
    return Call(f"touch {path}", lambda fs: fs.touch(path, truncate=False), Intent(stores=_copied(path, path, held)))


def _mv(chance: random.Random, path: str, held: Contents) -> Call:
    target = chance.choice([each for each in FILES if each != path])
    move = chance.choice(["mv", "driver's move"])
    intent = Intent(stores=_copied(path, target, held), deletes=frozenset([key(path)]), moves={key(path): key(target)})
    return Call(
        f"{move} {path} {target}",
        lambda fs: fs.mv(path, target) if move == "mv" else StorageDriver(fs).move(path, target), intent,
    )  # fmt: skip


def _mv_tree(chance: random.Random, path: str, held: Contents) -> Call:
    below = _below("/e", held)
    if not below or _below("/moved", held):
        return _mv(chance, path, held)
    moves = {key(each): key(f"/moved{each.removeprefix('/e')}") for each in below}
    stores = {target: held[source] for source, target in moves.items()}
    intent = Intent(stores=stores, deletes=frozenset(moves), moves=moves)
    return Call("mv /e /moved, recursive", lambda fs: fs.mv("/e", "/moved", recursive=True), intent, tells_names=True)


def _rm(chance: random.Random, path: str, held: Contents) -> Call:
    return Call(f"rm_file {path}", lambda fs: fs.rm_file(path), Intent(deletes=frozenset([key(path)])))


def _rm_many(chance: random.Random, path: str, held: Contents) -> Call:
    there = [each for each in FILES if key(each) in held]
    paths = sorted({path, *chance.sample(there, min(2, len(there)))})
    return Call(f"rm {paths}", lambda fs: fs.rm(paths), Intent(deletes=frozenset(map(key, paths))))


def _rm_tree(chance: random.Random, path: str, held: Contents) -> Call:
    folder = chance.choice(["/d/sub", "/moved", "/e"])
    below = _below(folder, held)
    if not below:
        return _rm(chance, path, held)
    delete = chance.choice(["rm", "driver's delete"])
    return Call(
        f"{delete} {folder}",
        lambda fs: fs.rm(folder, recursive=True) if delete == "rm" else StorageDriver(fs).delete(folder),
        Intent(deletes=frozenset(map(key, below))), tells_names=True,
    )  # fmt: skip


Maker = Callable[[random.Random, str, Contents], Call]
WRITES: tuple[Maker, ...] = (
    *(_pipe_file, _pipe_file, _pipe_file, _pipe_many, _create, _put_content, _append, _put_file, _write_large),
)
ON_FILES: tuple[Maker, ...] = (
    *(_cat_file, _cat_file, _cat_many, _cat_ranges, _get_file, _read, _get_content, _missing),
    *(_info, _exists, _ls, _find, _walk, _glob, _cp_file, _cp_file, _touch, _mv, _mv, _mv_tree),
    *(_rm, _rm_many, _rm_tree),
)
ON_LARGE: tuple[Maker, ...] = (_cat_file, _get_file, _read, _get_content, _cp_file, _mv)

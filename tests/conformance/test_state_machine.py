"""The filesystem does what a dictionary does: random steps on both, on moto's server and on the bucket in memory."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from registry_s3fs import RegistryS3FileSystem
from tests.conformance.model import Model, overlap
from tests.thoroughly import thorough

MIB = 1024 * 1024
EXAMPLES = 60
STEPS = 50

names = st.sampled_from(["a", "b", "ab", "a!", "x=1", "ü +%&#;"])
pattern_names = st.sampled_from(["n[1]", "q?", "s*"])
paths = st.lists(names, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
odd_paths = st.tuples(paths, pattern_names).map("/".join)
known = st.integers(0, 99)
"""One of the files that exist, by number."""
some_path = st.one_of(known, paths)
any_path = st.one_of(known, paths, odd_paths)
some_dir = st.one_of(st.just("/"), st.lists(names, min_size=1, max_size=2).map(lambda parts: "/" + "/".join(parts)))
chunks = st.lists(st.binary(max_size=12), max_size=4)
patterns = st.sampled_from(
    ["/*", "/**", "/*/*", "/a*", "/?", "/[ab]*/*", "/[!a]", "/a/**", "/**/a", "/a/**/b", "/*/x=*", "/**/*b", "/ü*/**"]
)
foreign_keys = st.tuples(paths, st.sampled_from(["/", "//a", "/./b", "/../b", "/a//"])).map("".join)


class Machine(RuleBasedStateMachine):
    """A filesystem on nothing yet, and the model of it."""

    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self, fs: RegistryS3FileSystem) -> None:
        super().__init__()
        self.fs = fs
        self.model = Model()
        self.touched = "/"
        self.large = False
        Machine.steps[fs.parameters.bucket] -= 1  # the invariant is looked at before the first step, too

    def at(self, choice: str | int, *, plain: bool = False) -> str:
        """The path that a choice stands for; with `plain`, one that is no pattern."""
        files = sorted(path for path in self.model.files if not plain or not set("[?*") & set(path))
        self.touched = choice if isinstance(choice, str) else files[choice % len(files)] if files else "/a"
        return self.touched

    def refused(self, kind: type[BaseException], call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        with pytest.raises(kind):
            call(*args, **kwargs)

    # Writing

    @rule(items=st.dictionaries(paths, st.binary(max_size=9), max_size=3))
    def pipe(self, items: dict[str, bytes]) -> None:
        self.fs.pipe(items)
        self.model.keys.update(items)

    @rule(choice=any_path, data=st.binary(max_size=9))
    def pipe_new(self, choice: str | int, data: bytes) -> None:
        path = self.at(choice)
        if self.model.kind(path) == "file":
            self.refused(FileExistsError, self.fs.pipe_file, path, data, mode="create")
        else:
            self.fs.pipe_file(path, data, mode="create")
            self.model.keys[path] = data

    @rule(choice=any_path, mode=st.sampled_from(["wb", "xb", "ab"]), data=chunks, fail=st.booleans())
    def write(self, choice: str | int, mode: str, data: list[bytes], fail: bool) -> None:
        path = self.at(choice)
        if mode == "xb" and path in self.model.files:
            return self.refused(FileExistsError, self.fs.open, path, mode)
        if fail:
            return self.refused(KeyError, self.write_file, path, mode, data, KeyError())
        self.write_file(path, mode, data)
        before = self.model.keys.get(path, b"") if mode == "ab" else b""
        self.model.keys[path] = before + b"".join(data)
        return None

    def write_file(self, path: str, mode: str, data: list[bytes], error: Exception | None = None) -> None:
        with self.fs.open(path, mode) as file:
            for chunk in data:
                file.write(chunk)
            if error:
                raise error

    @precondition(lambda self: not self.large)
    @rule(choice=some_path, fail=st.booleans(), append=st.binary(max_size=9))
    def write_in_parts(self, choice: str | int, fail: bool, append: bytes) -> None:
        """Above one chunk; once in an example, since it takes long."""
        path, self.large = self.at(choice), True
        data = bytes(5 * MIB) + b"end"
        with self.fs.open(path, "wb", block_size=5 * MIB, autocommit=False) as file:
            file.write(data)
        if fail:
            return file.discard()
        file.commit()
        self.model.keys[path] = data
        self.write(path, "ab", [append], fail=False)
        return None

    @rule(files=st.dictionaries(paths, chunks, max_size=3), fail=st.booleans())
    def transaction(self, files: dict[str, list[bytes]], fail: bool) -> None:
        with pytest.raises(KeyError) if fail else nullcontext(), self.fs.transaction:
            for path, data in files.items():
                self.write_file(path, "wb", data)
                assert self.fs.isfile(path) == (path in self.model.files)
            if fail:
                raise KeyError
        if not fail:
            self.model.keys.update({path: b"".join(data) for path, data in files.items()})

    def missing(self, path: str) -> type[OSError]:
        """The error of what is no file."""
        return IsADirectoryError if self.model.kind(path) == "directory" else FileNotFoundError

    @rule(choice=any_path, truncate=st.booleans())
    def touch(self, choice: str | int, truncate: bool) -> None:
        path = self.at(choice)
        kind = self.model.kind(path)
        self.fs.touch(path, truncate=truncate)
        if truncate or kind is None:
            self.model.keys[path] = b""

    @rule(key=foreign_keys)
    def other_tools_write(self, key: str) -> None:
        """Markers, and keys that no path can name."""
        self.fs.bucket.put(self.fs.bucket.space.prefix("/") + key[1:], b"")
        self.model.keys[key] = b""

    # Copying and moving

    @rule(choice=some_path, onto=st.one_of(some_path, some_dir), recursive=st.booleans())
    def copy(self, choice: str | int, onto: str | int, recursive: bool) -> None:
        source, target = self.at(choice, plain=True), self.at(onto, plain=True)
        kind, pairs = self.model.kind(source), self.model.copies(source, target, recursive=recursive)
        if kind is None:
            self.refused(FileNotFoundError, self.fs.copy, source, target, recursive=recursive)
        elif recursive and overlap(pairs):
            self.refused(OSError, self.fs.copy, source, target, recursive=True)
        else:
            self.fs.copy(source, target, recursive=recursive)
            if kind == "file" or recursive:
                self.model.keys.update({to: self.model.keys[name] for name, to in pairs.items()})

    @rule(choice=some_path, onto=st.one_of(some_path, some_dir), recursive=st.booleans())
    def move(self, choice: str | int, onto: str | int, recursive: bool) -> None:
        source, target = self.at(choice, plain=True), self.at(onto, plain=True)
        kind, pairs = self.model.kind(source), self.model.copies(source, target, recursive=recursive)
        if not recursive and pairs == {source: source} and kind != "directory":
            self.fs.mv(source, target)  # nothing, as in fsspec, also where there is nothing
        elif kind is None:
            self.refused(FileNotFoundError, self.fs.mv, source, target, recursive=recursive)
        elif kind == "directory" and not recursive:
            self.refused(IsADirectoryError, self.fs.mv, source, target)
        elif source == target:
            self.fs.mv(source, target, recursive=True)
        elif overlap(pairs):
            self.refused(OSError, self.fs.mv, source, target, recursive=recursive)
        else:
            pairs |= self.model.markers(source, target) if recursive else {}
            self.fs.mv(source, target, recursive=recursive)
            data = {to: self.model.keys[name] for name, to in pairs.items()}
            for name in pairs:
                del self.model.keys[name]
            self.model.keys.update(data)

    # Deleting

    @rule(choice=some_path)
    def rm(self, choice: str | int) -> None:
        path = self.at(choice, plain=True)
        kind = self.model.kind(path)
        if kind == "file":
            self.fs.rm(path)
            del self.model.keys[path]
        else:
            self.refused(IsADirectoryError if kind else FileNotFoundError, self.fs.rm, path)

    @rule(choice=any_path)
    def rm_file(self, choice: str | int) -> None:
        path = self.at(choice)
        if path in self.model.files:
            self.fs.rm_file(path)
            del self.model.keys[path]
        else:
            self.refused(self.missing(path), self.fs.rm_file, path)

    @rule(path=st.one_of(paths, some_dir))
    def rm_recursive(self, path: str) -> None:
        gone = [key for key in self.model.keys if key == path or key in self.model.below(path)]
        if not gone:
            return self.refused(FileNotFoundError, self.fs.rm, path, recursive=True)
        self.fs.rm(path, recursive=True)
        for key in gone:
            del self.model.keys[key]
        return None

    @rule(choices=st.lists(some_path, min_size=1, max_size=3))
    def rm_list(self, choices: list[str | int]) -> None:
        listed = [self.at(choice, plain=True) for choice in choices]
        self.fs.rm(listed)
        for path in listed:
            self.model.keys.pop(path, None)

    @rule(pattern=patterns)
    def rm_pattern(self, pattern: str) -> None:
        kind = self.model.kind(pattern)
        if kind == "directory":  # of that very name
            return self.refused(IsADirectoryError, self.fs.rm, pattern)
        found = [pattern] if kind else self.model.glob(pattern)
        if not found:
            return self.refused(FileNotFoundError, self.fs.rm, pattern)
        self.fs.rm(pattern)
        for path in found:
            if path in self.model.files:
                del self.model.keys[path]
        return None

    @rule(path=some_dir)
    def rmdir(self, path: str) -> None:
        listed = self.model.ls(path)
        if listed == [(path, "file")]:
            return self.refused(NotADirectoryError, self.fs.rmdir, path)
        marker = path.rstrip("/") + "/"
        if set(self.model.below(path)) - {marker}:
            with pytest.raises(OSError, match="not empty"):
                self.fs.rmdir(path)
            return None
        self.fs.rmdir(path)
        self.model.keys.pop(marker, None)
        return None

    @rule(path=some_dir)
    def make_directories(self, path: str) -> None:
        self.fs.mkdir(path)
        self.fs.makedirs(path, exist_ok=True)
        if self.model.kind(path):
            self.refused(FileExistsError, self.fs.makedirs, path)

    # Looking and reading

    @rule(path=st.one_of(some_dir, paths))
    def ls(self, path: str) -> None:
        expected = self.model.ls(path)
        if expected is None:
            return self.refused(FileNotFoundError, self.fs.ls, path)
        found = self.fs.ls(path)
        assert sorted((info["name"], info["type"]) for info in found) == expected
        assert [info["name"] for info in found] == [name for name, _ in expected]
        return None

    @rule(path=st.one_of(some_dir, paths), maxdepth=st.sampled_from([None, 1, 2]), withdirs=st.booleans())
    def find(self, path: str, maxdepth: int | None, withdirs: bool) -> None:
        assert self.fs.find(path, maxdepth=maxdepth, withdirs=withdirs) == self.model.find(path, maxdepth, withdirs)

    @rule(pattern=patterns)
    def glob(self, pattern: str) -> None:
        assert self.fs.glob(pattern) == self.model.glob(pattern)

    @rule(path=st.one_of(some_dir, paths))
    def du(self, path: str) -> None:
        sizes = {name: len(self.model.files[name]) for name in self.model.find(path)}
        assert self.fs.du(path) == sum(sizes.values())
        assert self.fs.du(path, total=False) == sizes

    @rule()
    def walk(self) -> None:
        tree: dict[str, str] = {"/": "directory"}
        for folder, directories, files in self.fs.walk("/"):
            assert folder in tree
            tree |= {f"{folder.rstrip('/')}/{name}": "directory" for name in directories}
            tree |= {f"{folder.rstrip('/')}/{name}": "file" for name in files}
        assert tree == self.model.tree()

    @rule(choice=any_path, start=st.integers(-9, 12), end=st.one_of(st.none(), st.integers(-9, 12)))
    def cat_file(self, choice: str | int, start: int, end: int | None) -> None:
        path = self.at(choice)
        if path not in self.model.files:
            return self.refused(self.missing(path), self.fs.cat_file, path, start, end)
        data = self.model.keys[path]
        assert self.fs.cat_file(path, start, end) == data[start:end]
        found = self.fs.cat_ranges([path, "/none", path], [start, 0, 0], [end, 1, 3], max_gap=2)
        assert (found[0], found[2]) == (data[start:end], data[0:3])
        assert isinstance(found[1], FileNotFoundError)
        with self.fs.open(path, "rb") as file:
            file.seek(min(3, len(data)))
            assert file.read() == data[3:]
        return None

    @rule(choice=any_path)
    def ask(self, choice: str | int) -> None:
        path = self.at(choice)
        kind = self.model.kind(path)
        asked = (self.fs.exists(path), self.fs.isfile(path), self.fs.isdir(path))
        assert asked == (kind is not None, kind == "file", kind == "directory")

    @rule(path=some_dir)
    def cat(self, path: str) -> None:
        expected = {name: self.model.files[name] for name in self.model.find(path)}
        if path not in self.model.files or len(expected) > 1:
            assert (self.fs.cat(path, recursive=True) if self.model.kind(path) else {}) == expected
        assert self.fs.cat([*expected, "/none"], on_error="omit") == expected

    @invariant()
    def the_path_just_used_is_as_it_should_be(self) -> None:
        Machine.steps[self.fs.parameters.bucket] += 1
        kind = self.model.kind(self.touched)
        if kind is None:
            return self.refused(FileNotFoundError, self.fs.info, self.touched)
        info = self.fs.info(self.touched)
        assert (info["name"], info["type"]) == (self.touched, kind)
        assert info["size"] == len(self.model.files.get(self.touched, b""))
        return None

    def teardown(self) -> None:
        found = self.fs.find("/", withdirs=True, detail=True)
        assert {name: info["type"] for name, info in found.items()} == self.model.tree()
        assert {name: info["size"] for name, info in found.items() if info["type"] == "file"} == {
            name: len(data) for name, data in self.model.files.items()
        }
        assert {path: self.fs.cat_file(path) for path in self.model.files} == self.model.files
        assert self.fs.list_multipart_uploads() == []
        space = self.fs.bucket.space
        raw = [item.key for page in self.fs.bucket.list(space.prefix("/")) for item in page.objects]
        assert sorted("/" + key.removeprefix(space.prefix("/")) for key in raw) == sorted(self.model.keys)


@pytest.mark.promise("Listing")
@pytest.mark.parametrize("backend", ["fake", *thorough("moto")], indirect=True)
def test_random_steps_do_to_the_bucket_what_they_do_to_a_dictionary(options: dict[str, Any]) -> None:
    """Random steps do to the bucket what they do to a dictionary.

    There are over 2,000 steps, the same in every run. They are writes, copies, deletions and looks, in any order, on
    names of all kinds.
    """
    roots = (f"/registry{number}" for number in itertools.count())

    def fresh() -> Machine:
        return Machine(RegistryS3FileSystem(**{**options, "rootdirectory": next(roots)}, skip_instance_cache=True))

    run_state_machine_as_test(
        fresh,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
    assert Machine.steps[options["bucket"]] >= 2000

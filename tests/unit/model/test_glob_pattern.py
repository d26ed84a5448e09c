"""Patterns mean what they mean to fsspec, in a time that no name can blow up."""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec.utils import glob_translate
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model.glob_pattern import GlobPattern

patterns = st.lists(
    st.sampled_from([*"ab/*?[]!-^\\.\n&~|é_Z", "**", "/**/", "[!", "[a-", "/*/", "[^", "[]", "[--0]"]), max_size=9
).map("".join)
names = st.text("ab/-!]^[\\.\n&~|é_Z0", max_size=10)


def fsspecs(pattern: str) -> Callable[[str], bool]:
    """Whether fsspec's regular expression matches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "Possible nested set"
        matching = re.compile(glob_translate(pattern)).match
    return lambda name: matching(name) is not None


@pytest.mark.promise("Listing")
@settings(max_examples=1000)
@given(patterns, st.lists(names, min_size=1, max_size=20))
@example("[z-a!-~]", list("az!-~"))
@example("[!z-a]", ["", "a", "/", "\n"])
@example("a[!b]*b", ["a/bb", "a/b", "ab"])
@example("**/**/a", ["a", "/a", "//a", "b/a", "b/c/a"])
@example("*/", ["a/", "/", "a", "a//"])
@example("[--0]", list("-./0a"))
def test_a_pattern_means_what_it_means_to_fsspec(pattern: str, some: list[str]) -> None:
    """A pattern means what it means to fsspec.

    Either both refuse a pattern, or both say the same of each name, by each way of matching.
    """
    try:
        expected = fsspecs(pattern)
    except ValueError:
        with pytest.raises(ValueError, match="entire path component"):
            GlobPattern(pattern)
        return
    found = GlobPattern(pattern)
    for name in (*some, pattern, pattern.replace("*", "a")):
        assert (found.matches(name), found.follows(name)) == (expected(name),) * 2, name


@settings(max_examples=500)
@given(st.text("ab-!]^[\\&~|/.", min_size=1, max_size=6), st.sampled_from("ab-!]^[\\&~|/.c"))
def test_brackets_mean_what_they_mean_to_fsspec(inside: str, character: str) -> None:
    """Ranges, those that hold nothing, negation, and characters that are special to regular expressions."""
    pattern = f"[{inside}]"
    assert GlobPattern(pattern).matches(character) is fsspecs(pattern)(character)


@contextmanager
def within_a_minute() -> Iterator[None]:
    """Raises where it takes longer. What is promised takes milliseconds, and what is not, hours."""

    def give_up(*_: Any) -> None:
        raise TimeoutError("it tries all ways")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


LONG = "a" * 400
HARD = [
    ("/*" + "a*" * 20 + "b", f"/{LONG}"),
    ("/" + "?*" * 20 + "b", f"/{LONG}"),
    ("/" + "[!b]*" * 20 + "b", f"/{LONG}"),
    ("/" + "[a-c]*" * 20 + "b", f"/{LONG}"),
    ("/**" * 10 + "/b", "/a" * 200),
    ("/**/a" * 10 + "/b", "/a" * 200),
    ("/**/*a*a*a*a*a*a*/**/*a*a*a*a*b", f"/{LONG}/{LONG}"),
    ("/**/" + "*a*/" * 10 + "**/b/**", "/a" * 200),
]


@pytest.mark.parametrize(("pattern", "name"), HARD)
def test_many_stars_against_a_long_name_take_no_time(pattern: str, name: str) -> None:
    """No way to share a name out is tried twice."""
    with within_a_minute():
        found = GlobPattern(pattern)
        assert not found.matches(name)
        assert found.matches(
            f"{name}/b" if pattern.endswith("/b") else f"{name}/b/c" if "/b/" in pattern else f"{name}b"
        )


def nothing_matches(call: Callable[..., Any], *arguments: Any, **options: Any) -> list[str]:
    """No path, where a call says that there is none."""
    with pytest.raises(FileNotFoundError):
        call(*arguments, **options)
    return []


@pytest.mark.promise("Listing")
@pytest.mark.parametrize(
    "call",
    [
        lambda fs, pattern: fs.glob(pattern),
        lambda fs, pattern: fs.glob(pattern, maxdepth=1),
        lambda fs, pattern: fs.glob("/*" + pattern),
        lambda fs, pattern: fs.glob("/**" + pattern, maxdepth=3),
        lambda fs, pattern: fs.expand_path([pattern, "/d"])[:0],
        lambda fs, pattern: [path for path in fs.cat([pattern, "/d/x"]) if path != "/d/x"],
        lambda fs, pattern: nothing_matches(fs.rm, pattern, recursive=True),
        lambda fs, pattern: nothing_matches(fs.copy, pattern, "/to", recursive=True, maxdepth=2),
    ],
)
def test_every_call_that_takes_a_pattern_matches_without_trying_all_ways(
    fs: RegistryS3FileSystem, call: Callable[[Any, str], list[str]]
) -> None:
    """A pattern such as `*a*a*a*b` is matched quickly, however long a name is.

    `glob`, also with a depth, and the calls on many paths are tried.
    """
    fs.pipe({f"/{LONG}": b"", f"/d/{LONG}": b"", "/d/x": b""})
    with within_a_minute():
        assert call(fs, HARD[0][0]) == []


def test_a_level_of_a_pattern_is_matched_without_trying_all_ways(
    fs: RegistryS3FileSystem,
) -> None:
    """Where a listing goes down directory by directory, the names of each are matched with one component."""
    fs.pipe({f"/{LONG}/{number}": b"" for number in range(1100)})
    with within_a_minute():
        assert fs.glob(HARD[0][0] + "/*") == []

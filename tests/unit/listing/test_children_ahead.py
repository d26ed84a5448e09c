"""A walk of few levels: what `os.walk` would give, and how many requests that takes at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.listing import children_ahead, directory, walk_ahead

TEAMS, APPS, DEEP = 6, 5, 40


@pytest.fixture
def listed(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes the directories that are listed by themselves; the filesystem has some teams of repositories."""
    for team in range(TEAMS):
        for app in range(APPS):
            for number in range(DEEP):
                fs.bucket.plant(fs.bucket.space.key(f"/r/team-{team}/app-{app}/_layers/{number:03}/link"), 1)
    seen: list[str] = []
    children = directory.children

    def note(bucket: Any, path: str) -> Any:
        seen.append(path)
        return children(bucket, path)

    monkeypatch.setattr(walk_ahead, "by_directory", lambda *args: True)
    monkeypatch.setattr(children_ahead.directory, "children", note)
    return seen


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("topdown", [True, False])
def test_a_walk_by_directory_is_a_walk(fs: RegistryS3FileSystem, listed: list[str], depth: int, topdown: bool) -> None:
    """And lists each directory that it visits once."""
    walked = list(fs.walk("/r", maxdepth=depth, topdown=topdown))
    visited = [path for path, _, _ in walked]
    assert sorted(listed) == sorted(visited)
    assert walked == list(AbstractFileSystem.walk(fs, "/r", maxdepth=depth, topdown=topdown))
    assert len(visited) == [1, 1 + TEAMS, 1 + TEAMS + TEAMS * APPS][depth - 1]


def test_only_what_is_visited_in_order_is_listed_ahead(fs: RegistryS3FileSystem, listed: list[str]) -> None:
    """The first directory is one request; what a walk leaves out costs a few at most."""
    next(fs.walk("/r", maxdepth=3))
    assert listed == ["/r"]
    listed.clear()
    for _, dirs, _ in fs.walk("/r", maxdepth=3):
        dirs[:] = [name for name in dirs if name in ("team-3", "app-4")]
    assert {"/r", "/r/team-3", "/r/team-3/app-4"} <= set(listed)
    assert len(listed) <= 1 + 2 * children_ahead.GROWTH


def test_any_order_of_visits_is_right(fs: RegistryS3FileSystem, listed: list[str]) -> None:
    """Also the caller's own."""

    def reversed_walk(walk: Iterator[Any]) -> list[Any]:
        found = []
        for path, dirs, files in walk:
            dirs.reverse()
            found.append((path, list(dirs), files))
        return found

    expected = reversed_walk(AbstractFileSystem.walk(fs, "/r", maxdepth=3))
    assert reversed_walk(fs.walk("/r", maxdepth=3)) == expected


def test_an_error_is_told_where_the_walk_gets_there(
    fs: RegistryS3FileSystem, listed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the directory with which it was asked for, which is walked."""
    children = children_ahead.directory.children

    def denied(bucket: Any, path: str) -> Any:
        if path == "/r/team-1":
            raise PermissionError(13, "denied", path)
        return children(bucket, path)

    monkeypatch.setattr(children_ahead.directory, "children", denied)
    errors: list[OSError] = []
    visited = [path for path, _, _ in fs.walk("/r", maxdepth=2, on_error=errors.append)]
    assert visited == ["/r", *(f"/r/team-{team}" for team in range(TEAMS) if team != 1)]
    assert [error.filename for error in errors] == ["/r/team-1"]

"""Calls on many paths over a network that fails: what is done is done, and what is not is named."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import BulkError
from testbed.proxy import ALWAYS, Fault, Proxy

Through = Callable[..., RegistryS3FileSystem]
TWO_TRIES = {"config_kwargs": {"retries": {"total_max_attempts": 2}}}
NAMES = [f"f{number:02}" for number in range(20)]
BAD = ["f03", "f11"]


@pytest.fixture
def tree(fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
    fs.pipe({f"/t/{name}": name.encode() for name in NAMES})
    return fs


def failing(proxy: Proxy, operation: str, prefix: str = "t") -> None:
    proxy.faults = [Fault(operation, "500", key=f"{prefix}/{name}", times=ALWAYS) for name in BAD]


def told(error: BulkError) -> list[str]:
    assert all(isinstance(each, OSError) and "server failed" in str(each) for each in error.errors.values())
    return sorted(path.rpartition("/")[2] for path in error.errors)


@pytest.mark.promise("Copying, moving and deleting")
def test_get_fetches_all_but_those_that_fail(
    tree: RegistryS3FileSystem, through: Through, proxy: Proxy, tmp_path: Path
) -> None:
    """`get` of many files fetches all but those that fail, each whole. One `BulkError` names the failed ones."""
    failing(proxy, "GetObject")
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).get("/t", str(tmp_path / "t"), recursive=True)
    assert sorted(partly.value.errors) == [f"/t/{name}" for name in BAD]
    assert told(partly.value) == BAD
    found = {path.name: path.read_text() for path in (tmp_path / "t").iterdir()}
    assert found == {name: name for name in NAMES if name not in BAD}


@pytest.mark.promise("Copying, moving and deleting")
def test_put_stores_all_but_those_that_fail(
    fs: RegistryS3FileSystem, through: Through, proxy: Proxy, tmp_path: Path
) -> None:
    """`put` of many files stores all but those that fail. One `BulkError` names them by their targets."""
    for name in NAMES:
        (tmp_path / name).write_text(name)
    failing(proxy, "PutObject")
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).put(str(tmp_path) + "/", "/t", recursive=True)
    assert sorted(partly.value.errors) == [f"/t/{name}" for name in BAD]
    assert fs.find("/t") == [f"/t/{name}" for name in NAMES if name not in BAD]
    with pytest.raises(BulkError) as missing:
        fs.put([str(tmp_path / "none"), str(tmp_path / "f00")], ["/u/none", "/u/f00"])
    assert {path: type(error) for path, error in missing.value.errors.items()} == {"/u/none": FileNotFoundError}
    assert fs.find("/u") == ["/u/f00"]


@pytest.mark.promise("Copying, moving and deleting")
def test_copy_copies_all_but_those_that_fail(tree: RegistryS3FileSystem, through: Through, proxy: Proxy) -> None:
    """`copy` of many files copies all but those that fail. One `BulkError` names them by their sources."""
    failing(proxy, "CopyObject", "u")
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).copy("/t", "/u", recursive=True)
    assert sorted(partly.value.errors) == [f"/t/{name}" for name in BAD]
    assert tree.find("/u") == [f"/u/{name}" for name in NAMES if name not in BAD]


@pytest.mark.promise("Copying, moving and deleting")
def test_mv_deletes_nothing_where_a_copy_failed(tree: RegistryS3FileSystem, through: Through, proxy: Proxy) -> None:
    """`mv` of many files deletes nothing where a copy failed. The failed ones are named."""
    failing(proxy, "CopyObject", "u")
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).mv("/t", "/u", recursive=True)
    assert told(partly.value) == BAD
    assert tree.find("/t") == [f"/t/{name}" for name in NAMES]


def test_pipe_stores_all_but_those_that_fail(fs: RegistryS3FileSystem, through: Through, proxy: Proxy) -> None:
    """One BulkError names them."""
    failing(proxy, "PutObject")
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).pipe({f"/t/{name}": b"x" for name in NAMES})
    assert told(partly.value) == BAD
    assert fs.find("/t") == [f"/t/{name}" for name in NAMES if name not in BAD]


def test_of_one_path_the_error_is_its_own(tree: RegistryS3FileSystem, tmp_path: Path) -> None:
    """Not a BulkError."""
    calls: list[Callable[[], Any]] = [
        lambda: tree.get("/none", str(tmp_path / "none")),
        lambda: tree.get(["/none"], [str(tmp_path / "none")]),
        lambda: tree.put(str(tmp_path / "none"), "/none"),
        lambda: tree.copy("/none", "/other"),
        lambda: tree.mv("/none", "/other"),
    ]
    for call in calls:
        with pytest.raises(FileNotFoundError):
            call()


def test_rm_names_what_the_answer_names(tree: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy) -> None:
    """A DeleteObjects of which some keys failed: they are there, all others are not."""
    proxy.faults = [Fault("DeleteObjects", "partial", key="/f1", times=ALWAYS)]
    with pytest.raises(BulkError) as partly:
        shaky.rm("/t", recursive=True)
    left = [f"/t/{name}" for name in NAMES if name.startswith("f1")]
    assert sorted(partly.value.errors) == left
    assert tree.find("/t") == left


@pytest.mark.parametrize("kind", ["503", "500", "reset", "applied", "truncate", "error-200"])
def test_rm_comes_through(tree: RegistryS3FileSystem, shaky: RegistryS3FileSystem, proxy: Proxy, kind: str) -> None:
    """A DeleteObjects that failed, or whose answer was lost, cut short or an error, is tried again."""
    proxy.faults = [Fault("DeleteObjects", kind)]
    shaky.rm("/t", recursive=True)
    assert not tree.exists("/t")
    assert proxy.count("DeleteObjects") == 2


@pytest.mark.promise("Writes whose answer is lost or odd")
@pytest.mark.parametrize("kind", ["500", "reset", "applied", "truncate", "error-200"])
def test_nothing_is_reported_deleted_that_is_there(
    tree: RegistryS3FileSystem, through: Through, proxy: Proxy, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is reported deleted that is still there, even where answers are lost.

    Where answers are lost to the end, a file that is reported failed may be gone. Every other file is gone.
    """
    monkeypatch.setattr("registry_s3fs.filesystem.delete_many.MAX_DELETE_KEYS", 5)
    proxy.faults = [Fault("DeleteObjects", kind, nth=2, times=ALWAYS)]
    with pytest.raises(BulkError) as partly:
        through(**TWO_TRIES).rm("/t", recursive=True)
    assert len(partly.value.errors) == 15
    assert set(tree.find("/t")) <= set(partly.value.errors)


@pytest.mark.promise("Copying, moving and deleting")
def test_a_dead_server_is_not_asked_for_each_path(through: Through, proxy: Proxy, tmp_path: Path) -> None:
    """A dead or silent server is not asked for each path: the rest is reported without a try."""
    fs = through(max_concurrency=2, config_kwargs={"read_timeout": 0.3, "retries": {"total_max_attempts": 1}})
    proxy.faults = [Fault("GetObject", "silent", times=ALWAYS)]
    paths = [f"/t/{name}" for name in NAMES]
    with pytest.raises(BulkError) as silent:
        fs.get(paths, [str(tmp_path / name) for name in NAMES])
    assert sorted(silent.value.errors) == paths
    assert silent.value.errno == errno.ETIMEDOUT
    assert proxy.count("GetObject") == 2  # two at once
    assert list(tmp_path.iterdir()) == []

"""`put` of many local files that change, or that the process has few descriptors for, while others are stored."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.callbacks import Callback

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.model.ranges import MIB
from testbed.messages import Answer, Request
from testbed.scripted_store import ScriptedStore

NAMES = [f"f{number:02}" for number in range(30)]


class Counted(Callback):
    """Counts files, and the bytes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, Callback] = {}

    def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Callback:
        assert path_2 not in self.files
        self.files[path_2] = Callback()
        return self.files[path_2]


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    with ScriptedStore({}) as found:
        yield found


@pytest.fixture
def fs(store: ScriptedStore) -> RegistryS3FileSystem:
    two_tries: dict[str, Any] = {"retries": {"total_max_attempts": 2}}
    options = {"max_concurrency": 2, "rootdirectory": "", "config_kwargs": two_tries}
    return RegistryS3FileSystem(**store.options(**options), skip_instance_cache=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    for name in NAMES:
        (tmp_path / "d" / name).write_bytes(b"x")
    return tmp_path / "d"


def at_first_put(store: ScriptedStore, change: Callable[[], object]) -> None:
    """Change something while the first PutObject is on its way."""

    def changed(request: Request, answer: Answer) -> Answer:
        change()
        return answer

    store.script("PutObject", changed, times=1)


@pytest.mark.promise("Copying, moving and deleting")
@pytest.mark.parametrize("after", [0, 5, 2 * MIB, 11 * MIB], ids=["emptied", "small", "middling", "large"])
@pytest.mark.parametrize("before", [0, 3, 2 * MIB], ids=["from empty", "from small", "from middling"])
def test_a_file_whose_size_changes_while_it_waits_is_stored_as_it_is_then(
    fs: RegistryS3FileSystem, store: ScriptedStore, folder: Path, before: int, after: int
) -> None:
    """`put` leaves out no file that grows or is emptied while others are stored. The file is stored as it is then."""
    waiting = folder / "z"
    waiting.write_bytes(bytes(before))
    at_first_put(store, lambda: waiting.write_bytes(bytes(after)))
    counted = Counted()
    fs.put(f"{folder}/", "/t", recursive=True, callback=counted)
    assert sorted(store.contents()) == sorted(f"t/{name}" for name in [*NAMES, "z"])
    assert store.contents()["t/z"] == bytes(after)
    assert (counted.value, counted.size) == (len(NAMES) + 1, len(NAMES) + 1)
    assert sorted(counted.files) == sorted(f"/t/{name}" for name in [*NAMES, "z"])
    assert counted.files["/t/z"].value == after


def test_a_file_is_closed_before_its_bytes_are_sent(
    fs: RegistryS3FileSystem, store: ScriptedStore, folder: Path
) -> None:
    """Many wait for the server side by side, and a process may have few descriptors."""
    opened: list[str] = []

    def look(request: Request, answer: Answer) -> Answer:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        opened.extend(os.readlink(link) for link in links if os.path.lexists(link))
        return answer

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc/self/fd")
    store.script("PutObject", look)
    fs.put([str(folder / NAMES[0]), str(folder / NAMES[1])], ["/t/a", "/t/b"])
    assert opened
    assert not [name for name in opened if name.endswith(NAMES[0])]


def test_what_was_stored_before_ctrl_c_is_listed(fs: RegistryS3FileSystem, store: ScriptedStore, folder: Path) -> None:
    """A listing that is kept from before is forgotten, however the call ends."""
    caching = RegistryS3FileSystem(**fs.storage_options, use_listings_cache=True, skip_instance_cache=True)
    caching.pipe_file("/t/first", b"1")
    assert caching.ls("/t", detail=False) == ["/t/first"]

    class Interrupting(Counted):
        def relative_update(self, inc: int = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        caching.put(f"{folder}/", "/t", recursive=True, callback=Interrupting())
    assert len(caching.ls("/t", detail=False)) > 1

"""Files that nobody closed: discarded when they are collected, whatever is above them, and nothing waits for that."""

from __future__ import annotations

import contextlib
import gc
import gzip
import io
import logging
import random
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import fsspec
import pytest
from fsspec.compression import available_compressions

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.threads import background
from registry_s3fs.threads.pool import Pool, finished_or_cancelled

MIB = 1024 * 1024
WAIT_S = 20
COMPRESSIONS = [name for name in available_compressions() if name]


class InPython(io.RawIOBase):
    """A layer of `io` that is written in Python, and adds to the file when it is closed."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return int(self._file.write(data))

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.write(b"the end")
            self._file.close()


class WithFinaliser:
    """A layer that is none of `io`'s, with a ``__del__``."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        return int(self._file.write(data))

    def close(self) -> None:
        self._file.write(b"the end")
        self._file.close()

    def __del__(self) -> None:
        self.close()


class TextInPython(io.TextIOWrapper):
    """As layers of other packages that extend `io`'s."""

    def close(self) -> None:
        super().close()


def binary(fs: Any) -> Any:
    return fs.open("/f", "wb", block_size=5 * MIB)


LAYERS: dict[str, Callable[[Any], Any]] = {
    "none": binary,
    "text": lambda fs: fs.open("/f", "w"),
    "io's text": lambda fs: io.TextIOWrapper(binary(fs)),
    "io's buffer": lambda fs: io.BufferedWriter(binary(fs)),
    "io's text over its buffer": lambda fs: io.TextIOWrapper(io.BufferedWriter(binary(fs))),
    "text in Python": lambda fs: TextInPython(binary(fs)),
    "io in Python": lambda fs: InPython(binary(fs)),
    "a finaliser in Python": lambda fs: WithFinaliser(binary(fs)),
    "gzip's": lambda fs: gzip.GzipFile(fileobj=binary(fs), mode="wb"),
    "io's text over gzip's": lambda fs: io.TextIOWrapper(gzip.GzipFile(fileobj=binary(fs), mode="wb")),
    "fsspec's text": lambda fs: through_fsspec(fs, "wt", None),
    **{f"{name}": lambda fs, name=name: fs.open("/f", "wb", compression=name) for name in COMPRESSIONS},
    **{f"text, {name}": lambda fs, name=name: fs.open("/f", "wt", compression=name) for name in COMPRESSIONS},
    **{f"fsspec's {name}": lambda fs, name=name: through_fsspec(fs, "wb", name) for name in COMPRESSIONS},
    **{f"fsspec's text, {name}": lambda fs, name=name: through_fsspec(fs, "wt", name) for name in COMPRESSIONS},
}


def through_fsspec(fs: Any, mode: str, compression: str | None) -> Any:
    return fsspec.open(fs.unstrip_protocol("/f"), mode, compression=compression, **fs.storage_options).open()


def written(file: Any, size: int = 100) -> Any:
    """The file, with bytes or text in it that do not compress."""
    data = random.Random(1).randbytes(size)
    try:
        file.write(data)
    except TypeError:
        file.write(data.hex())
    return file


@contextlib.contextmanager
def collecting() -> Iterator[list[str]]:
    """Gives the texts of the `ResourceWarning`s of the block and of what is collected at its end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        texts: list[str] = []
        yield texts
        gc.collect()
    assert background.finish(WAIT_S)
    texts += [str(each.message) for each in caught if issubclass(each.category, ResourceWarning)]


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.filterwarnings("ignore:.*ZipFile.__del__:pytest.PytestUnraisableExceptionWarning")  # fsspec's is left open
@pytest.mark.parametrize("in_a_cycle", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_a_file_that_is_collected_is_discarded(
    fs: RegistryS3FileSystem, caplog: pytest.LogCaptureFixture, name: str, in_a_cycle: bool
) -> None:
    """A file that is collected below another layer (text, buffer, compression, the user's own) is discarded too, with
    one warning and one line in the log. The old file stays.
    """
    fs.pipe_file("/f", b"old")
    with collecting() as texts:
        file = written(LAYERS[name](fs))
        if in_a_cycle:
            cycle = [file]
            cycle.append(cycle)
            del cycle
        del file
    assert fs.cat_file("/f") == b"old"
    text = "/f was never closed; what was written is discarded"
    assert texts == [text]
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [("WARNING", text)]


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.parametrize("name", ["none", "io's text", "io's buffer", "io in Python", "gzip's", "gzip"])
def test_a_collected_file_leaves_no_upload(fs: RegistryS3FileSystem, name: str) -> None:
    """The unfinished upload of a file that is collected is aborted."""
    with collecting() as texts:
        written(LAYERS[name](fs), 11 * MIB)
    assert len(texts) == 1
    assert fs.bucket.store.requests["CreateMultipartUpload"] == 1
    assert fs.bucket.store.uploads == {}
    assert not fs.exists("/f")


@pytest.mark.parametrize("name", ["io in Python", "a finaliser in Python"])
def test_a_collected_file_sends_nothing_more(fs: RegistryS3FileSystem, name: str) -> None:
    """Layers still write to it when they are collected, and may fill a chunk."""
    with collecting() as texts:
        LAYERS[name](fs).write(bytes(5 * MIB))
    assert len(texts) == 1
    assert fs.bucket.store.requests["CreateMultipartUpload"] == 0


def test_a_file_that_nobody_committed_is_discarded(fs: RegistryS3FileSystem) -> None:
    """It was closed, with `autocommit=False`."""
    with collecting() as texts:
        written(fs.open("/f", "wb", autocommit=False)).close()
        fs.transaction.files.clear()
    assert texts == ["/f was never committed; what was written is discarded"]
    assert not fs.exists("/f")


def by_finalize(file: Any) -> None:
    holder = threading.Event()
    weakref.finalize(holder, file.close)


def by_exit_stack(file: Any) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(file.close)


def by_generator(file: Any) -> None:
    def holding() -> Iterator[None]:
        try:
            yield
        finally:
            file.close()

    next(holding())


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.parametrize("closed", [by_finalize, by_exit_stack, by_generator, lambda file: file.close()])
@pytest.mark.parametrize("name", ["none", "text", "io's text", "io's buffer", "gzip", "io in Python"])
def test_an_explicit_close_publishes(fs: RegistryS3FileSystem, name: str, closed: Callable[[Any], None]) -> None:
    """A close by `weakref.finalize`, an `ExitStack` or a generator's `finally` is an explicit one, and publishes the
    file.
    """
    closed(written(LAYERS[name](fs)))
    gc.collect()
    assert fs.exists("/f")


def test_a_warning_that_is_an_error_is_printed(fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of any finaliser; below `io`'s layers, too, which say nothing of errors of what they wrap."""
    printed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: printed.append(str(told.exc_value)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("none", "io's text", "gzip"):
            written(LAYERS[name](fs), 11 * MIB)
            gc.collect()
    assert background.finish(WAIT_S)
    assert printed == ["/f was never closed; what was written is discarded"] * 3
    assert fs.bucket.store.uploads == {}


def test_the_warning_names_the_line_that_let_go_of_the_file(fs: RegistryS3FileSystem) -> None:
    """Not one of this package."""
    for name in ("none", "io's text", "gzip"):
        file = written(LAYERS[name](fs))
        with pytest.warns(ResourceWarning) as caught:
            del file
        assert [each.filename for each in caught] == [__file__]


# Nothing waits


def goes_in_time(held: list[Any]) -> bool:
    """Whether what a list holds is collected by another thread while this one holds what it holds."""

    def collect() -> None:
        held.clear()
        gc.collect()

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return not thread.is_alive()


@pytest.mark.promise("Files that nobody closed")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", ["none", "text", "io's buffer", "gzip"])
def test_a_collected_file_waits_for_no_server_and_no_log(
    fs: RegistryS3FileSystem, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """The collection of a file waits for no server and takes no lock.

    Python collects garbage at any point of any thread, also while that thread holds a lock.
    """
    files = [written(LAYERS[name](fs), 11 * MIB)]
    caplog.handler.acquire()
    try:
        with fs.bucket.store.request("of a server that does not answer anybody else"):
            assert goes_in_time(files)
    finally:
        caplog.handler.release()
    assert background.finish(WAIT_S)
    assert fs.bucket.store.uploads == {}


def test_a_block_in_a_collected_generator_waits_for_no_server(fs: RegistryS3FileSystem) -> None:
    """`GeneratorExit` leaves the block; the file is discarded, and its upload is aborted later."""

    def writing() -> Iterator[None]:
        with fs.open("/f", "wb", block_size=5 * MIB) as file:
            file.write(bytes(11 * MIB))
            yield

    generators = [writing()]
    next(generators[0])
    with fs.bucket.store.request("of a server that does not answer anybody else"):
        assert goes_in_time(generators)
    assert background.finish(WAIT_S)
    assert fs.bucket.store.uploads == {}
    assert not fs.exists("/f")


def test_a_collected_file_open_for_reading_waits_for_no_lock(fs: RegistryS3FileSystem) -> None:
    """What is being fetched ahead is given up in the background."""
    fs.pipe_file("/f", bytes(11 * MIB))
    ahead: list[Any] = []

    def submit(*call: Any) -> Any:
        ahead.append(fs.pool.submit(*call))
        return ahead[-1]

    files = [fs.open("/f", block_size=MIB, cache_options={"submit": submit})]
    files[0].read(MIB)
    with ahead[-1]._condition:  # as while a thread tells of its result
        assert goes_in_time(files)
    assert background.finish(WAIT_S)


def test_results_that_are_collected_wait_for_no_thread() -> None:
    """A loop that was left early does not end them; what has not begun never begins."""
    begun, second, going_on = [], threading.Event(), threading.Event()

    def work(number: int) -> int:
        begun.append(number)
        if number == 1:
            second.set()
            going_on.wait(2 * WAIT_S)
        return number

    one = Pool(1)
    results = [one.each(work, range(100), ahead=3)]
    assert next(results[0]) == 0
    assert second.wait(WAIT_S)
    assert goes_in_time(results)
    assert background.finish(WAIT_S)
    going_on.set()
    one.submit(int).result(WAIT_S)
    assert begun == [0, 1]


def test_a_generator_that_is_collected_waits_for_no_thread() -> None:
    """As that of a listing, where a walk was left early."""
    begun, going_on = threading.Event(), threading.Event()

    def listing() -> Iterator[None]:
        with finished_or_cancelled([Pool(1).submit(lambda: (begun.set(), going_on.wait(2 * WAIT_S)))]):
            yield

    generators = [listing()]
    next(generators[0])
    assert begun.wait(WAIT_S)
    assert goes_in_time(generators)
    going_on.set()


def test_the_background_goes_on_after_a_job_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    """The log has it, with its traceback."""
    done = threading.Event()
    background.start()
    background.later(lambda: 1 / 0)
    background.later(done.set)
    assert done.wait(WAIT_S)
    assert [each.levelno for each in caplog.records if each.exc_info] == [logging.ERROR]

"""Text, buffers and compression above a file: what becomes of the file when they are collected or left open."""

from __future__ import annotations

import csv
import io
import json
import threading
from contextlib import suppress
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem


def dumped(file: Any) -> None:
    json.dump({"a": 1}, io.TextIOWrapper(file))


def rows(file: Any) -> None:
    csv.writer(io.TextIOWrapper(io.BufferedWriter(file), newline="")).writerow(["a", "1"])


def buffered(file: Any) -> None:
    io.BufferedWriter(file).write(b"x")


@pytest.mark.promise("Writing")
@pytest.mark.parametrize(("write", "stored"), [(dumped, b'{"a": 1}'), (rows, b"a,1\r\n"), (buffered, b"x")])
def test_a_block_publishes_what_its_layers_wrote(fs: RegistryS3FileSystem, write: Any, stored: bytes) -> None:
    """A `with` block of a file publishes what a layer of Python's `io` wrote in it, which nobody closed."""
    with fs.open("/f", "wb") as file:
        write(file)
        file.write(b"!")
    assert fs.cat_file("/f") == stored + b"!"


@pytest.mark.parametrize("write", [dumped, rows, buffered])
def test_a_block_that_fails_publishes_nothing(fs: RegistryS3FileSystem, write: Any) -> None:
    """Whatever its layers wrote."""
    fs.pipe_file("/f", b"old")
    with pytest.raises(ZeroDivisionError), fs.open("/f", "wb") as file:
        write(file)
        raise ZeroDivisionError
    assert fs.cat_file("/f") == b"old"


@pytest.mark.parametrize("write", [dumped, rows, buffered])
def test_closing_what_was_discarded_is_an_error(fs: RegistryS3FileSystem, write: Any) -> None:
    """Without a block, a layer that is collected discards the file. Whoever closes it is told, once."""
    file = fs.open("/f", "wb")
    with pytest.warns(ResourceWarning, match="never closed"):
        write(file)
    with pytest.raises((ValueError, OSError), match="discarded"):
        file.write(b"!")
        file.close()
    with pytest.raises(OSError, match="garbage-collected"):
        file.close()
    file.close()
    assert not fs.exists("/f")


@pytest.mark.promise("Writing")
@pytest.mark.parametrize(
    "how", [{"mode": "w"}, {"mode": "wb", "compression": "gzip"}, {"mode": "wt", "compression": "xz"}]
)
def test_a_transaction_does_not_publish_half_a_file(fs: RegistryS3FileSystem, how: dict[str, str]) -> None:
    """A transaction that ends while text or compression of a file is open raises, and publishes nothing."""
    fs.pipe_file("/f", b"old")
    with pytest.raises(ValueError, match="/f: text or compressed files are still open"), fs.transaction:
        fs.pipe_file("/g", b"1")
        file = fs.open("/f", **how)
        file.write("hello" if "b" not in how["mode"] else b"hello")
    with suppress(ValueError):  # of a compressor, whose last bytes nobody takes
        file.close()
    assert fs.cat_file("/f") == b"old"
    assert not fs.exists("/g")


def test_a_commit_below_open_text_is_an_error(fs: RegistryS3FileSystem) -> None:
    """The text that it holds back would be lost."""
    file = fs.open("/f", "w", autocommit=False)
    file.write("hello")
    with pytest.raises(ValueError, match="close them before they are committed"):
        file.buffer.commit()
    file.close()
    assert not fs.exists("/f")


def test_a_binary_file_that_is_open_is_published_by_its_transaction(fs: RegistryS3FileSystem) -> None:
    """It holds nothing back."""
    with fs.transaction:
        file = fs.open("/f", "wb")
        file.write(b"hello")
    assert fs.cat_file("/f") == b"hello"


def test_a_layer_that_another_thread_collects_discards_the_file(fs: RegistryS3FileSystem) -> None:
    """It must not wait for a server there. The block's end tells."""
    layers: list[Any] = []
    with pytest.raises(OSError, match="garbage-collected"), fs.open("/f", "wb") as file:
        layers.append(io.TextIOWrapper(file))
        layers[0].write("x")
        with pytest.warns(ResourceWarning, match="never closed"):
            thread = threading.Thread(target=layers.clear)
            thread.start()
            thread.join()
    assert not fs.exists("/f")

"""smart_open has a list of schemes of its own, which takes ours with the few lines of docs/clients.md."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

smart_open = library("smart_open")
DOCS = Path(__file__).parents[2] / "docs" / "clients.md"


@pytest.fixture
def opened(fs: RegistryS3FileSystem) -> Iterator[Any]:
    """smart_open's `open`, after the lines that the page gives."""
    with patch.dict("smart_open.transport._REGISTRY"):
        exec(DOCS.read_text().split("```python")[1].split("```")[0], {})
        yield lambda path, mode: smart_open.open(fs.unstrip_protocol(path), mode, transport_params=fs.storage_options)


def test_a_url_is_written_and_read(opened: Any, fs: RegistryS3FileSystem) -> None:
    """As bytes and as text, compressed where the name says so."""
    with opened("/a.txt", "w") as file:
        file.write("é\n")
    with opened("/a.csv.gz", "wb") as file:
        file.write(b"a,b\n1,2\n")
    assert fs.cat("/a.csv.gz")[:2] == b"\x1f\x8b"
    with opened("/a.txt", "r") as text, opened("/a.csv.gz", "rb") as data:
        assert (text.read(), data.read()) == ("é\n", b"a,b\n1,2\n")


@pytest.mark.parametrize(("path", "mode"), [("/a", "wb"), ("/a.gz", "wb"), ("/a.txt", "w"), ("/a.csv.gz", "w")])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_block_left_by_an_exception_publishes_nothing(
    opened: Any, fs: RegistryS3FileSystem, path: str, mode: str
) -> None:
    """Half a file is no file, through the layers that smart_open puts upon ours."""
    with contextlib.suppress(ZeroDivisionError), opened(path, mode) as file:
        file.write("half" if mode == "w" else b"half")
        raise ZeroDivisionError
    assert not fs.exists(path)


def test_a_url_alone_is_refused(fs: RegistryS3FileSystem) -> None:
    """Without those lines; where smart_open learns fsspec's URLs, that page is to be changed."""
    with pytest.raises(NotImplementedError, match="registrys3"):
        smart_open.open(fs.unstrip_protocol("/a"))

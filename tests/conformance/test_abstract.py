"""fsspec's own conformance suite, every class that the installed fsspec ships, on moto's server and in memory."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

import fsspec.tests.abstract as abstract
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.fakes import on_both


class Fixtures(abstract.AbstractFixtures):
    """What fsspec's suite wants to know of a filesystem."""

    @pytest.fixture
    def fs(self, fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
        return fs

    @pytest.fixture
    def fs_path(self) -> str:
        return "/docker/abstract"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


SHIPPED = [name for name in vars(abstract) if name.startswith("Abstract") and name.endswith("Tests")]
for _name in SHIPPED:  # Copy, Get, Put, and from fsspec 2025 on Pipe and Open
    _test = _name.replace("Abstract", "Test").removesuffix("Tests")
    globals()[_test] = type(
        _test, (getattr(abstract, _name), Fixtures), {"__module__": __name__, "pytestmark": [on_both]}
    )


@pytest.mark.promise("Listing")
def test_the_suite_is_not_empty() -> None:
    """All of `AbstractFileSystem` is there: fsspec's own conformance suite passes.

    Its classes are found by their names, so a renaming would be noticed.
    """
    assert {"AbstractCopyTests", "AbstractGetTests", "AbstractPutTests"} <= set(SHIPPED)

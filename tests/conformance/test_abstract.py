"""fsspec's own conformance suite, every class of it that the installed fsspec ships, against moto's server."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

import fsspec.tests.abstract as abstract
import pytest

from registry_s3fs import RegistryS3FileSystem


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


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    """Copy within the bucket."""


class TestGet(abstract.AbstractGetTests, Fixtures):
    """From the bucket to local files."""


class TestPut(abstract.AbstractPutTests, Fixtures):
    """From local files to the bucket."""


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    """Bytes to the bucket."""


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    """Exclusive creation."""


def test_no_class_of_the_suite_is_left_out() -> None:
    """A newer fsspec that ships more is noticed."""
    shipped = {name for name in vars(abstract) if name.startswith("Abstract") and name.endswith("Tests")}
    used = {base.__name__ for test in (TestCopy, TestGet, TestPut, TestPipe, TestOpen) for base in test.__bases__}
    assert shipped <= used

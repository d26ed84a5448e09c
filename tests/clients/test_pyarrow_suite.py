"""pyarrow's own tests of filesystems, all that ask for any filesystem, on ours behind its fsspec handler."""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from types import ModuleType

import pyarrow.fs
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

with warnings.catch_warnings():  # its marks (s3, gcs, gzip, ...) are known to pyarrow's conftest alone
    warnings.simplefilter("ignore", pytest.PytestUnknownMarkWarning)
    suite = library("pyarrow.tests.test_fs")

MAKE_EMPTY_DIRECTORIES = {
    "test_create_dir",
    "test_delete_dir",
    "test_delete_dir_contents",
    "test_delete_dir_with_explicit_subdir",
    "test_filesystem_is_functional_after_pickling",
    "test_get_file_info",
    "test_get_file_info_with_selector",
}
"""Left out: they make a directory, put nothing into it and look for it. On S3 there is no such directory."""

FITTING = {
    name: test
    for name, test in vars(suite).items()
    if name.startswith("test_") and "fs" in inspect.signature(test).parameters
}
FIXTURES = {name: found for name, found in vars(suite).items() if name.startswith("pickle_")}
globals().update({name: test for name, test in FITTING.items() if name not in MAKE_EMPTY_DIRECTORIES} | FIXTURES)


@pytest.fixture(name="fs")
def arrow(fs: RegistryS3FileSystem) -> pyarrow.fs.PyFileSystem:
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))


@pytest.fixture
def pathfn() -> Callable[[str], str]:
    return "/suite/".__add__


@pytest.fixture
def allow_move_dir() -> bool:
    return False


@pytest.fixture
def allow_append_to_file() -> bool:
    return True


@pytest.fixture
def pickle_module() -> ModuleType:
    return pickle


def test_the_suite_is_not_empty() -> None:
    """Its tests are found by their arguments, and those left out by their names, so a change would be noticed."""
    assert len(FITTING) >= 15
    assert set(FITTING) >= MAKE_EMPTY_DIRECTORIES

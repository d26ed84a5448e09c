"""Python's garbage collector during an inventory."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from registry_s3fs.registry import collector


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_it_looks_less_often_and_then_as_before() -> None:
    """Also after an error."""
    with pytest.raises(KeyError), collector.seldom():
        assert gc.get_threshold() == (collector.NEW_OBJECTS, 10, 10)
        raise KeyError
    assert gc.get_threshold() == (700, 10, 10)


def test_a_second_caller_leaves_it_to_the_first() -> None:
    """Whichever ends first, the process has its setting at the end."""
    first, second = collector.seldom(), collector.seldom()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)


def test_a_collector_that_is_off_stays_off() -> None:
    """A threshold of 0 is somebody's wish."""
    gc.set_threshold(0, 10, 10)
    with collector.seldom():
        assert gc.get_threshold()[0] == 0

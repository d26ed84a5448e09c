"""Closing is told from abandoning, by what is on the call stack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from registry_s3fs.threads import call_stack


class Closes:
    """A file that notes at its close whether an exception left the block."""

    def __init__(self) -> None:
        self._handled = call_stack.being_handled()
        self.left: list[bool] = []

    def close(self) -> None:
        self.left.append(call_stack.left_by_exception(self._handled))


class Layer:
    """As fsspec.open and pandas do: an `__exit__` that only calls close()."""

    def __init__(self, file: Closes) -> None:
        self.file = file

    def __enter__(self) -> Closes:
        return self.file

    def __exit__(self, *exc_info: object) -> None:
        self.file.close()


@pytest.mark.promise("Whole or not at all")
@pytest.mark.parametrize("layer", [Layer, contextlib.closing])
def test_a_block_left_by_an_exception_is_abandoned(layer: type) -> None:
    """`close()` discards the file where the nearest `__exit__` on the call stack was handed the exception, through
    whatever layers.
    """
    file = Closes()
    with contextlib.suppress(KeyError), layer(file):
        raise KeyError
    assert file.left == [True]


def test_a_generators_context_manager_counts_too() -> None:
    """contextlib's own __exit__ is handed the exception."""

    @contextlib.contextmanager
    def opened(file: Closes) -> Iterator[None]:
        try:
            yield
        finally:
            file.close()

    file = Closes()
    with contextlib.suppress(KeyError), opened(file):
        raise KeyError
    assert file.left == [True]


def test_a_block_left_normally_is_not() -> None:
    """The usual case."""
    file = Closes()
    with Layer(file):
        pass
    assert file.left == [False]


def test_a_file_opened_and_closed_inside_an_except_block_is_published() -> None:
    """The exception was there before the file."""
    try:
        raise KeyError
    except KeyError:
        file = Closes()
        with Layer(file):
            pass
    assert file.left == [False]


def test_an_explicit_close_inside_an_except_block_is_published() -> None:
    """No __exit__ was handed anything."""
    file = Closes()
    try:
        raise KeyError
    except KeyError:
        file.close()
    assert file.left == [False]


@pytest.mark.promise("Whole or not at all")
def test_an_exit_that_got_no_exception_publishes_inside_an_except_block() -> None:
    """An `__exit__` that was handed no exception publishes the file, inside an `except` block too.

    What the nearest `__exit__` was handed counts.
    """
    file = Closes()
    try:
        raise KeyError
    except KeyError:
        with Layer(file):
            pass
    assert file.left == [False]


def test_an_exception_caught_inside_the_block_is_no_reason() -> None:
    """It did not leave the block."""
    file = Closes()
    with Layer(file), contextlib.suppress(KeyError):
        raise KeyError
    assert file.left == [False]

"""Small objects that one thread stores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import pytest

from registry_s3fs.transfer.small_uploads import SmallUpload, store


class Bodies:
    """The bytes of objects by name, and how the block of each was left."""

    def __init__(self, **bodies: bytes | Exception) -> None:
        self.bodies = bodies
        self.left: dict[str, BaseException | None] = {}

    def uploads(self) -> Iterator[SmallUpload]:
        return (SmallUpload(f"key/{name}", name, lambda name=name: self._open(name)) for name in self.bodies)

    def _open(self, name: str) -> AbstractContextManager[bytes]:
        @contextmanager
        def opened() -> Iterator[bytes]:
            body = self.bodies[name]
            if isinstance(body, Exception):
                raise body
            try:
                yield body
            except BaseException as error:
                self.left[name] = error
                raise
            self.left[name] = None

        return opened()


class Bucket:
    """It stores what is due, as many at a time as it may, and fails as it is told."""

    def __init__(self, at_once: int = 2, **errors: Exception) -> None:
        self.at_once, self.errors = at_once, errors
        self.stored: dict[str, Any] = {}

    def put_many(self, due: Any, left: Any) -> Iterator[Any]:
        under_way = [put for put in (due() for _ in range(self.at_once)) if put]
        while under_way:
            put = under_way.pop()  # the last first
            put.error = self.errors.get(put.key.removeprefix("key/"))
            if put.error is None:
                self.stored[put.key] = put.body
            yield put
            if (following := due()) is not None:
                under_way.append(following)


def stored(bucket: Bucket, bodies: Bodies) -> dict[str, Exception | None]:
    return dict(store(bucket, bodies.uploads(), len(bodies.bodies), {}))


def test_each_object_is_told_by_its_name() -> None:
    """They end in any order, and the blocks of their bytes are left without an error."""
    bucket, bodies = Bucket(), Bodies(a=b"1", b=b"2", c=b"3")
    assert stored(bucket, bodies) == {"a": None, "b": None, "c": None}
    assert bucket.stored == {"key/a": b"1", "key/b": b"2", "key/c": b"3"}
    assert bodies.left == {"a": None, "b": None, "c": None}


def test_one_that_fails_does_not_keep_the_others() -> None:
    """Neither where its bytes cannot be opened, nor where its request failed: its block is left with that error."""
    lost, refused = OSError("no such file"), OSError("refused")
    bucket, bodies = Bucket(b=refused), Bodies(a=lost, b=b"2", c=b"3")
    assert stored(bucket, bodies) == {"a": lost, "b": refused, "c": None}
    assert bodies.left == {"b": refused, "c": None}


def test_all_that_cannot_be_opened_are_told() -> None:
    """Even where no request is sent at all."""
    errors = {name: OSError(name) for name in "abc"}
    assert stored(Bucket(), Bodies(**errors)) == errors


def test_an_error_while_the_block_is_left_is_the_objects() -> None:
    """As of a progress bar that is told of the bytes."""
    broken = ValueError("bar")

    @contextmanager
    def opened() -> Iterator[bytes]:
        yield b"1"
        raise broken

    assert dict(store(Bucket(), [SmallUpload("key/a", "a", opened)], 1, {})) == {"a": broken}


def test_the_blocks_of_what_is_under_way_are_left_when_nobody_goes_on() -> None:
    """With an error, as nobody knows whether the server has the bytes."""
    bodies = Bodies(a=b"1", b=b"2", c=b"3")
    going = store(Bucket(at_once=3), bodies.uploads(), len(bodies.bodies), {})
    next(going)
    going.close()
    assert [type(error) for _, error in sorted(bodies.left.items())] == [GeneratorExit, GeneratorExit, type(None)]


def test_ctrl_c_leaves_the_blocks_too() -> None:
    """With `KeyboardInterrupt`."""
    bodies = Bodies(a=b"1", b=b"2")
    going = store(Bucket(), bodies.uploads(), len(bodies.bodies), {})
    next(going)
    with pytest.raises(KeyboardInterrupt):
        going.throw(KeyboardInterrupt())
    assert [type(error) for _, error in sorted(bodies.left.items())] == [KeyboardInterrupt, type(None)]


@pytest.mark.parametrize("breaks", [False, True], ids=["at once", "with another error"])
def test_the_blocks_of_all_are_left_whatever_leaving_one_raises(breaks: bool) -> None:
    """What the caller meets is why the work ended, and no file is left open."""
    left: list[str] = []

    @contextmanager
    def opened(name: str) -> Iterator[bytes]:
        try:
            yield b"1"
        finally:
            left.append(name)
            if breaks:
                raise OSError("bar")

    uploads = (SmallUpload(f"key/{name}", name, partial(opened, name)) for name in "abc")
    going = store(Bucket(at_once=3), uploads, 3, {})
    assert next(going)[0] == "c"
    with pytest.raises(KeyboardInterrupt):
        going.throw(KeyboardInterrupt())
    assert sorted(left) == ["a", "b", "c"]

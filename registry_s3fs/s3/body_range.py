"""Functions that tell which bytes of an object the body of a response holds.

The module does no I/O.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from registry_s3fs.errors import ignores_range
from registry_s3fs.model.ranges import MAX_OBJECT_BYTES
from registry_s3fs.s3.responses import Answer, Asked, count, status


class BodyRange(NamedTuple):
    """The byte range of an object that a body holds, and the size of the whole object.

    `size` is None where the response does not tell it.
    """

    start: int
    end: int
    size: int | None


_CONTENT_RANGE = re.compile(r"\s*bytes[ =]\s*(\d{1,20})\s*-\s*(\d{1,20})\s*/\s*(\d{1,20}|\*)\s*", re.IGNORECASE)


def body_range(answer: Answer, start: int, end: int | None, known_size: int | None, asked: Asked) -> BodyRange:
    """Return which bytes the response to a GetObject holds.

    The byte range that was requested goes from `start` up to `end`. It goes to the object's end where `end` is None. A
    negative `start` requests the last ``-start`` bytes. Servers may send a byte range with status 200.

    >>> asked = Asked("GetObject", "/a")
    >>> body_range({"ContentRange": "bytes 2-5/9"}, 2, 6, None, asked)
    BodyRange(start=2, end=6, size=9)
    >>> body_range({"ContentRange": "bytes 0-3/9"}, 2, 6, None, asked)
    Traceback (most recent call last):
    registry_s3fs.errors.InvalidResponseError: [Errno 71] the answer to GetObject is none of S3's: ContentRange is \
'bytes 0-3/9', where bytes=2-5 was asked for; a proxy, gateway or cache may have given it: '/a'

    Raises:
        InvalidResponseError: The body holds other bytes, or it cannot be told which bytes it holds, or the object has
            another size.
    """
    length = count(answer, "ContentLength", asked) if answer.get("ContentLength") is not None else None
    said = answer.get("ContentRange")
    if said is None:
        if status(answer) == 206 and (start < 0 or (end is None and not start)):
            raise asked.refused("it has no ContentRange")
        found = _without_content_range(length, start, end, known_size, asked)
    else:
        found = _by_content_range(said, start, end, known_size, asked)
        if length not in (None, found.end - found.start):
            raise asked.refused(f"ContentRange is {said!r}, and ContentLength {length}")
    if known_size is not None and found.size not in (None, known_size):
        raise asked.refused(f"it tells of {found.size} bytes, where the object has {known_size}")
    if found.size is not None and found.size > MAX_OBJECT_BYTES:
        raise asked.refused(f"it tells of {found.size} bytes, where S3 has {MAX_OBJECT_BYTES} at most")
    return found


def size_of_refused(error: BaseException | None) -> int | None:
    """Return an object's size, where the refusal of a byte range past its end tells it.

    The size stands in a header or in S3's document. The result is None where it stands in neither.
    """
    response = getattr(error, "response", None) or {}
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    told = re.fullmatch(r"bytes \*/(\d{1,20})", headers.get("content-range", ""), re.IGNORECASE)
    size = told[1] if told else str(response.get("Error", {}).get("ActualObjectSize", ""))
    return int(size) if size.isdecimal() else None


def _by_content_range(said: object, start: int, end: int | None, known_size: int | None, asked: Asked) -> BodyRange:
    found = _CONTENT_RANGE.fullmatch(str(said))
    if not found:
        raise asked.refused(f"ContentRange is {said!r}")
    first, stop = int(found[1]), int(found[2]) + 1
    size = known_size if found[3] == "*" else int(found[3])
    wanted = start if start >= 0 or size is None else max(size + start, 0)
    most = stop if size is None else size
    if not first < stop <= most or first != wanted or stop != (most if end is None else min(end, most)):
        raise asked.refused(f"ContentRange is {said!r}, where {_named(start, end)} was asked for")
    return BodyRange(first, stop, size)


def _without_content_range(
    length: int | None, start: int, end: int | None, known_size: int | None, asked: Asked
) -> BodyRange:
    """Return the whole object as the byte range, if the body is the whole object.

    Without a Content-Range, the bytes of a byte range would not tell where they belong.
    """
    if length is None:
        raise asked.refused("it has no ContentLength")
    if start > 0 or length > -start > 0:
        raise ignores_range(asked.path)
    if end is None:
        # As many bytes as were asked for, counted from the object's end: all of it, or the range's.
        return BodyRange(0, length, None if start == -length < 0 and known_size is None else length)
    # Nothing but the object's size tells whether the body is all of it, or a range's bytes, or some of them.
    return BodyRange(0, min(length, end), None if known_size is None else length)


def _named(start: int, end: int | None) -> str:
    if start < 0:
        return f"bytes={start}"
    return "the whole object" if end is None and not start else f"bytes={start}-{'' if end is None else end - 1}"

"""The PutObject of one or many small objects, by the fast path and by boto3."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing

from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders
from registry_s3fs.s3 import responses
from registry_s3fs.s3.fast_path.client import Call, FastPath, is_boto3s_turn
from registry_s3fs.s3.lookups import Lookups

SMALL_BYTES = ranges.MIB
"""A PUT of up to this many bytes takes the fast path.

For a longer one, the higher cost of boto3 no longer counts.
"""
PUT = "PutObject"


class Put:
    """An object to be stored, and the error that it met.

    `name` is for the caller's use.
    """

    def __init__(self, key: str, body: Body, headers: ObjectHeaders = DEFAULT_HEADERS, name: str = "") -> None:
        self.key, self.body, self.headers, self.name = key, body, headers, name
        self.error: Exception | None = None


class Puts(Lookups):
    """The PutObject requests without conditions, which may be sent twice."""

    def put_many(self, puts: Iterable[Put]) -> Generator[Put, None, None]:
        """Send the PutObject requests of many small objects side by side, and yield each as it ends.

        A put that failed has its `error`. This thread drives the puts that take the fast path. The puts that are left
        to boto3 go to the pool.
        """
        coming = iter(puts)
        with self._translated(""):
            fast_path = self.fast_path
        is_over = False
        while not is_over:
            is_over = True
            left: list[tuple[Put, Call[Put] | None]] = []
            if fast_path.is_open(PUT):
                with closing(self._put_by_fast_path(coming, left, fast_path)) as done:
                    for put in done:
                        is_over = False
                        yield put
            rest: Iterable[tuple[Put, Call[Put] | None]] = iter(left) if left else ((put, None) for put in coming)
            with closing(self.pool.each(lambda pair: self._put_by_boto3(*pair), rest, self.pool.threads)) as ended:
                for put in ended:
                    is_over = False
                    yield put

    def _put_by_fast_path(
        self, coming: Iterator[Put], left: list[tuple[Put, Call[Put] | None]], fast_path: FastPath
    ) -> Generator[Put, None, None]:
        """Yield the puts that the fast path has stored, and add the others to `left`."""
        at_once = self.parameters.max_concurrency

        def next_call() -> Call[Put] | None:
            while not is_boto3s_turn(left, at_once):
                put = next(coming, None)
                if put is None:
                    return None
                call = self._call_to_put(put, fast_path)
                if call is not None:
                    return call
                left.append((put, None))
            return None

        with closing(fast_path.carry_out(next_call, at_once)) as calls:
            for call in calls:
                put = call.for_whom
                if call.error is not None:
                    put.error = self._translation(put.key, call.error)
                if call.answer is None and call.error is None:
                    left.append((put, call))
                else:
                    yield put

    def _call_to_put(self, put: Put, fast_path: FastPath) -> Call[Put] | None:
        if len(put.body) > SMALL_BYTES or not fast_path.is_open(PUT):
            return None
        return fast_path.put_object(self._request_to_put(put), put.body, put)

    def _request_to_put(self, put: Put) -> dict[str, object]:
        return {"Key": put.key, **put.headers, **self._new_object}

    def _put(
        self,
        put: Put,
        condition: Mapping[str, object] | None = None,
        *,
        precondition: type[OSError] = FileExistsError,
    ) -> None:
        request = {**self._request_to_put(put), **(condition or {}), "Body": self._bytes(put.key, put.body)}
        answer = self._send("put_object", put.key, request, precondition=precondition)
        responses.etag(answer, self._asked(PUT, put.key))

    def _put_by_boto3(self, put: Put, call: Call[Put] | None = None) -> Put:
        try:
            if call is not None:
                call.hand_over()
            self._put(put)
        except (OSError, ValueError) as error:
            put.error = error
        return put

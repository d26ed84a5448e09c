"""Many requests of one kind side by side: by the fast path, and by boto3 where they are left to it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from registry_s3fs.s3.fast_path.call import Call
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.lookups import Lookups

Item = TypeVar("Item")


@dataclass(frozen=True)
class Way(Generic[Item]):
    """How one of many items is carried out."""

    operation: str
    call: Callable[[Item, FastPath], Call[Item] | None]
    """It gives the fast path's call for an item, or None where boto3 must carry it out."""
    is_done: Callable[[Item, Call[Item]], bool]
    """It takes over what the fast path has done, and tells whether nothing is left to do."""
    by_boto3: Callable[[Item, Call[Item] | None], Item]
    """It goes on by boto3, after the fast path's call where there was one. The item keeps its error."""


class ManyRequests(Lookups):
    """Many requests side by side."""

    def _each(
        self, way: Way[Item], due: Callable[[], Item | None], left: Callable[[], int]
    ) -> Generator[Item, None, None]:
        """Carry out items side by side, and yield each as it ends, in any order.

        `due` gives the next item, or None where there is none at present; where none is under way, None says that there
        is none at all. `left` tells how many are yet to begin, as far as that is known. This thread drives those that
        take the fast path. Those that are left to boto3 go to the pool.
        """
        begun = True
        while begun:
            begun = answered = False
            boto3s: list[tuple[Item, Call[Item] | None]] = []
            if self._is_open(way.operation):
                with closing(self._by_fast_path(way, due, left, boto3s)) as done:
                    for item in done:
                        begun = answered = True
                        yield item
            most = 0 if answered or self.pool.is_in_place else self.parameters.max_concurrency
            rest = for_boto3(boto3s, due, most)
            with closing(self.pool.each(lambda pair: way.by_boto3(*pair), rest, self.pool.threads)) as ended:
                for item in ended:
                    begun = True
                    yield item

    def _is_open(self, operation: str) -> bool:
        with self._translated(""):
            return self.fast_path.is_open(operation)

    def _by_fast_path(
        self,
        way: Way[Item],
        due: Callable[[], Item | None],
        left: Callable[[], int],
        boto3s: list[tuple[Item, Call[Item] | None]],
    ) -> Generator[Item, None, None]:
        """Yield the items that the fast path has done, and add the others to `boto3s`."""
        fast_path, at_once = self.fast_path, self.parameters.max_concurrency

        def next_call() -> Call[Item] | None:
            while not _is_boto3s_turn(boto3s, at_once):
                item = due()
                if item is None:
                    return None
                call = way.call(item, fast_path)
                if call is not None:
                    return call
                boto3s.append((item, None))
            return None

        with closing(fast_path.carry_out(next_call, at_once, left)) as calls:
            for call in calls:
                item = call.for_whom
                if way.is_done(item, call):
                    yield item
                else:
                    boto3s.append((item, call))


def for_boto3(
    left: Sequence[tuple[Item, Call[Item] | None]], due: Callable[[], Item | None], most: int
) -> Iterable[tuple[Item, Call[Item] | None]]:
    """Return what boto3 carries out now: what was left to it, or else all that is due.

    Where the server is not reached, what is due is taken beside that, up to `most` in all: few were begun before that
    was known, and each takes as long as boto3 tries.
    """
    if not left:
        return _DueForBoto3(due)
    more = max(0, most - len(left)) if _are_unreachable(left) else 0
    return chain(left, islice(_DueForBoto3(due), more))


def _is_boto3s_turn(left: Sequence[tuple[object, Call[Item] | None]], at_once: int) -> bool:
    """Return whether no further request may begin before boto3 has carried out those that were left to it.

    That is so where many were left. It is also so where the server is not reached, since each further request would
    take as long as the first.
    """
    return len(left) >= at_once or _are_unreachable(left)


def _are_unreachable(left: Sequence[tuple[object, Call[Item] | None]]) -> bool:
    return any(call is not None and call.is_unreachable for _, call in left)


class _DueForBoto3(Iterator["tuple[Item, Call[Item] | None]"]):
    """An iterator over what is due, for boto3 alone.

    It ends where nothing is due at present, and it continues where something is due again.
    """

    def __init__(self, due: Callable[[], Item | None]) -> None:
        self._due = due

    def __next__(self) -> tuple[Item, Call[Item] | None]:
        found = self._due()
        if found is None:
            raise StopIteration
        return found, None

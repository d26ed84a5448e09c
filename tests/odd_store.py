"""A filesystem on the scripted store, whose answers a function of the test twists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from registry_s3fs import RegistryS3FileSystem
from testbed.messages import Answer, Request
from testbed.plain_answers import fitted
from testbed.scripted_store import ScriptedStore

Twist = Callable[[ScriptedStore, Request], "Answer | None"]
"""May give another answer to a request than the store's own, which `store.carry_out(request)` gives."""


@contextmanager
def odd_store(twist: Twist | None = None, **options: Any) -> Iterator[tuple[ScriptedStore, RegistryS3FileSystem]]:
    """A store, and a filesystem on it, which tries each request once."""

    def first_word(request: Request) -> Answer | None:
        twisted = twist(store, request) if twist else None
        return None if twisted is None else fitted(twisted, request)

    with ScriptedStore(first_word=first_word) as store:
        yield store, RegistryS3FileSystem(**store.options(**options), skip_instance_cache=True)


def ways(fast: bool) -> dict[str, Any]:
    """Storage options by which requests take the fast path, which is one try more, or are boto3's alone."""
    return {"fast_path": fast, "config_kwargs": {"retries": {"total_max_attempts": 2 if fast else 1}}}


def instead(operation: str, answer: Answer) -> Twist:
    """A twist that gives this answer to an operation."""
    return lambda store, request: answer if request.operation == operation else None


def source_etag(store: ScriptedStore, request: Request) -> str:
    """The ETag that a copy would have, which is its source's."""
    found = re.search("<ETag>(.*)</ETag>", store.carry_out(request, done=False).body.decode())
    assert found
    return found[1]

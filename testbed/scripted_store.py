"""A small S3 of known contents on a scripted server, some of whose answers are others.

with ScriptedStore({"a": b"1"}) as store:
    store.script("GetObject", lambda request, answer: answer.with_header("ETag", None), nth=2)
    fs = RegistryS3FileSystem(**store.options())
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.messages import Answer, Reply, Request
from testbed.s3 import S3
from testbed.scripted_server import ScriptedServer

ALWAYS = math.inf
Change = Callable[[Request, Answer], Reply]
"""From a request and the well-formed answer to it to what is sent."""


@dataclass
class Script:
    """What is sent instead of some answers: of an operation, from the `nth` on, `times` of them."""

    operation: str
    """Empty: of any."""
    change: Change
    nth: int = 1
    times: float = ALWAYS
    key: str | None = None
    """Only requests of this very key; a listing's is its prefix."""
    done: bool = True
    """Whether the store carries the request out. Where not, it gives the answer that it would have given."""
    misread: Callable[[Request], Request] = lambda request: request
    """What the store takes the request for, such as one without its prefix."""
    seen: int = 0
    struck: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of them; counts it."""
        key = request.key or request.query.get("prefix", "")
        if self.operation not in ("", request.operation) or self.key not in (None, key):
            return False
        self.seen += 1
        strikes = self.nth <= self.seen < self.nth + self.times
        self.struck += strikes
        return strikes


class ScriptedStore(ScriptedServer):
    """An S3 whose answers may be scripted, from ``with`` to its end; of two scripts that strike, the first counts."""

    def __init__(
        self,
        contents: Mapping[str, bytes] | None = None,
        *,
        page_keys: int = 1000,
        first_word: Callable[[Request], Reply | None] = lambda request: None,
        **server: Any,
    ) -> None:
        """`contents` are keys and their bytes; `page_keys` the most that a page of a listing has.

        What `first_word` gives to a request is sent, and no script strikes; None: it has nothing to say.
        """
        super().__init__(self._answer, **server)
        self.s3 = S3(page_keys)
        self.scripts: list[Script] = []
        self._first_word = first_word
        self._store_lock = threading.Lock()
        self.fill(contents or {})

    def fill(self, contents: Mapping[str, bytes]) -> None:
        """Store these bytes under these keys."""
        with self._store_lock:
            for key, data in contents.items():
                self.s3.store(key, data)

    def script(self, operation: str, change: Change | Reply = lambda _, answer: answer, **more: Any) -> Script:
        """Have answers changed, or a reply sent instead of them; `more` is a `Script`'s."""
        chosen: Change = change if callable(change) else lambda request, answer: change
        self.scripts.append(Script(operation, chosen, **more))
        return self.scripts[-1]

    def contents(self) -> dict[str, bytes]:
        """Keys and bytes of all objects."""
        with self._store_lock:
            return {key: found.data for key, found in self.s3.objects.items()}

    def carry_out(self, request: Request, *, done: bool = True) -> Answer:
        """The store's own answer to a request, which is carried out, or only answered as if it had been."""
        with self._store_lock:
            kept = dict(self.s3.objects), dict(self.s3.uploads)
            answer = self.s3.answer(request)
            if not done:
                self.s3.objects, self.s3.uploads = kept
            return answer

    def _answer(self, request: Request) -> Reply:
        said = self._first_word(request)
        return self._scripted(request) if said is None else said

    def _scripted(self, request: Request) -> Reply:
        with self._store_lock:
            struck = next((script for script in self.scripts if script.strikes(request)), None)
        if struck is None:
            return self.carry_out(request)
        return struck.change(request, self.carry_out(struck.misread(request), done=struck.done))

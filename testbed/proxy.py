"""A proxy that stands before an S3 server and fails where it is told to."""

from __future__ import annotations

import http.client
import math
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus

from testbed.messages import Answer, Close, Reply, Request, Reset, Silence, Step
from testbed.plain_answers import refusal, xml
from testbed.scripted_server import ScriptedServer

ALWAYS = math.inf
GIVE_UP_S = 60
"""So long the server behind is waited for."""
OF_CONNECTIONS = ("connection", "expect", "transfer-encoding", "content-length")
"""Headers that are not handed on."""


@dataclass
class Fault:
    """What goes wrong: requests of an operation whose key has `key` in it, from the `nth` on, `times` of them.

    ============  ====================================================================================
    `503` `500`   SlowDown, InternalError; nothing is done
    `error-200`   status 200 with an ``<Error>`` in the body; nothing is done
    `reset`       the connection is reset before an answer; nothing is done
    `applied`     the same, but the server has carried out the request: only its answer is lost
    `silent`      no answer comes, nor does the connection end; nothing is done
    `truncate`    the answer's body ends half way, after `sent` bytes if given
    `break`       as `truncate`, by a reset
    `stall`       as `truncate`, but the connection stays open and nothing more comes
    `flip`        one bit of the answer's body, or of the request's if it has one, is another
    `instead`     the given `answer`; nothing is done
    `partial`     DeleteObjects: the keys that have `key` in them are not deleted, and the answer says so
    ============  ====================================================================================
    """

    operation: str
    kind: str
    nth: int = 1
    times: float = 1
    key: str = ""
    sent: int | None = None
    answer: Answer | None = None
    after: Callable[[], None] = lambda: None
    """Called when it strikes, before the client learns of it."""
    seen: int = 0

    def strikes(self, request: Request) -> bool:
        """Whether this request is one of them; counts it."""
        if self.operation not in ("", request.operation) or (self.kind != "partial" and self.key not in request.key):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class Proxy(ScriptedServer):
    """Hands requests on to the server at an endpoint; `faults` may be changed at any time."""

    def __init__(self, behind: str) -> None:
        super().__init__(self._answer)
        self.behind = behind.removeprefix("http://")
        self.faults: list[Fault] = []
        self.stalled = threading.Event()
        """Set when something stalls for the first time."""
        self._counting = threading.Lock()

    def count(self, operation: str) -> int:
        """Requests of an operation so far."""
        return self.counts[operation]

    def forward(self, request: Request) -> Answer:
        """The answer of the server behind."""
        headers = {name: value for name, value in request.headers if name.lower() not in OF_CONNECTIONS}
        with closing(http.client.HTTPConnection(self.behind, timeout=GIVE_UP_S)) as connection:
            connection.request(request.method, request.target, request.body or None, headers)
            answer = connection.getresponse()
            return answer_of(answer.status, answer.getheaders(), answer.read(), is_head=request.method == "HEAD")

    def _answer(self, request: Request) -> Reply:
        with self._counting:
            struck = [fault for fault in list(self.faults) if fault.strikes(request)]
        if not struck:
            return self.forward(request)
        reply = self._failing(struck[0], request)
        struck[0].after()
        return reply

    def _failing(self, fault: Fault, request: Request) -> Reply:
        if fault.answer is not None or fault.kind in ANSWERS:
            return fault.answer or ANSWERS[fault.kind]
        if fault.kind == "silent":
            return self._stalling()
        if fault.kind in ("reset", "applied"):
            if fault.kind == "applied":
                self.forward(request)
            return [Reset()]
        if fault.kind == "flip":
            answer = self.forward(replace(request, body=flipped(request.body)))
            return answer if request.body else replace(answer, body=flipped(answer.body))
        if fault.kind == "partial":
            return partly_deleted(self.forward, request, fault.key)
        return self._cut(fault, self.forward(request))

    def _cut(self, fault: Fault, answer: Answer) -> Iterator[Step]:
        yield answer.head() + answer.content()[: len(answer.body) // 2 if fault.sent is None else fault.sent]
        if fault.kind == "stall":
            yield from self._stalling()
        yield Reset() if fault.kind == "break" else Close()

    def _stalling(self) -> Iterator[Step]:
        self.stalled.set()
        yield Silence()


def answer_of(status: int, headers: list[tuple[str, str]], body: bytes, *, is_head: bool = False) -> Answer:
    """An answer that says of its body's length what is so."""
    kept = [(name, value) for name, value in headers if name.lower() not in OF_CONNECTIONS]
    length = next((value for name, value in headers if name.lower() == "content-length"), "") if is_head else len(body)
    if status != HTTPStatus.NO_CONTENT and length != "":
        kept.append(("Content-Length", str(length)))
    return Answer(status, HTTPStatus(status).phrase, tuple(kept), body, "none" if is_head else "length")


ANSWERS = {
    "503": refusal(503, "SlowDown"),
    "500": refusal(500, "InternalError"),
    "error-200": refusal(200, "InternalError"),
}


def flipped(data: bytes) -> bytes:
    """The same, but for one bit in the middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if data else data


def partly_deleted(forward: Callable[[Request], Answer], request: Request, key: str) -> Answer:
    """The answer to a DeleteObjects of which the keys that have `key` in them were refused."""
    objects = re.findall(rb"<Object>.*?</Object>", request.body, re.DOTALL)
    refused = [each for each in objects if key.encode() in each]
    body = request.body
    for each in refused:
        body = body.replace(each, b"")
    digests = [name for name, _ in request.headers if re.match("content-md5|x-amz-checksum", name.lower())]
    headers = tuple((name, value) for name, value in request.headers if name not in digests)
    if len(refused) < len(objects):
        forward(replace(request, headers=headers, body=body))
    names = [re.search(rb"<Key>(.*?)</Key>", each, re.DOTALL) for each in refused]
    errors = b"".join(
        b"<Error><Key>" + name[1] + b"</Key><Code>InternalError</Code><Message>as told</Message></Error>"
        for name in names
        if name
    )
    return xml("DeleteResult", errors.decode())

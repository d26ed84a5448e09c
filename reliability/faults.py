"""What goes wrong between a client and S3, as rules of the simulator. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CHANCE = 0.1
"""Of each request that a fault can strike. Where a run sends too few to expect one, one of them is struck."""
READ_TIMEOUT_S = 1.0
"""After so much silence the client under test gives an answer up."""

ANSWERS_WITH_BODY = frozenset(
    (
        *("GetObject", "ListObjectsV2", "DeleteObjects", "CopyObject", "UploadPartCopy", "ListParts"),
        *("CreateMultipartUpload", "CompleteMultipartUpload"),
    )
)
REQUESTS_WITH_BODY = frozenset(("PutObject", "UploadPart", "CompleteMultipartUpload", "DeleteObjects"))
WHEN_GIVEN_UP = frozenset(("AbortMultipartUpload",))
"""What is sent only when something has failed."""
DELETES = frozenset(("DeleteObjects",))
ENTRY = "DeleteObjectsEntry"
"""The simulator's name for one key of a DeleteObjects request."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    name: str
    title: str
    """What happens."""
    rule: Mapping[str, Any] = field(default_factory=dict)
    """The simulator's: kind and its settings."""
    among: frozenset[str] | None = None
    """The requests that it can strike; None: any."""
    struck: str = ""
    """What is struck of these, where it is not the whole request."""
    is_once: bool = False
    """One request of a run instead of each with `CHANCE`: the middle one of a kind, and of another kind each time."""

    def rules(self, requests: Mapping[str, int], number: int) -> list[dict[str, Any]]:
        """The rules for run `number` of something that sends so many of these requests; none where it cannot be struck.

        >>> CORRUPT_REQUEST.rules({"GetObject": 3, "PutObject": 20}, 0)
        [{'kind': 'corrupt', 'probability': 0.1, 'op': 'PutObject'}]
        >>> CORRUPT_REQUEST.rules({"PutObject": 2}, 0)
        [{'kind': 'corrupt', 'nth': 2, 'op': 'PutObject'}]
        >>> CORRUPT_REQUEST.rules({"GetObject": 3}, 0)
        []
        >>> DENIED.rules({"GetObject": 3, "HeadObject": 1}, 0), DENIED.rules({"GetObject": 3, "HeadObject": 1}, 1)
        ([{'kind': '403', 'nth': 2, 'op': 'GetObject'}], [{'kind': '403', 'nth': 1, 'op': 'HeadObject'}])
        """
        if not self.rule:
            return []
        among = {name: count for name, count in requests.items() if self.among is None or name in self.among}
        if among and (self.is_once or sum(among.values()) * CHANCE < 1):
            name = sorted(among, key=lambda each: (-among[each], each))[number % len(among)]
            return [{**self.rule, "nth": 1 + among[name] // 2, "op": self.struck or name}]
        names = {*among, *WHEN_GIVEN_UP} if self.among is None else among
        return [{**self.rule, "probability": CHANCE, "op": self.struck or name} for name in sorted(names)]


NONE = Fault("none", "nothing goes wrong")
DENIED = Fault("403 once", "AccessDenied, for one request of each run; nothing is done", {"kind": "403"}, is_once=True)
CORRUPT_REQUEST = Fault(
    "corrupt request", "one bit of what was sent arrives flipped", {"kind": "corrupt"}, REQUESTS_WITH_BODY
)
CORRUPT_ANSWER = Fault(
    "corrupt answer", "one bit of an answer's body arrives flipped", {"kind": "corrupt"},
    ANSWERS_WITH_BODY - REQUESTS_WITH_BODY,  # there the simulator flips the request's
)  # fmt: skip

FAULTS = (
    Fault("503", "SlowDown; nothing is done", {"kind": "503"}),
    Fault("500", "InternalError; nothing is done", {"kind": "500"}),
    Fault("200 error", "status 200, and an error in the body; nothing is done", {"kind": "200error"}),
    DENIED,
    Fault("reset before", "the connection breaks before the answer; nothing is done", {"kind": "reset"}),
    Fault("reset after", "it was done; the connection breaks before the answer", {"kind": "reset", "applied": True}),
    Fault("truncated", "it was done; the connection breaks half way through the answer's body", {"kind": "truncate"},
          ANSWERS_WITH_BODY),
    Fault("stalled", "it was done; the answer's body stops half way, for longer than the client waits",
          {"kind": "stall", "seconds": 2 * READ_TIMEOUT_S}, ANSWERS_WITH_BODY),
    Fault("slow", "the answer comes 0.3 s later", {"kind": "slow", "seconds": 0.3}),
    Fault("late", "it is done and answered when the client has given it up",
          {"kind": "slow", "seconds": 2 * READ_TIMEOUT_S}),
    CORRUPT_REQUEST,
    CORRUPT_ANSWER,
    Fault("key of DeleteObjects", "DeleteObjects answers that this key could not be deleted", {"kind": "500"}, DELETES,
          ENTRY),
)  # fmt: skip

BY_NAME = {fault.name: fault for fault in (NONE, *FAULTS)}

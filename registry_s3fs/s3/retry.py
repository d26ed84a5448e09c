"""The retry budget: how often a request is tried, and how long the pauses are, for the fast path and boto3 together.

A request that the fast path has sent counts as one of the attempts that the SDK's setting ``retries`` allows. A read
that breaks off within its body is continued, within a retry budget that grows with what was received.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from registry_s3fs.s3 import botocore_private
from registry_s3fs.s3.error_codes import SENT_DAMAGED
from registry_s3fs.threads import cancellation

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_s3 import S3Client as Boto3Client

FRUITLESS_ATTEMPTS = 4
"""A read fails after this many attempts in a row that bring nothing."""
BYTES_PER_ATTEMPT = 256 * 1024
"""This many received bytes earn one attempt more."""
FIRST_READ_PAUSE_S, LONGEST_READ_PAUSE_S = 0.1, 2.0
"""The pause before a read is tried again doubles from the first of these up to the second."""

TOTAL_MAX_ATTEMPTS = 4
"""Each request has this many attempts by default, the first one included (the SDK's ``total_max_attempts``)."""
LONGEST_PAUSES_S = (1.0, 2.0, 4.0)
"""The longest pauses before each further attempt of a request, which are those of the SDK's standard mode."""


class RetryBudget:
    """The retry budget of one read.

    >>> budget = RetryBudget()
    >>> [budget.allows_another(received) for received in (0, 0, 0, 0)]
    [True, True, True, False]
    >>> budget = RetryBudget()
    >>> all(budget.allows_another(BYTES_PER_ATTEMPT) for _ in range(100))
    True
    """

    def __init__(self) -> None:
        self._left: float = FRUITLESS_ATTEMPTS
        self._fruitless = 0

    def allows_another(self, received: int) -> bool:
        """Return whether to try again after an attempt that brought so many bytes."""
        self._left = min(FRUITLESS_ATTEMPTS, self._left + received / BYTES_PER_ATTEMPT) - 1
        self._fruitless = 0 if received else self._fruitless + 1
        return self._left > 0

    def wait(self) -> None:
        """Pause, where the last attempt brought nothing.

        The pause is longer each time.
        """
        if self._fruitless:
            pause(min(LONGEST_READ_PAUSE_S, FIRST_READ_PAUSE_S * 2**self._fruitless))


def pause(longest_s: float) -> None:
    """Wait for a random time, so that many callers do not come back at one moment."""
    cancellation.pause(random.uniform(0, longest_s))  # noqa: S311  # spreads requests, hides nothing


class _Spent(threading.local):
    attempts = 0


_spent = _Spent()
"""It counts the attempts of this thread's request that boto3 did not make."""


def begin_request() -> None:
    """Begin a request with its whole retry budget."""
    _spent.attempts = 0


def spend_attempt() -> None:
    """Count an attempt that boto3, which is about to send the request, does not know of."""
    _spent.attempts += 1


def pause_after_failure() -> None:
    """Wait as boto3's standard mode does after a first attempt."""
    pause(LONGEST_PAUSES_S[0])


Response = tuple[object, Any]
"""botocore's HTTP response, and the dictionary that it has parsed of it, of which the stubs say too little."""


def tries_allowed(client: Boto3Client) -> int:
    """Return how many attempts the SDK's setting allows, the first one included."""
    retries = botocore_private.settings_of(client).retries or {}
    return int(retries.get("total_max_attempts") or (5 if retries.get("mode") == "legacy" else 3))  # botocore's own


def limiting_tries(client: Boto3Client) -> Callable[..., None]:
    """Return a handler of ``needs-retry`` that ends a call whose retry budget the fast path has begun.

    ``needs-retry`` is an event of botocore's.
    """
    allowed = tries_allowed(client)

    def end_when_spent(
        response: Response | None = None,
        attempts: int = 1,
        caught_exception: Exception | None = None,
        operation: OperationModel | None = None,
        **event: object,
    ) -> None:
        if not _spent.attempts or attempts + _spent.attempts < allowed:
            return
        if caught_exception is not None:
            raise caught_exception
        parsed: Any = response[1] if response else {}
        if operation is not None and "Error" in parsed:  # as botocore raises it, which would ask its own count first
            parsed.get("ResponseMetadata", {})["RetryAttempts"] = attempts + _spent.attempts - 1
            raise botocore_private.error_class(client, parsed["Error"].get("Code"))(parsed, operation.name)

    return end_when_spent


DAMAGED_ATTEMPTS = 4


def repeating_damaged(client: Boto3Client) -> Callable[..., Any]:
    """Return a handler of botocore's event ``needs-retry`` that sends again, at once, what was damaged on its way.

    botocore takes the damage for the caller's own mistake. What a handler returns is Any, as the stubs have it that
    handlers return nothing.
    """
    allowed = min(DAMAGED_ATTEMPTS, tries_allowed(client))

    def repeat_damaged(response: Response | None = None, attempts: int = 1, **event: object) -> float | None:
        code = response[1].get("Error", {}).get("Code") if response else None
        return 0.0 if code in SENT_DAMAGED and attempts < allowed else None

    return repeat_damaged

"""One request on its way by the fast path."""

from __future__ import annotations

from typing import Generic, TypeVar

from registry_s3fs.s3 import retry
from registry_s3fs.s3.fast_path.engine import Exchange

Maker = TypeVar("Maker")


class Call(Generic[Maker]):
    """One request on its way by the fast path.

    At its end it has an `answer` or an `error`, or it is left to boto3.
    """

    def __init__(self, operation: str, key: str, exchange: Exchange, for_whom: Maker) -> None:
        self.operation = operation
        self.key = key
        self.exchange = exchange
        self.answer: dict[str, object] | None = None
        """It holds the fields of a success, as boto3 gives them."""
        self.accepted: dict[str, object] | None = None
        """It holds the same fields, of an object whose body is still to come."""
        self.error: Exception | None = None
        """It is botocore's `ClientError` where S3 refused, or the error of a buffer or of the credentials."""
        self.worked_s = 0.0
        """It is the processor time of reading a page of a listing, in seconds."""
        self.why = ""
        """It says why the request is left to boto3."""
        self.is_replaced = False
        """It is True where the response was the plain one, of another object version than was requested."""
        self.pauses = False
        """It is True where boto3 should not send the request at once."""
        self.is_unreachable = False
        """It is True where the server could not be reached, or was silent."""
        self.for_whom = for_whom
        """It is whatever the maker of the call is to find again."""

    def __repr__(self) -> str:
        return f"<Call {self.operation} {self.key!r}>"

    @property
    def received(self) -> int:
        """Return how many bytes of an object's body are in their place."""
        return self.exchange.reader.received

    def hand_over(self) -> None:
        """Count the call as an attempt of the request that this thread is about to send by boto3.

        A pause comes first where one is needed.
        """
        retry.begin_request()
        retry.spend_attempt()
        try:
            if self.pauses:
                retry.pause_after_failure()
        except BaseException:
            retry.begin_request()
            raise

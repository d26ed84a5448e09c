"""The class with what the operations on a bucket share.

It holds the client, the way to name a key in errors, and the one way to send a request by boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.errors import invalid_response
from registry_s3fs.model.key_order import KeyOrder
from registry_s3fs.model.objects import Body
from registry_s3fs.model.paths import KeySpace
from registry_s3fs.s3 import events, retry
from registry_s3fs.s3.client import CLIENTS, S3Client, object_fields
from registry_s3fs.s3.error_boundary import translated
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.responses import Asked
from registry_s3fs.threads.pool import Pool, pool
from registry_s3fs.threads.signal_errors import is_of_handler

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client as Boto3Client

MISREAD = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError)
"""botocore's parser, and what decodes keys after it, raise these for a number, time or text that is not well formed."""
READERS = ("botocore.parsers", "botocore.handlers", "urllib3.response", "http.client")


class Requests:
    """The requests to one bucket under one rootdirectory.

    Threads may share an instance.
    """

    def __init__(self, parameters: DriverParameters) -> None:
        self.parameters = parameters
        self.space = KeySpace(parameters.rootdirectory)
        self.s3_client: S3Client | None = None
        self._name = {"Bucket": parameters.bucket}
        self._new_object = object_fields(parameters)
        self.key_order = KeyOrder.of_s3() if parameters.is_aws else KeyOrder()
        self._lacking: set[str] = set()
        """It holds what the store turned out not to support, which is not requested again."""

    @property
    def _s3(self) -> S3Client:
        """Return the client, which is asked for at each call.

        After a fork the process has another one.
        """
        return (self.s3_client or CLIENTS.of(self)).prepared()

    @property
    def client(self) -> Boto3Client:
        """Return boto3's client, on whose events anyone may listen."""
        return self._s3.client

    @property
    def pool(self) -> Pool:
        """Return the process's threads for `max_concurrency` requests at once."""
        return pool(self.parameters.max_concurrency)

    @property
    def fast_path(self) -> FastPath:
        """Return the fast path beside it."""
        return self._s3.fast_path

    @property
    def _is_aws(self) -> bool:
        return self.parameters.is_aws

    def _translated(self, key: str, precondition: type[OSError] = FileExistsError) -> AbstractContextManager[None]:
        return translated(self.path(key), precondition=precondition)

    def path(self, key: str) -> str:
        """Return the path by which an error names a key.

        A key that no path can name has a slash put before it.
        """
        return self.space.path(key) or f"/{key}"

    def _translation(self, key: str, error: Exception, precondition: type[OSError] = FileExistsError) -> Exception:
        """Return the exception that replaces an error of the fast path."""
        try:
            with self._translated(key, precondition):
                raise error
        except (OSError, ValueError) as better:
            if is_of_handler(better):
                raise
            return better

    def _bytes(self, key: str, body: Body) -> bytes | bytearray:
        """Return a body as boto3 takes it, which is no view.

        Raises:
            OSError: There is no memory for the copy of a view.
        """
        with self._translated(key):
            return bytes(body) if isinstance(body, memoryview) else body

    def _asked(self, operation: str, key: str) -> Asked:
        return Asked(operation, self.path(key))

    def _send(
        self,
        operation: str,
        named: str,
        request: Mapping[str, object],
        *,
        precondition: type[OSError] = FileExistsError,
    ) -> dict[str, object]:
        """Call one of boto3's methods and return its response.

        An error names the key `named`.
        """
        with self._translated(named, precondition):
            call = getattr(self.client, operation)
            try:
                answer: dict[str, object] = call(**self._name, **request)
            except MISREAD as error:
                if not _is_of_parser(error.__traceback__):
                    raise
                name = "".join(map(str.capitalize, operation.split("_")))
                raise invalid_response(name, f"{error}", self.path(named)) from error.with_traceback(None)
            finally:
                retry.begin_request()
                events.end_lookup()
        return answer


def version_fields(version_id: str) -> Mapping[str, str]:
    """Return the field that names an object version, or no field where `version_id` is empty."""
    return {"VersionId": version_id} if version_id else {}


def _is_of_parser(traceback: TracebackType | None) -> bool:
    """Return whether an exception came up while a response was read."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") in READERS:
            return True
        traceback = traceback.tb_next
    return False

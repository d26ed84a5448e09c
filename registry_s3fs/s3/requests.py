"""What the operations on a bucket share: the client, how a key is named in errors, and one way to ask boto3."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.errors import invalid_response
from registry_s3fs.model.objects import Body
from registry_s3fs.model.paths import KeySpace
from registry_s3fs.s3 import events, retry
from registry_s3fs.s3.boundary import translated
from registry_s3fs.s3.client import CLIENTS, S3Client, object_fields
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.responses import Asked

MISREAD = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RuntimeError)
"""What botocore's parser, and what decodes keys after it, raise of a number, time or text that is none."""
READERS = ("botocore.parsers", "botocore.handlers", "urllib3.response", "http.client")


class Requests:
    """Requests to one bucket under one rootdirectory. Threads may share it."""

    def __init__(self, parameters: DriverParameters) -> None:
        self.parameters = parameters
        self.space = KeySpace(parameters.rootdirectory)
        self.s3_client: S3Client | None = None
        self._name = {"Bucket": parameters.bucket}
        self._new_object = object_fields(parameters)
        self._lacking: set[str] = set()
        """What the store turned out not to support, which is not asked for again."""

    @property
    def _s3(self) -> S3Client:
        """Asked for at each call: after a fork the process has another one."""
        return (self.s3_client or CLIENTS.of(self)).prepared()

    @property
    def _client(self) -> Any:
        return self._s3.client

    @property
    def _fast_path(self) -> FastPath:
        return self._s3.fast_path

    @property
    def _is_aws(self) -> bool:
        """Whether the server is S3 itself, which does all that S3 does."""
        return not self.parameters.regionendpoint

    def _translated(self, key: str, precondition: type[OSError] = FileExistsError) -> AbstractContextManager[None]:
        return translated(self.path(key), precondition=precondition)

    def path(self, key: str) -> str:
        """How an error names a key: by its path, if one can name it."""
        return self.space.path(key) or f"/{key}"

    def _translation(self, key: str, error: Exception, precondition: type[OSError] = FileExistsError) -> Exception:
        """What stands for an error of the fast path."""
        try:
            with self._translated(key, precondition):
                raise error
        except (OSError, ValueError) as better:
            return better

    def _bytes(self, key: str, body: Body) -> bytes | bytearray:
        """A body as boto3 takes it, which is no view. There may be no memory for it."""
        with self._translated(key):
            return bytes(body) if isinstance(body, memoryview) else body

    def _asked(self, operation: str, key: str) -> Asked:
        return Asked(operation, self.path(key))

    def _send(
        self, operation: str, named: str, request: Mapping[str, Any], *, precondition: type[OSError] = FileExistsError
    ) -> dict[str, Any]:
        """boto3's answer to one of its methods; an error names the key `named`."""
        with self._translated(named, precondition):
            call = getattr(self._client, operation)
            try:
                answer: dict[str, Any] = call(**self._name, **request)
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
    """The field that names a version, if one is meant."""
    return {"VersionId": version_id} if version_id else {}


def _is_of_parser(traceback: TracebackType | None) -> bool:
    """Whether an exception came up while an answer was read."""
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") in READERS:
            return True
        traceback = traceback.tb_next
    return False

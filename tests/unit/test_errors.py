"""Errors: one table, complete, and each gives a built-in class, an errno, the path and the cause."""

from __future__ import annotations

import errno
import inspect
import pickle
from typing import Any

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import ClientError

from registry_s3fs import errors
from registry_s3fs.errors import BucketNotFoundError, BulkError, FileExpired, translate, translated

SDK_CLASSES = [
    found
    for _, found in inspect.getmembers(botocore.exceptions, inspect.isclass)
    if issubclass(found, Exception)
    and not issubclass(found, (Warning, ClientError))
    and found.__module__ == "botocore.exceptions"
]


def client_error(code: str, status: int = 400, message: str = "why") -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


@pytest.mark.parametrize("kind", SDK_CLASSES, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_sdk_becomes_an_os_error(kind: type[Exception]) -> None:
    """Whatever botocore can raise reaches callers as an OSError with errno, path and cause."""
    error = kind.__new__(kind)
    Exception.__init__(error, "why")
    with pytest.raises(OSError, match="why") as raised, translated("/a"):
        raise error
    assert raised.value.errno
    assert raised.value.filename == "/a"
    assert raised.value.__cause__ is error


def test_every_error_that_s3s_model_names_has_a_row() -> None:
    """The table knows each error shape of botocore's own S3 model."""
    model = botocore.session.get_session().get_service_model("s3")
    assert {shape.error_code for shape in model.error_shapes} - errors.S3_CODES.keys() == set()


@pytest.mark.parametrize(
    ("code", "kind", "number"),
    [
        ("NoSuchKey", FileNotFoundError, errno.ENOENT),
        ("404", FileNotFoundError, errno.ENOENT),
        ("NoSuchBucket", BucketNotFoundError, errno.ENOENT),
        ("AccessDenied", PermissionError, errno.EACCES),
        ("InvalidAccessKeyId", PermissionError, errno.EACCES),
        ("SignatureDoesNotMatch", PermissionError, errno.EACCES),
        ("ExpiredToken", PermissionError, errno.EACCES),
        ("PreconditionFailed", FileExistsError, errno.EEXIST),
        ("PermanentRedirect", ValueError, errno.EINVAL),
        ("InvalidArgument", ValueError, errno.EINVAL),
        ("RequestTimeout", TimeoutError, errno.ETIMEDOUT),
        ("SlowDown", OSError, errno.EBUSY),
        ("InternalError", OSError, errno.EREMOTEIO),
        ("NotImplemented", OSError, errno.ENOTSUP),
    ],
)
def test_a_code_of_s3_gives_the_built_in_class(code: str, kind: type[Exception], number: int) -> None:
    """Callers catch Python's own classes."""
    found = translate(client_error(code), "/a")
    assert isinstance(found, kind)
    assert isinstance(found, OSError)
    assert found.errno == number
    assert code in str(found)


@pytest.mark.parametrize(("status", "kind"), [(403, PermissionError), (404, FileNotFoundError), (400, ValueError)])
def test_an_unknown_code_counts_as_its_status(status: int, kind: type[Exception]) -> None:
    """S3-compatible stores invent codes; the HTTP status still tells."""
    assert isinstance(translate(client_error("Invented", status), "/a"), kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("NoCredentialsError", PermissionError),
        ("UnauthorizedSSOTokenError", PermissionError),
        ("EndpointConnectionError", ConnectionError),
        ("ConnectTimeoutError", ConnectionError),
        ("SSLError", ConnectionError),
        ("ReadTimeoutError", TimeoutError),
        ("ProfileNotFound", ValueError),
        ("UnknownServiceError", OSError),
    ],
)
def test_an_exception_of_the_sdk_gives_the_built_in_class(name: str, kind: type[Exception]) -> None:
    """A class without a row of its own has the one of its nearest base."""
    error = getattr(botocore.exceptions, name).__new__(getattr(botocore.exceptions, name))
    assert isinstance(translate(error, "/a"), kind)


def test_a_failed_precondition_means_replaced_when_reading() -> None:
    """If-Match fails because somebody else wrote."""
    assert isinstance(translate(client_error("412"), "/a", precondition=FileExpired), FileExpired)


def test_exceptions_that_are_not_the_sdks_pass_unchanged() -> None:
    """A caller's own error is not dressed up."""
    error = KeyError("mine")
    with pytest.raises(KeyError) as raised, translated("/a"):
        raise error
    assert raised.value is error


def test_signatures_in_a_servers_message_are_masked() -> None:
    """Nothing that could replay a request is in an exception's text."""
    error = client_error("AccessDenied", 403, "GET /?X-Amz-Signature=abcdef0123&x=1")
    assert "abcdef0123" not in str(translate(error, "/a"))
    assert "abcdef0123" not in f"{error!s}{error!r}{error.response}"  # it becomes the cause


def test_a_bulk_error_names_each_failure_and_pickles() -> None:
    """It comes through multiprocessing and dask whole."""
    error = BulkError("rm", {"/a": PermissionError(errno.EACCES, "no"), "/b": OSError(errno.EIO, "broken")})
    again = pickle.loads(pickle.dumps(error))
    assert error.errno == again.errno == errno.EACCES
    assert "/a" in str(again)
    assert "/b" in str(again)
    assert again.errors.keys() == {"/a", "/b"}

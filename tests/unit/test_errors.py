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
from botocore.parsers import ResponseParserError

from registry_s3fs.errors import (
    BucketNotFoundError,
    BulkError,
    FileExpired,
    InvalidResponseError,
)
from registry_s3fs.s3 import error_codes
from registry_s3fs.s3.error_boundary import translated
from registry_s3fs.s3.error_codes import translate

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


@pytest.mark.promise("Errors")
@pytest.mark.parametrize("kind", SDK_CLASSES, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_sdk_becomes_an_os_error(kind: type[Exception]) -> None:
    """Each exception of the SDK becomes an `OSError` with the path in `filename` and the SDK's exception in
    `__cause__`.
    """
    error = kind.__new__(kind)
    Exception.__init__(error, "why")
    with pytest.raises(OSError, match="why") as raised, translated("/a"):
        raise error
    assert raised.value.errno
    assert raised.value.filename == "/a"
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("kind", SDK_CLASSES, ids=lambda kind: kind.__name__)
def test_no_server_is_blamed_for_what_the_sdk_refuses(kind: type[Exception]) -> None:
    """Only an answer tells what a server refused, such as none of those to a variable that boto3 cannot use."""
    error = kind.__new__(kind)
    Exception.__init__(error, "why")
    assert "the server refused" not in str(translate(error, "/a"))


def test_every_error_that_s3s_model_names_has_a_row() -> None:
    """The table knows each error shape of botocore's own S3 model."""
    model = botocore.session.get_session().get_service_model("s3")
    assert {shape.error_code for shape in model.error_shapes} - error_codes.S3_CODES.keys() == set()


@pytest.mark.parametrize(
    "codes",
    [
        pytest.param(value, id=name)
        for name, value in vars(error_codes).items()
        if type(value) in (str, frozenset) and name.isupper() and name != "MASK"
    ],
)
def test_a_code_that_is_asked_for_has_a_row(codes: str | frozenset[str]) -> None:
    """A code that ours is compared with is one that the table knows, so a misspelt one is found."""
    assert ({codes} if isinstance(codes, str) else codes) <= error_codes.S3_CODES.keys()


@pytest.mark.promise("Errors")
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
    """Each error of S3 is Python's own class, with an `errno`."""
    found = translate(client_error(code), "/a")
    assert isinstance(found, kind)
    assert isinstance(found, OSError)
    assert found.errno == number
    assert code in str(found)


@pytest.mark.parametrize(("status", "kind"), [(403, PermissionError), (404, FileNotFoundError), (400, ValueError)])
def test_an_unknown_code_counts_as_its_status(status: int, kind: type[Exception]) -> None:
    """S3-compatible stores invent codes; the HTTP status still tells."""
    assert isinstance(translate(client_error("Invented", status), "/a"), kind)


def test_what_an_unknown_code_says_is_repeated() -> None:
    """S3's code and message stand in the error; only an answer without any is without a reason."""
    for status in (400, 403, 404, 409, 500, 599):
        found = translate(client_error("Invented", status, "the moon is full"), "/a")
        assert "S3 said Invented: the moon is full" in str(found)
        assert "without a reason" not in str(found)
    assert "without a reason" in str(translate(client_error("400", 400, ""), "/a"))


@pytest.mark.parametrize(
    ("code", "status", "number"),
    [
        ("QuotaExceeded", 403, errno.EDQUOT),
        ("XMinioAdminBucketQuotaExceeded", 400, errno.EDQUOT),
        ("XMinioStorageFull", 507, errno.ENOSPC),
        ("InsufficientStorage", 507, errno.ENOSPC),
        ("507", 507, errno.ENOSPC),
        ("SlowDownRead", 503, errno.EBUSY),
        ("XMinioServerNotInitialized", 503, errno.EBUSY),
        ("RateLimitExceeded", 429, errno.EBUSY),
        ("FileImmutable", 409, errno.EROFS),
        ("XMinioInvalidObjectName", 400, errno.EINVAL),
        ("KeyTooLong", 400, errno.ENAMETOOLONG),
        ("413", 413, errno.EFBIG),
        ("InvalidPart", 400, errno.EIO),
        ("XMinioObjectTampered", 422, errno.EIO),
    ],
)
def test_other_stores_codes_have_their_own_meaning(code: str, status: int, number: int) -> None:
    """A disk that is full, a quota and a store that starts up are neither denials nor mistakes of the caller."""
    found = translate(client_error(code, status), "/a")
    assert isinstance(found, OSError)
    assert found.errno == number
    assert not isinstance(found, PermissionError)


def test_a_delete_marker_is_a_missing_version() -> None:
    """S3 answers 405 to a GET or HEAD of one by its version id."""
    for code in ("405", "MethodNotAllowed"):
        error = client_error(code, 405)
        assert translate(error, "/a").errno == errno.ENOTSUP
        error.response["ResponseMetadata"]["HTTPHeaders"] = {"x-amz-delete-marker": "true"}
        assert isinstance(translate(error, "/a"), FileNotFoundError)


def test_an_answer_that_is_no_xml_is_none_of_s3s() -> None:
    """botocore's parser raises where it can make nothing of an answer."""
    found = translate(ResponseParserError("Unable to parse response"), "/a")
    assert isinstance(found, InvalidResponseError)
    assert found.filename == "/a"


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

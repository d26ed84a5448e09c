"""The errors that this package raises, and the one place where boto3's errors become them.

Callers may catch::

    OSError
    ├── FileNotFoundError
    │   ├── BucketNotFoundError      the bucket itself is missing, not just a key
    │   └── PathNotFoundError        (storage driver) no such file or directory
    ├── FileExistsError              exclusive creation found an object there
    ├── PermissionError              denied, wrong or missing credentials
    ├── ConnectionError              the endpoint cannot be reached
    ├── TimeoutError                 it was reached and did not answer in time
    ├── FileExpired                  the object was replaced while it was being read
    ├── DigestMismatchError          a registry's blob that was read has another digest than its path says
    ├── InvalidResponseError         a response that is none of S3's, such as a proxy's page
    ├── BulkError                    some keys of a call on many failed: ``.errors`` has each
    ├── RefusedParameterError        the server refused a parameter (is a ValueError too)
    └── StorageDriverError           (storage driver) any other failure; ``__cause__`` is one of the above
    ValueError
    ├── InvalidPathError             a path that could name something outside rootdirectory
    ├── InvalidOffsetError           (storage driver) a negative offset
    └── ForeignBucketError           a URL that names another bucket than the instance's

An ``OSError`` has an ``errno``, the registry path in ``filename`` and, where there was one, the SDK's exception in
``__cause__``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from registry_s3fs import process_limits
from registry_s3fs.redaction import MASK, redact, scrub

DRIVER_NAME = "s3aws"
"""The Go driver's name (``storagedriver.Name``). The storage driver's errors begin with it, as in Go."""


class BucketNotFoundError(FileNotFoundError):
    """An error for a bucket that does not exist. This package never creates one."""


class FileExpired(OSError):  # noqa: N818  # the name s3fs gave it, which users catch
    """An error for an object that was replaced while it was read; its first object version's ETag no longer answers."""


class DigestMismatchError(OSError):
    """An error for a registry's blob, read with ``verify``, whose bytes have another digest than its path says."""


DigestMismatch = DigestMismatchError
"""The former name of `DigestMismatchError`."""


class InvalidResponseError(OSError):
    """An error for a response that is none of S3's: it lacks what S3 always sends, or says what S3 never says."""


class BulkError(OSError):
    """An error for a call on many keys, of which some failed.

    ``errors`` maps each registry path that failed to its exception. Whatever is not in it was done.
    """

    def __init__(self, what: str, errors: Mapping[str, Exception]) -> None:
        self.errors = dict(errors)
        each = "; ".join(f"{path}: {error}" for path, error in self.errors.items())
        first = next(iter(self.errors.values()))
        number = first.errno if isinstance(first, OSError) and first.errno else errno.EIO
        super().__init__(number, f"{what}: {len(self.errors)} failed: {each}")

    def __reduce__(self) -> tuple[object, ...]:
        return _bulk_error, (self.errno, self.strerror, self.errors)


def _bulk_error(number: int, text: str, errors: Mapping[str, Exception]) -> BulkError:
    error = BulkError.__new__(BulkError, number, text)
    OSError.__init__(error, number, text)
    error.errors = dict(errors)
    return error


class RefusedParameterError(OSError, ValueError):
    """An error for a parameter that the server refused though it looked good from here, such as the bucket's region."""


class InvalidPathError(ValueError):
    """An error for a path with a ``.``, ``..`` or empty component, or one that no S3 key can hold."""


class ForeignBucketError(ValueError):
    """An error for a URL that names another bucket than the filesystem's own."""


class PathNotFoundError(FileNotFoundError):
    """The storage driver's error for a path without a file or directory (Go: ``storagedriver.PathNotFoundError``)."""


class InvalidOffsetError(ValueError):
    """The storage driver's error for a read from a negative offset (Go: ``storagedriver.InvalidOffsetError``)."""


class SkipDir(Exception):  # noqa: N818  # no error, but a signal: the Go driver's ``ErrSkipDir``
    """A signal from the function that a walk calls: leave out what lies below this path."""


class FilledBuffer(Exception):  # noqa: N818  # no error either: ``ErrFilledBuffer``
    """A signal from the function that a walk calls: that was enough, end the walk."""


class StorageDriverError(OSError):
    """The storage driver's error for any other failure, which is in ``__cause__`` (Go: ``storagedriver.Error``)."""


class Meaning(NamedTuple):
    """The meaning of an error of S3 or of botocore: class, errno, and what to do about it."""

    kind: type[OSError]
    number: int
    text: str


_MISSING = Meaning(FileNotFoundError, errno.ENOENT, "no such file or directory")
_NO_UPLOAD = Meaning(FileNotFoundError, errno.ENOENT, "the multipart upload was completed or aborted by someone else")
_NO_BUCKET = Meaning(
    BucketNotFoundError,
    errno.ENOENT,
    "the bucket does not exist; create it first or check the parameters bucket, region and regionendpoint",
)
_DENIED = Meaning(
    PermissionError,
    errno.EACCES,
    "access denied; check that the credentials (accesskey and secretkey, profile, or boto3's own chain) are right "
    "and may do this in the bucket",
)
_BAD_KEY = Meaning(PermissionError, errno.EACCES, "the access key is not known to the server; check accesskey")
_BAD_SECRET = Meaning(
    PermissionError,
    errno.EACCES,
    "the signature does not match; check secretkey, and v4auth if the server is an old one",
)
_EXPIRED_TOKEN = Meaning(PermissionError, errno.EACCES, "the session credentials are invalid or expired; renew them")
_NO_CREDENTIALS = Meaning(
    PermissionError,
    errno.EACCES,
    "no usable credentials; give accesskey and secretkey, a profile, AWS_* variables, or anon=True",
)
_SKEWED = Meaning(
    PermissionError,
    errno.EACCES,
    "this machine's clock and the server's are over 15 minutes apart; set it (NTP) and try again",
)
_ARCHIVED = Meaning(PermissionError, errno.EPERM, "the object is archived; restore it before reading it")
_EXISTS = Meaning(FileExistsError, errno.EEXIST, "the file exists")
_REPLACED = Meaning(
    FileExpired, errno.ESTALE, "the object was replaced while it was being read; open it again to read the new one"
)
_REGION = Meaning(
    RefusedParameterError,
    errno.EINVAL,
    "the bucket is served by another endpoint; set region (or regionendpoint) to the bucket's own",
)
_BAD_PARAMETER = Meaning(RefusedParameterError, errno.EINVAL, "the server refused a parameter of the request")
_NO_REASON = Meaning(
    RefusedParameterError,
    errno.EINVAL,
    "the server refused the request without a reason; expired session credentials or a wrong region are the usual ones",
)
_TOO_LONG = Meaning(RefusedParameterError, errno.ENAMETOOLONG, "the key is longer than the server allows")
_TOO_LARGE = Meaning(OSError, errno.EFBIG, "the object or part is larger than S3 allows")
_BAD_PART = Meaning(
    OSError,
    errno.EIO,
    "the server does not accept the uploaded parts; write the file again, with a larger chunksize where the server "
    "wants all parts but the last of one size",
)
_FULL = Meaning(OSError, errno.ENOSPC, "the server's storage is full")
_QUOTA = Meaning(OSError, errno.EDQUOT, "a quota of the bucket or account is used up; raise it, or delete something")
_READ_ONLY = Meaning(
    OSError, errno.EROFS, "the bucket or object may not be changed now: it is read-only, retained or held"
)
_BAD_NAME = Meaning(
    RefusedParameterError, errno.EINVAL, "the server takes no such name, or has a file where a directory must be"
)
_CORRUPT = Meaning(OSError, errno.EIO, "the bytes changed on their way; try again")
_BUSY = Meaning(OSError, errno.EBUSY, "the server is busy or limits the request rate; try again later")
_SERVER = Meaning(OSError, errno.EREMOTEIO, "the server failed; try again, or ask whoever runs it")
_UNSUPPORTED = Meaning(OSError, errno.ENOTSUP, "the server does not support this operation")
_TIMEOUT = Meaning(
    TimeoutError, errno.ETIMEDOUT, "no answer in time; try again, or raise config_kwargs={'read_timeout': seconds}"
)
_UNREACHABLE = Meaning(
    ConnectionError,
    errno.EHOSTUNREACH,
    "the endpoint cannot be reached; check regionendpoint, region, secure, the network and any proxy",
)
_BROKEN = Meaning(ConnectionError, errno.ECONNRESET, "the connection broke; try again")
_TLS = Meaning(
    ConnectionError,
    errno.EPROTO,
    "the TLS handshake failed; check secure and the server's certificate (skipverify turns the check off)",
)
_INVALID = Meaning(
    InvalidResponseError, errno.EPROTO, "the answer is none of S3's; a proxy, gateway or cache may have given it"
)
_SDK = Meaning(OSError, errno.EIO, "boto3 could not carry out the request")

MAX_SKEW = timedelta(minutes=15)
"""S3's clock skew limit (RequestTimeTooSkewed, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html)."""

_CODES_BY_MEANING = (
    (_MISSING, "NoSuchKey NoSuchVersion NotFound 404"),
    (_NO_UPLOAD, "NoSuchUpload"),
    (_NO_BUCKET, "NoSuchBucket"),
    (_DENIED, "AccessDenied Forbidden 401 403 Unauthorized UnauthorizedAccess AllAccessDisabled AccountProblem"),
    (_DENIED, "NotSignedUp InvalidPayer InvalidSecurity MissingSecurityHeader MissingAuthenticationToken"),
    (_DENIED, "CredentialsNotSupported KMS.DisabledException KMS.NotFoundException KMS.KMSInvalidStateException"),
    (_BAD_KEY, "InvalidAccessKeyId"),
    (_BAD_SECRET, "SignatureDoesNotMatch"),
    (_EXPIRED_TOKEN, "ExpiredToken InvalidToken TokenRefreshRequired RequestExpired"),
    (_SKEWED, "RequestTimeTooSkewed"),
    (_ARCHIVED, "InvalidObjectState ObjectNotInActiveTierError"),
    (_EXISTS, "PreconditionFailed 412 ConditionalRequestConflict ObjectAlreadyInActiveTierError"),
    (_EXISTS, "BucketAlreadyExists BucketAlreadyOwnedByYou"),
    (_REGION, "PermanentRedirect TemporaryRedirect Redirect 301 307 308 AuthorizationHeaderMalformed"),
    (_REGION, "IllegalLocationConstraintException"),
    (
        _BAD_PARAMETER,
        "InvalidArgument InvalidRequest InvalidBucketName InvalidStorageClass MalformedXML BadRequest",
    ),
    (_NO_REASON, "400"),
    (_BAD_PARAMETER, "AccessControlListNotSupported InvalidEncryptionAlgorithmError EncryptionTypeMismatch"),
    (_BAD_PARAMETER, "IdempotencyParameterMismatch InvalidWriteOffset InvalidRange 416 InvalidPrefix"),
    (_BAD_PARAMETER, "AnnotationNameTooLong InvalidAnnotationName NoSuchAnnotation UnsupportedMediaType"),
    (_TOO_LONG, "KeyTooLongError KeyTooLong"),
    (_TOO_LARGE, "EntityTooLarge MaxMessageLengthExceeded TooManyParts AnnotationLimitExceeded MetadataTooLarge 413"),
    (_BAD_PART, "EntityTooSmall InvalidPart InvalidPartOrder"),
    (_CORRUPT, "BadDigest InvalidDigest XAmzContentSHA256Mismatch IncompleteBody"),
    (_BUSY, "SlowDown 503 ServiceUnavailable Throttling ThrottlingException RequestLimitExceeded 429"),
    (_BUSY, "TooManyRequests BandwidthLimitExceeded OperationAborted ServerBusy 409"),
    (_SERVER, "InternalError 500 502 InternalServerError"),
    (_UNSUPPORTED, "NotImplemented 501 MethodNotAllowed 405"),
    (_TIMEOUT, "RequestTimeout 408 504 GatewayTimeout"),
    # Other stores': https://github.com/minio/minio/blob/master/cmd/api-errors.go,
    # https://docs.ceph.com/en/latest/radosgw/s3/ and rgw_common.cc, https://developers.cloudflare.com/r2/api/error-codes/,
    # https://www.alibabacloud.com/help/en/oss/error-codes, https://cloud.google.com/storage/docs/xml-api/reference-status
    (_FULL, "XMinioStorageFull InsufficientStorage StorageFull NoSpaceLeft InsufficientCapacity 507"),
    (_QUOTA, "QuotaExceeded XMinioAdminBucketQuotaExceeded StorageQuotaExceeded InsufficientQuota StorageCapExceeded"),
    (_QUOTA, "StorageLimitExceeded TransactionCapExceeded DownloadCapExceeded BucketQuotaExceeded UserQuotaExceeded"),
    (_READ_ONLY, "ReadOnly XMinioBackendReadOnly FileImmutable ObjectUnderActiveHold RetentionPolicyNotMet"),
    (_READ_ONLY, "ObjectLocked InvalidRetentionPeriod BucketInReadOnlyMode"),
    (_BAD_NAME, "XMinioInvalidObjectName XMinioInvalidResourceName XMinioObjectExistsAsDirectory XMinioParentIsObject"),
    (_BAD_NAME, "InvalidObjectName InvalidURI InvalidKeyName InvalidKey"),
    (
        _BUSY,
        "SlowDownRead SlowDownWrite XMinioServerNotInitialized XMinioBackendDown TooMuchConcurrency RateLimitExceeded",
    ),
    (_BUSY, "rateLimitExceeded QpsLimitExceeded DownloadTrafficRateLimitExceeded UploadTrafficRateLimitExceeded Busy"),
    (_BUSY, "OperationTimedOut ServiceUnavailableException 425"),
    (_CORRUPT, "XAmzContentChecksumMismatch XMinioObjectTampered XAmzChecksumMismatch"),
    (_BAD_PART, "InvalidPartNumber UploadBroken"),
    (_DENIED, "UserSuspended UserDisable UserProjectAccountProblem"),
    (_EXPIRED_TOKEN, "ExpiredRequest InvalidSecurityToken SecurityTokenExpired ExpiredTokenException"),
    (_EXISTS, "FileAlreadyExists"),
    (_UNSUPPORTED, "UnsupportedOperation NotSupported"),
    (_BAD_PARAMETER, "MissingArgument MissingContentLength MissingContentMD5 InvalidTag UserKeyMustBeSpecified"),
    (_BAD_PARAMETER, "MissingRequestBodyError UnexpectedContent MalformedPOSTRequest"),
)

S3_CODES = {code: meaning for meaning, codes in _CODES_BY_MEANING for code in codes.split()}
"""S3's error codes and their meanings (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).

A HEAD's response has no body, so its code is the bare status.
"""

_SDK_ERRORS_BY_MEANING = (
    (_NO_CREDENTIALS, "NoCredentialsError PartialCredentialsError CredentialRetrievalError NoAuthTokenError"),
    (_NO_CREDENTIALS, "TokenRetrievalError SSOError LoginError MetadataRetrievalError RefreshWithMFAUnsupportedError"),
    (_NO_CREDENTIALS, "UnknownCredentialError InvalidIMDSEndpointError InvalidIMDSEndpointModeError"),
    (_UNREACHABLE, "EndpointConnectionError ConnectTimeoutError ProxyConnectionError"),
    (_TLS, "SSLError"),
    (_BROKEN, "ConnectionClosedError ConnectionError HTTPClientError ResponseStreamingError IncompleteReadError"),
    (_BROKEN, "ProtocolError"),
    (_TIMEOUT, "ReadTimeoutError"),
    (_CORRUPT, "FlexibleChecksumError ChecksumError"),
    (_BAD_PARAMETER, "ParamValidationError ValidationError ProfileNotFound ConfigNotFound ConfigParseError"),
    (_BAD_PARAMETER, "InvalidConfigError NoRegionError InvalidRegionError UnknownRegionError EndpointVariantError"),
    (_BAD_PARAMETER, "EndpointProviderError UnknownEndpointError UnknownSignatureVersionError"),
    (_BAD_PARAMETER, "UnsupportedSignatureVersionError UnsupportedS3ConfigurationError InvalidDNSNameError"),
    (_BAD_PARAMETER, "UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError InvalidHostLabelError"),
    (_BAD_PARAMETER, "InvalidEndpointConfigurationError InvalidChecksumConfigError InvalidRetryConfigurationError"),
    (_BAD_PARAMETER, "InvalidMaxRetryAttemptsError InvalidRetryModeError InvalidS3AddressingStyleError"),
    (_BAD_PARAMETER, "InvalidProxiesConfigError InvalidDefaultsMode UnknownClientMethodError"),
    (_INVALID, "ResponseParserError"),
    (_SDK, "BotoCoreError"),
)

_QUOTE_CREDENTIALS = (_BAD_KEY, _BAD_SECRET, _EXPIRED_TOKEN)
"""The meanings for which the server's message may quote the access key, the signature or the token."""

SDK_ERRORS = {name: meaning for meaning, names in _SDK_ERRORS_BY_MEANING for name in names.split()}
"""The names of botocore's exceptions and their meanings. A class without a row has the one of its nearest base."""


def translate(error: Exception, path: str, *, precondition: type[OSError] = FileExistsError) -> Exception:
    """Return the exception that a caller should see instead of boto3's `error`.

    `path` is the registry path at hand. `precondition` tells what a failed If-Match or If-None-Match means:
    `FileExistsError` when creating, `FileExpired` when reading. An exception that is neither botocore's nor urllib3's
    is returned unchanged.
    """
    response = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        return _from_answer(error, response, path, precondition)
    meaning = _of_sdk(error, path)
    if meaning is None:
        return error
    scrub(error)
    return _exception(meaning, str(error), path)


def _of_sdk(error: Exception, path: str) -> Meaning | None:
    lacking = process_limits.of(error)
    if lacking is not None:
        return Meaning(OSError, lacking, process_limits.TEXTS[lacking])
    if type(error).__module__.startswith(("botocore.", "boto3.", "urllib3.")):
        rows = (SDK_ERRORS[base.__name__] for base in type(error).__mro__ if base.__name__ in SDK_ERRORS)
        return next(rows, _SDK)
    if isinstance(error, OSError) and error.filename not in (None, path):
        return _NO_CREDENTIALS  # a program or file that boto3 takes them from
    if type(error) is RuntimeError and "credentials" in str(error):
        return _EXPIRED_TOKEN  # botocore's, where refreshed credentials are expired, too
    return None


def _from_answer(error: Exception, response: dict[str, Any], path: str, precondition: type[OSError]) -> OSError:
    said, metadata = response["Error"], response.get("ResponseMetadata", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    if code == "403" and _is_skewed(metadata.get("HTTPHeaders", {})):
        code = "RequestTimeTooSkewed"
    if code in ("405", "MethodNotAllowed") and metadata.get("HTTPHeaders", {}).get("x-amz-delete-marker") == "true":
        code = "NoSuchVersion"  # the version asked for is the mark that the object was deleted
    if S3_CODES.get(code) in _QUOTE_CREDENTIALS and message:
        error.args = tuple(str(arg).replace(message, MASK) for arg in error.args)
        said["Message"] = MASK
    scrub(error)
    said.update({name: redact(f"{name}={value}").partition("=")[2] for name, value in said.items()})
    return from_code(code, message, path, str(metadata.get("HTTPStatusCode", "")), precondition)


def _is_skewed(headers: Mapping[str, str]) -> bool:
    """Return whether the clocks differ so far that S3 refuses a request; a HEAD's response has no body to say so."""
    try:
        when = parsedate_to_datetime(headers["date"])
        return abs(datetime.now(timezone.utc) - when) > MAX_SKEW
    except (KeyError, ValueError, TypeError):  # no date, or one that is none or has no time zone
        return False


def from_code(
    code: str, message: str, path: str, status: str = "", precondition: type[OSError] = FileExistsError
) -> OSError:
    """Return the exception for an error code of S3; one that is not known counts as its HTTP `status`."""
    meaning = S3_CODES.get(code) or (_BAD_PARAMETER if status == "400" else S3_CODES.get(status)) or _SERVER
    if meaning is _EXISTS and precondition is FileExpired:
        meaning = _REPLACED
    if not message or meaning in _QUOTE_CREDENTIALS:
        return _exception(meaning, f"S3 said {code}", path)
    return _exception(meaning, f"S3 said {code}: {message}", path)


def _exception(meaning: Meaning, said: str, path: str) -> OSError:
    return meaning.kind(meaning.number, f"{meaning.text} ({redact(said)})", path)


def replaced(path: str) -> OSError:
    """Return the error for bytes that are of another object version than those before."""
    return _REPLACED.kind(_REPLACED.number, _REPLACED.text, path)


def copied_nothing(path: str) -> OSError:
    """Return the error for an UploadPartCopy that succeeds and copies nothing, as its response or ListParts shows."""
    text = (
        "the server's UploadPartCopy stored nothing; set multipartcopythresholdsize above the size of what is "
        "copied, and write files whole instead of appending to large ones"
    )
    return OSError(errno.ENOTSUP, text, path)


def invalid_response(operation: str, what: str, path: str) -> InvalidResponseError:
    """Return the error for a response that is none of S3's; `what` tells which field shows it."""
    text = f"the answer to {operation} is none of S3's: {redact(what)}; a proxy, gateway or cache may have given it"
    return InvalidResponseError(errno.EPROTO, text, path)


def ignores_range(path: str) -> OSError:
    """Return the error for a server that answers with a whole object where a byte range of it was requested."""
    return OSError(errno.ENOTSUP, "the server ignores the Range header, so parts of files cannot be read", path)


def stored_too_little(operation: str, stored_bytes: int, size: int, path: str) -> OSError:
    """Return the error for a server that reports a copy as done and does not do it, as the copy's size shows."""
    text = f"the server's {operation} stored {stored_bytes} bytes of {size}; a source elsewhere is as it was"
    return OSError(errno.ENOTSUP, text, path)


def not_supported(what: str, path: str) -> OSError:
    """Return the error for what a store cannot do and what cannot be done by other means."""
    return OSError(errno.ENOTSUP, f"the server has no {what}", path)


def damaged(what: str, path: str) -> OSError:
    """Return the error for bytes that do not have the checksum that they should have; `what` tells both."""
    return _exception(_CORRUPT, what, path)


def uncertain(error: OSError, path: str) -> OSError:
    """Return the error for a write whose response was lost, where the object at the path leaves open if it was done."""
    kind = type(error) if isinstance(error, (ConnectionError, TimeoutError)) else OSError
    text = (
        "the server's answer was lost, and whether the file was written cannot be told; look at it, and write it "
        f"again if it is another one ({error.strerror})"
    )
    return kind(errno.EIO if kind is OSError else error.errno, text, path)


@contextmanager
def as_driver(path: str, missing: type[OSError] = PathNotFoundError) -> Iterator[None]:
    """Run the body; replace the filesystem's errors by the storage driver's (Go: ``base.setDriverName``).

    `missing` stands for a missing key, and so for a directory where a file is asked for. A missing bucket is always a
    `StorageDriverError`.
    """
    try:
        yield
    except (PathNotFoundError, StorageDriverError):
        raise
    except OSError as error:
        absent = isinstance(error, (FileNotFoundError, IsADirectoryError)) and not isinstance(
            error, BucketNotFoundError
        )
        kind = missing if absent else StorageDriverError
        raise kind(error.errno, f"{DRIVER_NAME}: {error.strerror}", path) from error

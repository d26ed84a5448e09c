"""S3's error codes and the SDK's exceptions, and what each means for a caller.

This is the one place where they become this package's errors. The module does no I/O.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from registry_s3fs import process_limits
from registry_s3fs.errors import (
    DAMAGED,
    EXISTS,
    MISSING,
    REPLACED,
    BucketNotFoundError,
    FileExpired,
    InvalidResponseError,
    Meaning,
    RefusedParameterError,
)
from registry_s3fs.redaction import MASK, redact, scrub

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
_REGION = Meaning(
    RefusedParameterError,
    errno.EINVAL,
    "the bucket is served by another endpoint; set region (or regionendpoint) to the bucket's own",
)
_BAD_PARAMETER = Meaning(RefusedParameterError, errno.EINVAL, "the server refused a parameter of the request")
_BAD_SETTING = Meaning(
    RefusedParameterError,
    errno.EINVAL,
    "boto3 refused a parameter or a setting, and sent no request; correct what it names",
)
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
_BUNDLE = Meaning(
    ConnectionError,
    errno.EPROTO,
    "the file of trusted certificates cannot be read; check AWS_CA_BUNDLE and the profile's ca_bundle",
)
_INVALID = Meaning(
    InvalidResponseError, errno.EPROTO, "the answer is none of S3's; a proxy, gateway or cache may have given it"
)
_SDK = Meaning(OSError, errno.EIO, "boto3 could not carry out the request")

MAX_SKEW = timedelta(minutes=15)
"""S3's clock skew limit (RequestTimeTooSkewed, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).

S3 refuses a request whose signature is older, or whose time is later than its own by more than this.
"""

NO_SUCH_BUCKET = "NoSuchBucket"
NO_SUCH_UPLOAD = "NoSuchUpload"
NO_SUCH_VERSION = "NoSuchVersion"
NO_SUCH_OBJECT = frozenset(("NoSuchKey", NO_SUCH_VERSION))
NOT_FOUND = "404"
BAD_REQUEST = "400"
UNEXPLAINED_DENIAL = frozenset(("403", "401"))
"""The codes of a HEAD's denial, which has no body that says what was wrong."""
DENIED = frozenset(("AccessDenied", *UNEXPLAINED_DENIAL))
"""These codes say no more than that the caller may not do it."""
PRECONDITION_FAILED = "PreconditionFailed"
FAILED_CONDITION = frozenset((PRECONDITION_FAILED, "412"))
OUT_OF_RANGE = frozenset(("InvalidRange", "416"))
"""S3 sends these codes for a byte range that begins past the object's end."""
UNSUPPORTED = frozenset(("NotImplemented", "501", "MethodNotAllowed", "405", "UnsupportedOperation", "NotSupported"))
"""Stores send these codes for an operation or a header that they do not know."""
METHOD_NOT_ALLOWED = frozenset(("MethodNotAllowed", "405"))
NO_DELETE_OBJECTS = frozenset(("NoSuchKey", "NotFound", NOT_FOUND, "MissingContentMD5", "MalformedPOSTRequest"))
"""Stores may send these codes for DeleteObjects where they take it for a POST to some key."""
SENT_DAMAGED = frozenset(("BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"))
"""S3 sends these codes for bytes that are not the ones that were signed."""
REQUEST_TIME_TOO_SKEWED = "RequestTimeTooSkewed"
LEFT_TO_BOTO3 = frozenset(("SignatureDoesNotMatch", REQUEST_TIME_TOO_SKEWED, "PermanentRedirect", "TemporaryRedirect"))
"""boto3 may do better after a refusal with one of these codes: it signs anew, corrects its clock or follows."""

_CODES_BY_MEANING = (
    (MISSING, "NoSuchKey NoSuchVersion NotFound 404"),
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
    (EXISTS, "PreconditionFailed 412 ConditionalRequestConflict ObjectAlreadyInActiveTierError"),
    (EXISTS, "BucketAlreadyExists BucketAlreadyOwnedByYou"),
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
    (DAMAGED, "BadDigest InvalidDigest XAmzContentSHA256Mismatch IncompleteBody"),
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
    (DAMAGED, "XAmzContentChecksumMismatch XMinioObjectTampered XAmzChecksumMismatch"),
    (_BAD_PART, "InvalidPartNumber UploadBroken"),
    (_DENIED, "UserSuspended UserDisable UserProjectAccountProblem"),
    (_EXPIRED_TOKEN, "ExpiredRequest InvalidSecurityToken SecurityTokenExpired ExpiredTokenException"),
    (EXISTS, "FileAlreadyExists"),
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
    (DAMAGED, "FlexibleChecksumError ChecksumError"),
    (_BAD_SETTING, "ParamValidationError ValidationError ProfileNotFound ConfigNotFound ConfigParseError"),
    (_BAD_SETTING, "InvalidConfigError NoRegionError InvalidRegionError UnknownRegionError EndpointVariantError"),
    (_BAD_SETTING, "EndpointProviderError UnknownEndpointError UnknownSignatureVersionError"),
    (_BAD_SETTING, "UnsupportedSignatureVersionError UnsupportedS3ConfigurationError InvalidDNSNameError"),
    (_BAD_SETTING, "UnsupportedS3AccesspointConfigurationError UnsupportedS3ArnError InvalidHostLabelError"),
    (_BAD_SETTING, "InvalidEndpointConfigurationError InvalidChecksumConfigError InvalidRetryConfigurationError"),
    (_BAD_SETTING, "InvalidMaxRetryAttemptsError InvalidRetryModeError InvalidS3AddressingStyleError"),
    (_BAD_SETTING, "InvalidProxiesConfigError InvalidDefaultsMode UnknownClientMethodError"),
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
    return meaning.as_error(path, str(error))


def _of_sdk(error: Exception, path: str) -> Meaning | None:
    lacking = process_limits.of(error)
    if lacking is not None:
        return Meaning(OSError, lacking, process_limits.TEXTS[lacking])
    if type(error).__module__.startswith(("botocore.", "boto3.", "urllib3.")):
        if _is_of_bundle(error):
            return _BUNDLE
        rows = (SDK_ERRORS[base.__name__] for base in type(error).__mro__ if base.__name__ in SDK_ERRORS)
        return next(rows, _SDK)
    if isinstance(error, OSError) and error.filename not in (None, path):
        return _NO_CREDENTIALS  # a program or file that boto3 takes them from
    if type(error) is RuntimeError and "credentials" in str(error):
        return _EXPIRED_TOKEN  # botocore's, where refreshed credentials are expired, too
    return None


def _is_of_bundle(error: Exception) -> bool:
    """Return whether the file of trusted certificates led to a TLS error of the SDK, which comes in two wrappings."""
    kept = getattr(error, "kwargs", None)
    wrapped = kept.get("error") if isinstance(kept, dict) and type(error).__name__ == "SSLError" else None
    reason = next(iter(getattr(wrapped, "args", ())), None)
    if isinstance(reason, ssl.SSLError):
        # OpenSSL's part that reads certificates; that of handshakes is "SSL". A client certificate may not fit its key.
        return reason.library == "X509" and reason.reason != "KEY_VALUES_MISMATCH"
    return isinstance(reason, OSError)


def _from_answer(error: Exception, response: dict[str, Any], path: str, precondition: type[OSError]) -> OSError:
    said, metadata = response["Error"], response.get("ResponseMetadata", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    if code == "403" and _is_skewed(metadata.get("HTTPHeaders", {})):
        code = REQUEST_TIME_TOO_SKEWED
    if code in METHOD_NOT_ALLOWED and metadata.get("HTTPHeaders", {}).get("x-amz-delete-marker") == "true":
        code = NO_SUCH_VERSION  # the version asked for is the mark that the object was deleted
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
    meaning = S3_CODES.get(code) or (_BAD_PARAMETER if status == BAD_REQUEST else S3_CODES.get(status)) or _SERVER
    if meaning is EXISTS and precondition is FileExpired:
        meaning = REPLACED
    if not message or meaning in _QUOTE_CREDENTIALS:
        return meaning.as_error(path, f"S3 said {code}")
    return meaning.as_error(path, f"S3 said {code}: {message}")

"""Functions that read from a client what botocore has no public way to ask for.

Where the private attribute is gone, the result is the safe one. No stubs have these attributes, so the client and what
hangs on it are Any here.
"""

from __future__ import annotations

import logging
import math
import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sized
from functools import cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from registry_s3fs.s3.strict_http import Watch, strict
from registry_s3fs.threads.signal_errors import is_of_handler

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.credentials import Credentials
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client as Boto3Client

OPERATIONS = ("GetObject", "HeadObject", "PutObject", "ListObjectsV2")
EVENTS = (
    *("provide-client-params", "before-parameter-build", "before-call", "request-created", "choose-signer"),
    *("before-sign", "before-send", "response-received", "before-parse", "after-call", "needs-retry"),
)
FAILURE_SHARED_S = 1.0
"""For this long after credentials could not be renewed, requests that need new ones fail, and none tries again."""
logger = logging.getLogger("registry_s3fs")
OWN = ("botocore", "boto3", "registry_s3fs")


def settings_of(client: Boto3Client) -> Any:
    """Return the client's `Config`, whose options the stubs do not have as attributes."""
    return client.meta.config


def error_class(client: Boto3Client, code: str) -> type[ClientError]:
    """Return the class of the client's errors with a code, which the stubs take for an instance."""
    return cast("type[ClientError]", client.exceptions.from_code(code))


class Listeners:
    """A test of whether foreign code listens to a client's calls or wraps them.

    Foreign code is anything but the SDK and this package. The test is made at each request, since handlers can be
    registered, and methods wrapped, at any time.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._looked_at: object = None
        self._found = True

    def are_foreign(self) -> bool:
        """Return True where foreign code listens or wraps, or where that cannot be told."""
        import botocore.endpoint

        wrapped = (type(self._client)._make_api_call, botocore.endpoint.Endpoint.make_request)
        if not all(map(_is_botocores_own, wrapped)) or "_make_api_call" in vars(self._client):
            return True
        try:
            emitter = self._client.meta.events._emitter
            cached = emitter._lookup_cache  # a new one after each change of the handlers
            if cached is not self._looked_at:
                names = [f"{event}.s3.{operation}" for event in EVENTS for operation in OPERATIONS]
                handlers = [each for name in names for each in emitter._handlers.prefix_search(name)]
                self._found = any(_module(each).partition(".")[0] not in OWN for each in handlers)
                self._looked_at = cached
        except AttributeError:
            return True
        return self._found


def _is_botocores_own(function: object) -> bool:
    """Return whether a function is botocore's own.

    Tracers put a function of theirs into its place. botocore's own function has a wrapper that is botocore's, too.
    """
    return type(function) is FunctionType and function.__code__.co_filename.startswith(_botocore_folder())


@cache
def _botocore_folder() -> str:
    import botocore

    return os.path.dirname(botocore.__file__) + os.sep


def registrations(session: Session | None) -> tuple[object, ...]:
    """Return a tuple that changes when a session may hand other handlers to its next client.

    Its objects are compared by identity, its numbers by value.
    """
    emitter = session and getattr(session.events, "_emitter", None)
    return session, getattr(emitter, "_lookup_cache", None), len(_builtin_handlers())


@cache
def _builtin_handlers() -> Sized:
    """Return the list to which mocks of botocore append their handlers."""
    import botocore.handlers

    return botocore.handlers.BUILTIN_HANDLERS


class _Captured(BaseException):
    """An exception that ends a call of boto3 when its request is ready.

    It is not an error after which boto3 would try again.
    """


def signed_head_object(client: Boto3Client, bucket: str, key: str) -> AWSPreparedRequest | None:
    """Return boto3's HeadObject request, signed but not sent.

    The request is an `AWSPreparedRequest`. The result is None where it could not be captured.

    Raises:
        Exception: botocore's own error, where the request cannot be made.
    """
    here = threading.get_ident()
    found: list[AWSPreparedRequest] = []

    def capture(request: AWSPreparedRequest, **event: object) -> None:
        if threading.get_ident() == here and not found:
            found.append(request)
            raise _Captured

    client.meta.events.register_first("before-send.s3.HeadObject", capture)
    try:
        client.head_object(Bucket=bucket, Key=key)
    except _Captured:
        pass
    finally:
        client.meta.events.unregister("before-send.s3.HeadObject", capture)
    return found[0] if found else None


def connects_plainly(client: Any) -> bool:
    """Return whether the client connects to its endpoint directly, without a proxy or a client certificate."""
    try:
        session = client._endpoint.http_session
        _ = session._verify  # for `tls_context`
        proxy = session._proxy_config.proxy_url_for(client.meta.endpoint_url)
        return not (proxy or session._cert_file)
    except AttributeError:
        return False


def check_connections(client: Any, watch: Watch) -> None:
    """Have the client accept only the responses that `strict_http` accepts.

    `watch` is called with each connection, a `http.client.HTTPConnection`, before each request over it.
    """
    try:
        pools = client._endpoint.http_session._pool_classes_by_scheme
        for scheme, pool in list(pools.items()):
            connection = strict(pool.ConnectionCls, watch)
            pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    except AttributeError:
        logger.warning("this botocore hides its connections, whose answers are believed as it believes them")


def tls_context(client: Any) -> ssl.SSLContext:
    """Return a TLS context that trusts whom the client trusts."""
    from botocore.httpsession import get_cert_path

    verify = client._endpoint.http_session._verify
    context = ssl.create_default_context(cafile=get_cert_path(verify or True))
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # newer Pythons' own default, which is not the SDK's
    context.set_alpn_protocols(["http/1.1"])
    if verify is False:  # skipverify, or the user's own setting of the SDK
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def credentials(client: Boto3Client) -> Credentials | None:
    """Return the client's credentials, which refresh themselves.

    The result is None where there are none, or where they are not found.
    """
    return credentials_of(getattr(client, "_request_signer", None))


def credentials_of(request_signer: object) -> Credentials | None:
    """Return the credentials of the object that signs a client's requests.

    The result is None where there are none, or where they are not found.
    """
    return getattr(request_signer, "_credentials", None)


def share_failed_renewals(client: Boto3Client) -> None:
    """Have all requests fail at once that wait for credentials which could not be renewed a moment ago.

    botocore has one request after the other try again, each for seconds.
    """
    found: Any = credentials(client)
    renew = getattr(found, "_protected_refresh", None)
    if renew is None or "_protected_refresh" in vars(found):  # another client of the same session has done it
        return
    failed_at = -math.inf
    failure: BaseException = Exception()

    def renew_unless_failed(is_mandatory: bool) -> None:
        nonlocal failed_at, failure
        if time.monotonic() - failed_at < FAILURE_SHARED_S:
            raise _copied(failure)  # which other threads raise, too, each in its own context
        try:
            renew(is_mandatory=is_mandatory)
        except Exception as error:
            if not is_of_handler(error):
                failed_at, failure = time.monotonic(), _copied(error)
            raise

    found._protected_refresh = renew_unless_failed  # which is called with botocore's lock for it held


def _copied(error: BaseException) -> BaseException:
    """Return an exception like another one, without its traceback and without requests, which hold secrets and memory.

    The exceptions that it was made of are copied, too: they tell whether the trusted certificates were to blame.
    """
    from botocore.exceptions import CredentialRetrievalError

    args = tuple(map(_kept, error.args))
    given = (*args, error.filename) if isinstance(error, OSError) and error.filename is not None else args
    try:
        copied = type(error).__new__(type(error), *given)
        copied.args = args
        vars(copied).update({name: _kept(value) for name, value in vars(error).items()})
    except Exception:  # noqa: BLE001  # an exception's class may refuse all of this
        return CredentialRetrievalError(provider="role", error_msg=type(error).__name__)
    return copied


def _kept(value: object) -> object:
    """Return what a copy of an exception keeps of something that the exception holds: of other objects, their type."""
    if isinstance(value, BaseException):
        return _copied(value)
    if isinstance(value, Mapping):
        return {name: _kept(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_kept(each) for each in value]
    return value if isinstance(value, (str, int, float, type(None))) else type(value).__name__


def _module(handler: Callable[..., object]) -> str:
    handler = getattr(handler, "func", handler)  # of a functools.partial
    return str(getattr(handler, "__module__", None) or type(handler).__module__)

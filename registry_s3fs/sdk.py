"""What botocore has no public way to ask of a client. Where the private one is gone, the answer is the safe one."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

OPERATIONS = ("GetObject", "HeadObject", "PutObject", "ListObjectsV2")
EVENTS = (
    *("provide-client-params", "before-parameter-build", "before-call", "request-created", "choose-signer"),
    *("before-sign", "before-send", "response-received", "before-parse", "after-call", "needs-retry"),
)


def has_foreign_handlers(client: Any) -> bool:
    """Whether anyone but the SDK and this package listens to the events of a call; True where that cannot be told."""
    try:
        handlers = client.meta.events._emitter._handlers
        names = [f"{event}.s3.{operation}" for event in EVENTS for operation in OPERATIONS]
        found = [each for name in names for each in handlers.prefix_search(name)]
    except AttributeError:
        return True
    return any(_module(each).partition(".")[0] not in ("botocore", "boto3", "registry_s3fs") for each in found)


def connects_plainly(client: Any) -> bool:
    """Whether the client goes to its endpoint directly, without a proxy or a certificate of its own."""
    try:
        session = client._endpoint.http_session
        _ = session._verify  # for `tls_context`
        proxy = session._proxy_config.proxy_url_for(client.meta.endpoint_url)
        return not (proxy or session._cert_file)
    except AttributeError:
        return False


def watch_connections(client: Any, watch: Callable[[Any], None]) -> None:
    """Tell `watch` of each connection of the client, a `http.client.HTTPConnection`, before each request over it."""
    with suppress(AttributeError):
        pools = client._endpoint.http_session._pool_classes_by_scheme
        for scheme, pool in list(pools.items()):
            connection = _watched(pool.ConnectionCls, watch)
            pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _watched(kind: Any, watch: Callable[[Any], None]) -> Any:
    class Watched(kind):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            watch(self)
            return super().request(*args, **kwargs)

        def connect(self) -> None:
            super().connect()
            watch(self)

    return Watched


def tls_context(client: Any) -> ssl.SSLContext:
    """A context that trusts whom the client trusts."""
    from botocore.httpsession import get_cert_path

    verify = client._endpoint.http_session._verify
    context = ssl.create_default_context(cafile=get_cert_path(verify or True))
    if verify is False:  # skipverify, or the user's own setting of the SDK
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def credentials(client: Any) -> Any:
    """The client's credentials, which refresh themselves; None where there are none, or where they are not found."""
    return getattr(getattr(client, "_request_signer", None), "_credentials", None)


def _module(handler: Callable[..., Any]) -> str:
    handler = getattr(handler, "func", handler)  # of a functools.partial
    return str(getattr(handler, "__module__", None) or type(handler).__module__)

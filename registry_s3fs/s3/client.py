"""The way from `DriverParameters` to a boto3 client and to the fields of each request."""

from __future__ import annotations

import difflib
import logging
import threading
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet, WeakValueDictionary

from registry_s3fs import process_limits
from registry_s3fs.config import regions
from registry_s3fs.config.parameters import DriverParameters
from registry_s3fs.redaction import guard_loggers, redact, show_log
from registry_s3fs.s3 import botocore_private, events, retry
from registry_s3fs.s3.botocore_private import Listeners
from registry_s3fs.s3.fast_path.client import FastPath
from registry_s3fs.s3.fast_path.connection import Connections, Endpoint
from registry_s3fs.s3.fast_path.signer import signer_like_boto3
from registry_s3fs.threads import cancellation, fork
from registry_s3fs.threads.signal_errors import is_of_handler

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.loaders import Loader
    from mypy_boto3_s3 import S3Client as Boto3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
MOST_CLIENTS = 64
"""This many clients are kept at a time.

Where filesystems use more, the client that was given to a user longest ago is released. It is made anew when it is used
again.
"""
WHEN_SUPPORTED = "when_supported"
"""This value of the SDK's checksum settings asks for more than S3 demands."""


class S3Client:
    """A boto3 client and the fast path beside it, for all filesystems with the same parameters."""

    def __init__(self, parameters: DriverParameters) -> None:
        self.parameters = parameters
        self.client: Boto3Client
        """`prepared` makes it."""
        self._fast_path: FastPath | None = None
        self._presigning: Boto3Client | None = None
        self._registrations: tuple[object, ...] = ()
        self._lock = threading.RLock()

    def prepared(self) -> S3Client:
        """Return this object with its client made.

        The client is made anew where users have registered something else on their session.

        Raises:
            RefusedParameterError: boto3 refuses a parameter such as `profile`. The error comes through
                `error_boundary.translated`.
        """
        found = _registrations(self.parameters)
        if not _are_same(found, self._registrations):
            with self._lock:
                if not _are_same(found, self._registrations):
                    self.client, self._fast_path = s3_client(self.parameters), None
                    self._registrations = _registrations(self.parameters)
        return self

    @property
    def fast_path(self) -> FastPath:
        """Return the fast path beside the client.

        Raises:
            Exception: botocore's own error, where there are no credentials.
        """
        found = self._fast_path
        if found is None:
            with self._lock:
                found = self._fast_path = self._fast_path or _fast_path(self.client, self.parameters)
        return found

    @property
    def presigning_client(self) -> Boto3Client:
        """Return the client that signs URLs.

        It is the client itself. With `redirectendpoint` it is a client that puts that in the place of scheme and host
        (Go: ``redirectEndpoint``). Where the requester pays, it is a client whose URLs say so.
        """
        redirect, pays = self.parameters.redirectendpoint, self.parameters.requester_pays
        if not redirect and not pays:
            return self.client
        if self._presigning is None:
            client = s3_client(self.parameters)
            events.change_presigned(client, redirect, requester_pays=pays)
            self._presigning = client
        return self._presigning

    @property
    def compares_checksums(self) -> bool:
        """Return whether S3 is asked for the checksums of what is read.

        The SDK's ``response_checksum_validation`` says so. A store that takes only signatures of version 2 has no
        checksums.
        """
        validation = botocore_private.settings_of(self.client).response_checksum_validation
        return self.parameters.v4auth and validation == WHEN_SUPPORTED

    @property
    def sends_md5(self) -> bool:
        """Return whether the bytes of an object or part need an MD5, as nothing else guards them on their way.

        Where the SDK sends no checksum, the signature's SHA-256 guards them. Version 2 and unsigned requests have none.
        """
        settings = botocore_private.settings_of(self.client)
        version = settings.signature_version
        signs_payloads = isinstance(version, str) and "v4" in version
        return not signs_payloads and settings.request_checksum_calculation != WHEN_SUPPORTED


class Clients:
    """The clients of this process.

    A client lives as long as a filesystem uses it. Threads may share an instance.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.by_parameters: WeakValueDictionary[DriverParameters, S3Client] = WeakValueDictionary()
        self._users: dict[DriverParameters, WeakSet[ClientUser]] = {}
        """The clients' users are kept in the order in which a user was last given the client.

        An OrderedDict whose keys hash in Python does not bear a finaliser that comes meanwhile: its list may become a
        ring.
        """
        self._lock = threading.RLock()  # a finaliser may come while it is held, and ask for a client, too

    def of(self, user: ClientUser) -> S3Client:
        """Give a user its client, which the user keeps alive, and return the client."""
        parameters = user.parameters
        with self._lock:
            found = self.by_parameters.get(parameters)
            if found is None:
                found = self.by_parameters[parameters] = S3Client(parameters)
            user.s3_client = found
            users = self._users.pop(parameters, None)
            users = WeakSet() if users is None else users
            users.add(user)
            self._users[parameters] = users
            self._let_go()
        return found

    def _let_go(self) -> None:
        """Take the clients beyond `MOST_CLIENTS` away from their users, those given out longest ago."""
        for parameters, users in list(self._users.items()):
            if not users:
                self._users.pop(parameters, None)
        for parameters in list(self._users)[:-MOST_CLIENTS]:
            for user in list(self._users.pop(parameters, ())):
                user.s3_client = None

    def forget(self) -> None:
        """Forget all clients, because a forked child must not write to its parent's sockets."""
        for users in self._users.values():
            for user in list(users):
                user.s3_client = None
        self._begin_anew()


class ClientUser(Protocol):
    """A user of a client, which is a bucket."""

    parameters: DriverParameters
    s3_client: S3Client | None

    def __hash__(self) -> int: ...


CLIENTS = Clients()

fork.in_child(CLIENTS.forget)


def _registrations(parameters: DriverParameters) -> tuple[object, ...]:
    import boto3

    return botocore_private.registrations(None if parameters.profile else boto3.DEFAULT_SESSION)


def _are_same(some: tuple[object, ...], others: tuple[object, ...]) -> bool:
    """Return whether two tuples are the same: objects by their identity, numbers by their value."""
    pairs = list(zip(some, others, strict=False))
    return len(some) == len(others) and all(one is other or (type(one) is int and one == other) for one, other in pairs)


def _fast_path(client: Boto3Client, parameters: DriverParameters) -> FastPath:
    config = botocore_private.settings_of(client)
    is_wanted = parameters.fast_path and parameters.v4auth and not parameters.anon
    signer = connections = None
    if is_wanted and botocore_private.connects_plainly(client) and not Listeners(client).are_foreign():
        signer = signer_like_boto3(client, parameters.bucket)
    if signer is not None:
        connections = _connections(client, signer.place.origin)
    return FastPath(
        client,
        signer,
        connections,
        user_agent=_fast_user_agent(parameters, config),
        requester_pays=parameters.requester_pays,
        sends_checksums=config.request_checksum_calculation == WHEN_SUPPORTED,
        signs_payloads=(config.s3 or {}).get("payload_signing_enabled"),
    )


def _connections(client: Boto3Client, url: str) -> Connections | None:
    """Return connections of the fast path to an endpoint.

    The result is None where the trusted certificates cannot be read. boto3, which then gets the requests, tells why.
    """
    config = botocore_private.settings_of(client)
    try:
        context = botocore_private.tls_context(client) if url.startswith("https:") else None
    except OSError as error:
        if is_of_handler(error) or process_limits.of(error) is not None:
            raise
        return None
    endpoint = Endpoint(
        url, context=context, connect_timeout_s=config.connect_timeout, read_timeout_s=config.read_timeout
    )
    return Connections(endpoint, config.max_pool_connections)


def _user_agent(parameters: DriverParameters) -> str:
    return f"registry-s3fs/{version('registry-s3fs')} {parameters.useragent}".strip()


def _fast_user_agent(parameters: DriverParameters, config: Any) -> str:
    """Return the User-Agent of the fast path: what botocore was told for its own, without what that says of itself."""
    from botocore.useragent import sanitize_user_agent_string_component

    named = getattr(config, "user_agent_appid", None) or ""
    app = sanitize_user_agent_string_component(named, allow_hash=True)
    own, extra = parameters.config_kwargs.get("user_agent"), config.user_agent_extra
    return " ".join(str(each) for each in (own or (app and f"app/{app}"), extra) if each)


def s3_client(parameters: DriverParameters) -> Boto3Client:
    """Return a new boto3 client for these parameters.

    Raises:
        Exception: botocore's own error, where it refuses a parameter such as `profile`.
    """
    from botocore.config import Config

    client = _session(parameters.profile).client(
        "s3",
        region_name=regions.as_host_label(parameters.region),
        endpoint_url=parameters.endpoint_url,
        use_ssl=parameters.secure,
        verify=False if parameters.skipverify else None,
        aws_access_key_id=parameters.accesskey or None,
        aws_secret_access_key=parameters.secretkey or None,
        aws_session_token=parameters.sessiontoken or None,
        config=Config(**config_options(parameters)),
    )
    events.register(client, parameters.region, is_aws=parameters.is_aws, requester_pays=parameters.requester_pays)
    for event in ("before-send.s3", "needs-retry.s3"):
        client.meta.events.register_first(event, cancellation.check)
    client.meta.events.register_first("needs-retry.s3", retry.limiting_tries(client))
    client.meta.events.register("needs-retry.s3", retry.repeating_damaged(client))
    botocore_private.check_connections(client, cancellation.uses)
    botocore_private.share_failed_renewals(client)
    guard_loggers()
    if parameters.loglevel != "off":
        for name in ("registry_s3fs", "botocore"):
            show_log(logging.getLogger(name))
    return client


def _session(profile: str) -> Session:
    import boto3
    from botocore.session import get_session

    if boto3.DEFAULT_SESSION and not profile:  # one that the application set up has its handlers and credentials
        return boto3.DEFAULT_SESSION
    session = get_session()
    if profile:
        session.set_config_variable("profile", profile)
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=session)


@cache
def _loader(data_path: str | None) -> Loader:
    """Return the loader of the SDK's own data, which is read once.

    The data takes nine tenths of the time, and 12 MiB, of every further client.
    """
    from botocore.loaders import create_loader

    return create_loader(data_path)


def config_options(parameters: DriverParameters) -> dict[str, Any]:
    """Return the keyword arguments of `botocore.config.Config`.

    `config_kwargs` has precedence over all others. Their values are Any, as each keyword has a type of its own, and
    botocore itself checks what the user gives.
    """
    extra: dict[str, Any] = dict(parameters.config_kwargs)
    s3 = {
        "addressing_style": "path" if parameters.forcepathstyle else "virtual",
        "use_accelerate_endpoint": parameters.variant.accelerate,
        # Here, as botocore would let a profile's section `s3` win over `use_dualstack_endpoint` beside it.
        "use_dualstack_endpoint": extra.get("use_dualstack_endpoint", parameters.variant.dualstack),
        **(extra.pop("s3", None) or {}),
    }
    options: dict[str, Any] = {
        "signature_version": signature_version(parameters),
        "s3": s3,
        "user_agent_extra": _user_agent(parameters),
        # "adaptive" takes at least eight times as long where S3 throttles one request in ten; see docs/performance.md.
        "retries": {"mode": "standard", "total_max_attempts": retry.TOTAL_MAX_ATTEMPTS},
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "max_pool_connections": parameters.max_concurrency,
        "tcp_keepalive": True,
        "use_fips_endpoint": parameters.variant.fips,
        "ignore_configured_endpoint_urls": True,  # `config.environment` has read them, when the filesystem was made
    }
    if not parameters.is_aws:
        # Newer SDKs otherwise send checksums as trailers, which older stores refuse (Ceph 16 among them), and
        # compare whole-object checksums with ranges.
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    return {**options, **extra}


def check_config(parameters: DriverParameters) -> None:
    """Raise `ValueError` where botocore does not know a name in `config_kwargs`, or cannot use a value."""
    if not parameters.config_kwargs:
        return
    from botocore.auth import AUTH_TYPE_MAPS
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    known = getattr(Config, "OPTION_DEFAULTS", None)
    for name in parameters.config_kwargs:
        if known is not None and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"config_kwargs: {name!r} is no option of botocore.config.Config{hint}")
    version = parameters.config_kwargs.get("signature_version")
    if isinstance(version, str) and version not in AUTH_TYPE_MAPS:
        raise ValueError(
            f"config_kwargs: signature_version: {version!r} is none of {', '.join(sorted(AUTH_TYPE_MAPS))}"
        )
    try:
        Config(**config_options(parameters))
    except (BotoCoreError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"config_kwargs: botocore refuses it: {redact(str(error))}") from None


def signature_version(parameters: DriverParameters) -> object:
    """Return botocore's name for how requests are signed: ``s3v4``, ``s3`` (version 2), or UNSIGNED."""
    if parameters.anon:
        from botocore import UNSIGNED

        return UNSIGNED
    return "s3v4" if parameters.v4auth else "s3"


def object_fields(parameters: DriverParameters) -> dict[str, str]:
    """Return the request fields of every call that creates an object: put, multipart create, copy.

    Go: ``getEncryptionMode``, ``getSSEKMSKeyID``, ``getACL``, ``getStorageClass``.
    """
    fields = {}
    if parameters.encrypt:
        fields["ServerSideEncryption"] = "aws:kms" if parameters.keyid else "AES256"
        if parameters.keyid:
            fields["SSEKMSKeyId"] = parameters.keyid
    if parameters.objectacl:
        fields["ACL"] = parameters.objectacl
    if parameters.storageclass != "NONE":
        fields["StorageClass"] = parameters.storageclass
    return fields

"""From `DriverParameters` to a boto3 client and the fields of each request. The only place that imports boto3."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any

from registry_s3fs import interruption, pages, sdk
from registry_s3fs.connections import Connections
from registry_s3fs.lane import Lane
from registry_s3fs.parameters import DriverParameters
from registry_s3fs.patience import repeats_damaged
from registry_s3fs.redaction import guard_loggers
from registry_s3fs.signing import Signer

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
ATTEMPTS = 4
"""Of each request, the first one included: a dead endpoint answers within 4 x 5 s and the pauses between."""
LANE_CONNECT_TIMEOUT_S = 2
"""What comes before all those, so that the sum stays below 30 s."""
WHEN_SUPPORTED = "when_supported"
"""Of the SDK's settings of checksums: more than S3 demands."""

_Key = tuple[DriverParameters, str]
_clients: dict[_Key, Any] = {}
_lanes: dict[DriverParameters, Lane] = {}
_lock = threading.Lock()


def _forget_parents_clients() -> None:
    """A forked child must not write to its parent's sockets."""
    global _lock
    _clients.clear()
    _lanes.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parents_clients)


def s3_client(parameters: DriverParameters, endpoint_url: str | None = None) -> Any:
    """The process's one boto3 S3 client for these parameters, made at its first use.

    `endpoint_url` stands in for the parameters' own endpoint (`redirectendpoint`, which is only signed for).

    Raises:
        RefusedParameterError: through `errors.translated`, where boto3 refuses a parameter such as `profile`.
    """
    endpoint_url = endpoint_url or parameters.endpoint_url
    key = (parameters, endpoint_url or "")
    client = _clients.get(key)
    if client is None:
        with _lock:
            client = _clients.get(key) or _make(parameters, endpoint_url)
            _clients[key] = client
    return client


def fast_lane(parameters: DriverParameters) -> Lane:
    """The process's one fast lane beside `s3_client`."""
    lane = _lanes.get(parameters)
    if lane is None:
        client = s3_client(parameters)
        connect = None if sdk.has_foreign_handlers(client) or not sdk.connects_plainly(client) else _connecting(client)
        made = Lane(
            Signer(client, parameters.bucket),
            _user_agent(parameters),
            connect,
            signs_headers=parameters.v4auth and not parameters.anon,
            sends_checksums=client.meta.config.request_checksum_calculation == WHEN_SUPPORTED,
        )
        lane = _lanes.setdefault(parameters, made)
    return lane


def compares_checksums(parameters: DriverParameters) -> bool:
    """Whether S3 is asked for the checksums of what is read: the SDK's ``response_checksum_validation``. (A store that
    takes only signatures of version 2 has none.)"""
    return parameters.v4auth and s3_client(parameters).meta.config.response_checksum_validation == WHEN_SUPPORTED


def _connecting(client: Any) -> Callable[[str], Connections]:
    config = client.meta.config

    def connect(origin: str) -> Connections:
        return Connections(
            origin,
            context=sdk.tls_context(client) if origin.startswith("https:") else None,
            most_idle=config.max_pool_connections,
            connect_timeout=min(config.connect_timeout, LANE_CONNECT_TIMEOUT_S),
            read_timeout=config.read_timeout,
        )

    return connect


def _user_agent(parameters: DriverParameters) -> str:
    return f"registry-s3fs/{version('registry-s3fs')} {parameters.useragent}".strip()


def _make(parameters: DriverParameters, endpoint_url: str | None) -> Any:
    from botocore.config import Config

    client = _session(parameters.profile).client(
        "s3",
        region_name=parameters.region,
        endpoint_url=endpoint_url,
        use_ssl=parameters.secure,
        verify=False if parameters.skipverify else None,
        aws_access_key_id=parameters.accesskey or None,
        aws_secret_access_key=parameters.secretkey or None,
        aws_session_token=parameters.sessiontoken or None,
        config=Config(**config_options(parameters)),
    )
    # The wildcard comes before botocore's own handler, which parses each body once more to look for an <Error>.
    client.meta.events.register("before-parse.*.ListObjectsV2", pages.fill)
    for event in ("before-send.s3", "needs-retry.s3"):
        client.meta.events.register_first(event, interruption.check)
    client.meta.events.register("needs-retry.s3", repeats_damaged)
    sdk.watch_connections(client, interruption.uses)
    guard_loggers()
    if parameters.loglevel != "off":
        for name in ("registry_s3fs", "botocore"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    return client


def _session(profile: str) -> Any:
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
def _loader(data_path: str | None) -> Any:
    """The SDK's own data, read once: nine tenths of the time, and 12 MiB, of every further client."""
    from botocore.loaders import create_loader

    return create_loader(data_path)


def config_options(parameters: DriverParameters) -> dict[str, Any]:
    """Keyword arguments of `botocore.config.Config`; `config_kwargs` has the last word."""
    extra = dict(parameters.config_kwargs)
    s3 = {
        "addressing_style": "path" if parameters.forcepathstyle else "virtual",
        "use_accelerate_endpoint": parameters.accelerate,
        **extra.pop("s3", {}),
    }
    options: dict[str, Any] = {
        "signature_version": signature_version(parameters),
        "s3": s3,
        "user_agent_extra": _user_agent(parameters),
        # "adaptive" takes at least eight times as long where S3 throttles one request in ten; see docs/performance.md.
        "retries": {"mode": "standard", "total_max_attempts": ATTEMPTS},
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "max_pool_connections": parameters.max_concurrency,
        "tcp_keepalive": True,
        "use_dualstack_endpoint": parameters.usedualstack,
        "use_fips_endpoint": parameters.usefipsendpoint,
    }
    if parameters.regionendpoint:
        # Newer SDKs otherwise send checksums as trailers, which older stores refuse (Ceph 16 among them), and
        # compare whole-object checksums with ranges.
        options["request_checksum_calculation"] = "when_required"
        options["response_checksum_validation"] = "when_required"
    return {**options, **extra}


def signature_version(parameters: DriverParameters) -> Any:
    """botocore's name for how requests are signed: ``s3v4``, ``s3`` (version 2), or UNSIGNED."""
    if parameters.anon:
        from botocore import UNSIGNED

        return UNSIGNED
    return "s3v4" if parameters.v4auth else "s3"


def object_fields(parameters: DriverParameters) -> dict[str, str]:
    """Request fields of every call that creates an object: put, multipart create, copy.

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

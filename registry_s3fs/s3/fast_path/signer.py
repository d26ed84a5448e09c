"""The signer of requests by Signature Version 4 in their headers, in a tenth of the time of botocore's `S3SigV4Auth`.

What boto3 adds to a signature is the choice of an endpoint, which is the same for all keys of a bucket. It is taken
from one request that boto3 makes and does not send. Nothing is signed here where the signature made here differs from
boto3's. That is so with other kinds of signatures and with sessions of directory buckets.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from registry_s3fs.redaction import know, redact
from registry_s3fs.s3 import botocore_private
from registry_s3fs.s3.fast_path.response import NotPlainError

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from mypy_boto3_s3 import S3Client as Boto3Client

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_AUTHORIZATION = re.compile(
    ALGORITHM
    + r" Credential=[^/, ]+/[0-9]{8}/([^/, ]+)/s3/aws4_request, SignedHeaders=([^, ]+), Signature=[0-9a-f]{64}"
)

_OWN = frozenset(("host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"))
"""Signing itself adds these headers."""


class Keys(NamedTuple):
    """The credentials, as botocore freezes them."""

    access_key: str
    secret_key: str
    token: str | None


class SigningPlace(NamedTuple):
    """The place of a bucket.

    It has the origin, its host as the Host field has it, what comes before a key, and the region.
    """

    origin: str
    host: str
    before_key: str
    region: str


class SignedHead:
    """The head of a request up to its last signed field, without the empty line.

    It is valid for several minutes.
    """

    __slots__ = ("data", "keys", "made")

    def __init__(self, data: bytes, keys: Keys, made: float) -> None:
        self.data, self.keys, self.made = data, keys, made

    def __repr__(self) -> str:
        return redact(f"SignedHead({self.data.decode('latin-1')!r})")


class Signer:
    """A signer of the requests to one bucket.

    Threads may share an instance.
    """

    def __init__(self, place: SigningPlace, credentials: Credentials) -> None:
        self.place = place
        self._credentials = credentials
        self._known: Keys | None = None

    def keys(self) -> Keys:
        """Return the credentials of this moment.

        They may be refreshed.

        Raises:
            Exception: botocore's own error, where the credentials cannot be refreshed.
        """
        found = self._credentials.get_frozen_credentials()
        keys = Keys(found.access_key or "", found.secret_key or "", found.token)
        if keys != self._known:
            know(keys.secret_key, keys.token or "")
            self._known = keys
        return keys

    def sign(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        fields: Mapping[str, str],
        *,
        keys: Keys,
        payload: str = EMPTY_SHA256,
    ) -> SignedHead:
        """Sign a request for a key, or for the bucket where the key is ``""``.

        The header `fields` are signed and sent. `payload` is the SHA-256 of the body, in hexadecimal digits, or
        UNSIGNED-PAYLOAD.
        """
        now = time.time()
        when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        path = self.place.before_key + quote(key, safe="/~")
        asked = "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
        signed = {"host": self.place.host, "x-amz-content-sha256": payload, "x-amz-date": when, **fields}
        if keys.token is not None:
            signed["x-amz-security-token"] = keys.token
        authorization = _authorization(method, path, asked, signed, keys, self.place.region, when)
        target = f"{path}?{asked}" if asked else path
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
        head = "\r\n".join([*lines, f"authorization: {authorization}", ""])
        if not head.isascii():  # an encoder's error would hold the head
            raise NotPlainError("credentials or fields that are not ASCII")
        return SignedHead(head.encode(), keys, now)


def signer_like_boto3(client: Boto3Client, bucket: str) -> Signer | None:
    """Return a signer that signs as the client does, or None where boto3 must sign.

    Raises:
        Exception: botocore's own error, where there are no credentials.
    """
    credentials = botocore_private.credentials(client)
    if credentials is None or bucket.endswith(("--x-s3", "--xa-s3")):  # these have sessions of their own
        return None
    theirs = botocore_private.signed_head_object(client, bucket, "k")
    if theirs is None:
        return None
    url = urlsplit(theirs.url)
    found = _AUTHORIZATION.fullmatch(_text(theirs.headers.get("Authorization", "")))
    if found is None or not url.path.endswith("/k") or url.query:
        return None
    place = SigningPlace(f"{url.scheme}://{url.netloc}", _host(url), url.path[:-1], found[1])
    signer = Signer(place, credentials)
    headers = {name.lower(): _text(value) for name, value in theirs.headers.items()}
    more = {name: headers[name] for name in found[2].split(";") if name in headers and name not in _OWN}
    return signer if _signs_alike(signer, url, more) else None


def _signs_alike(signer: Signer, url: SplitResult, more: Mapping[str, str]) -> bool:
    """Return whether a HEAD with these further headers has the signature that botocore's `S3SigV4Auth` gives it."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys, place = signer.keys(), signer.place
    request = AWSRequest("HEAD", url.geturl(), dict(more), b"")
    S3SigV4Auth(Credentials(*keys), "s3", place.region).add_auth(request)
    theirs = {name.lower(): _text(value) for name, value in request.headers.items()}
    signed = {"host": place.host, **{name: value for name, value in theirs.items() if name != "authorization"}}
    ours = _authorization("HEAD", url.path, url.query, signed, keys, place.region, theirs["x-amz-date"])
    return ours == theirs["authorization"]


def _host(url: SplitResult) -> str:
    """Return the Host field, which leaves out the scheme's own port."""
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return host if url.port in (None, {"http": 80, "https": 443}[url.scheme]) else f"{host}:{url.port}"


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _authorization(
    method: str, path: str, query: str, signed: Mapping[str, str], keys: Keys, region: str, when: str
) -> str:
    names = sorted(signed)
    listed = ";".join(names)
    payload = signed["x-amz-content-sha256"]
    lines = (method, path, query, *(f"{name}:{' '.join(signed[name].split())}" for name in names), "", listed, payload)
    request = hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()
    scope = f"{when[:8]}/{region}/s3/aws4_request"
    to_sign = f"{ALGORITHM}\n{when}\n{scope}\n{request}"
    signature = hmac.digest(_signing_key(keys.secret_key, when[:8], region), to_sign.encode(), "sha256").hex()
    return f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"


@lru_cache(maxsize=16)
def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key

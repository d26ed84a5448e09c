"""The S3 driver's parameters, parsed and checked once. Pure.

There is one field for each parameter, named as in the registry's ``config.yml``. The field's own row holds its parser,
bounds and meaning. The rest of the package sees types, never strings. Names, defaults and bounds follow the Go driver
(``s3-aws/s3.go``, ``FromParameters``).
"""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, cast

from registry_s3fs.config import foreign_names, parsers, regions
from registry_s3fs.config.config_kwargs import parsed as botocore_settings
from registry_s3fs.model.ranges import MAX_PART_BYTES, MIB, MIN_PART_BYTES
from registry_s3fs.redaction import MASK

STORAGE_CLASSES = (
    *("NONE", "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING"),
    *("OUTPOSTS", "GLACIER_IR", "EXPRESS_ONEZONE"),
)
"""The storage classes whose objects can be read at once (Go: ``s3StorageClasses``)."""
OBJECT_ACLS = (
    *("", "private", "public-read", "public-read-write", "authenticated-read"),
    *("aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"),
)
LOG_LEVELS = (
    *("off", "debug", "debugwithsigning", "debugwithhttpbody", "debugwithrequestretries"),
    *("debugwithrequesterrors", "debugwitheventstreambody"),
)

Parser = Callable[[str, object], object]


def _row(default: object, parse: Parser, meaning: str, *, secret: bool = False) -> Any:
    """Return a field of `DriverParameters`; it is Any, as it stands where each row has a type of its own."""
    return field(default=default, metadata={"parse": parse, "meaning": meaning, "secret": secret})


class EndpointVariant(NamedTuple):
    """A variant of AWS's endpoints."""

    dualstack: bool
    accelerate: bool
    fips: bool


_PART = parsers.integer(MIN_PART_BYTES, MAX_PART_BYTES, unit="bytes")


@dataclass(frozen=True, repr=False)
class DriverParameters:
    """The registry's S3 driver parameters, and this package's few more.

    Values may be strings, as YAML, INI files and environment variables give them. None means not given. An instance
    holds only good values, whoever made it:

    >>> DriverParameters(bucket="demo", region="eu-central-1", encrypt="true", chunksize="5242880")
    DriverParameters(region='eu-central-1', bucket='demo', encrypt=True, chunksize=5242880)
    >>> DriverParameters(bucket="demo", region="eu-central-1", v4auth="false")
    Traceback (most recent call last):
    ValueError: v4auth: false asks for signature version 2, but region eu-central-1 takes only version 4; leave it out

    Raises:
        ValueError: A value is not good, or two do not go together. The message names the parameter.
    """

    accesskey: str = _row("", parsers.text(), "access key id; empty: boto3's own chain", secret=True)
    secretkey: str = _row("", parsers.text(), "secret access key", secret=True)
    sessiontoken: str = _row("", parsers.text(), "session token of temporary credentials", secret=True)
    region: str = _row("", parsers.matching(r"[^\s/\x00-\x20\x7f]*", "a region's name"), "AWS region of the bucket")
    bucket: str = _row("", parsers.bucket, "the bucket, which must exist")
    encrypt: bool = _row(False, parsers.boolean, "server-side encryption of every object written")
    keyid: str = _row("", parsers.text(), "KMS key to encrypt with; empty: AES256")
    secure: bool = _row(True, parsers.boolean, "https, or http where regionendpoint has no scheme of its own")
    skipverify: bool = _row(False, parsers.boolean, "skip TLS certificate verification")
    v4auth: bool = _row(True, parsers.boolean, "signature version 4; false: version 2")
    chunksize: int = _row(10 * MIB, _PART, "part size of uploads")
    rootdirectory: str = _row("", parsers.rootdirectory, "prefix of all keys")
    regionendpoint: str = _row("", parsers.endpoint(host_only=False), "endpoint of an S3-compatible store")
    forcepathstyle: bool | None = _row(None, parsers.boolean, "path-style addressing")
    redirectendpoint: str = _row("", parsers.endpoint(host_only=True), "public endpoint of presigned URLs")
    multipartcopychunksize: int = _row(32 * MIB, _PART, "part size of server-side copies")
    multipartcopymaxconcurrency: int = _row(100, parsers.integer(1, None), "parts of one copy in flight")
    multipartcopythresholdsize: int = _row(
        32 * MIB, parsers.integer(0, MAX_PART_BYTES, unit="bytes"), "objects above it are copied in parts"
    )
    storageclass: str = _row("STANDARD", parsers.choice(STORAGE_CLASSES, parsers.upper), "class of objects written")
    objectacl: str = _row("", parsers.choice(OBJECT_ACLS), "canned ACL of objects written")
    useragent: str = _row("", parsers.ascii_text, "appended to the User-Agent header")
    usedualstack: bool = _row(False, parsers.boolean, "the endpoint for IPv4 and IPv6")
    accelerate: bool = _row(False, parsers.boolean, "S3 Transfer Acceleration")
    usefipsendpoint: bool = _row(False, parsers.boolean, "the FIPS endpoint")
    loglevel: str = _row("off", parsers.choice(LOG_LEVELS, parsers.log_level), "debug log of this package and botocore")

    anon: bool = _row(False, parsers.boolean, "send unsigned requests")
    profile: str = _row("", parsers.text(), "profile of the AWS configuration files")
    requester_pays: bool = _row(False, parsers.boolean, "the requester pays, and not the bucket's owner")
    max_concurrency: int = _row(64, parsers.integer(1, 1024), "requests in flight, and connections kept")
    fast_path: bool = _row(True, parsers.boolean, "small requests may go past boto3's own machinery")
    verify_digests: bool = _row(False, parsers.boolean, "compare blobs that are read with their digests")
    config_kwargs: Mapping[str, object] = field(
        default_factory=dict,
        hash=False,  # a mapping has no hash; equality still looks at it
        metadata={"parse": botocore_settings, "meaning": "merged into botocore.config.Config", "secret": False},
    )

    def __post_init__(self) -> None:
        for row in fields(self):
            given = getattr(self, row.name)
            value = _default(row.name) if given is None else row.metadata["parse"](row.name, given)
            object.__setattr__(self, row.name, value)
        if self.forcepathstyle is None:
            object.__setattr__(self, "forcepathstyle", bool(self.regionendpoint))
        self._check_place()
        self._check_credentials()
        self._check_endpoint_variants()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object]) -> DriverParameters:
        """Return parameters from a mapping, such as a registry's ``storage: s3:`` block.

        Raises:
            TypeError: A name is no parameter. The message tells the closest one.
            ValueError: A value is not good, as for the class.
        """
        for name in mapping:
            if name not in NAMES:
                raise TypeError(unknown(name, NAMES))
        return cls(**cast("dict[str, Any]", mapping))  # which parses what is no type of a field yet

    @classmethod
    def from_config(cls, path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> DriverParameters:
        """Return parameters from a registry's ``config.yml`` and its ``REGISTRY_STORAGE_S3_*`` variables.

        Raises:
            FileNotFoundError: There is no such file.
            TypeError: A name is no parameter, as for `from_mapping`.
            ValueError: A value is not good, as for `from_mapping`, or the file is no registry configuration for S3.
        """
        return cls.from_mapping(read_config(path, environ))

    @property
    def endpoint_url(self) -> str | None:
        """Return `regionendpoint` with a scheme, or None for AWS's own endpoints."""
        if not self.regionendpoint or "://" in self.regionendpoint:
            return self.regionendpoint or None
        return f"{'https' if self.secure else 'http'}://{self.regionendpoint}"

    @property
    def variant(self) -> EndpointVariant:
        """Return which of AWS's own endpoints is meant; with `regionendpoint` none of them is."""
        own = not self.regionendpoint
        return EndpointVariant(own and self.usedualstack, own and self.accelerate, own and self.usefipsendpoint)

    @property
    def is_aws(self) -> bool:
        """Return whether the server is S3 itself, which does all that S3 does, and no other store."""
        return not self.regionendpoint

    @property
    def is_directory_bucket(self) -> bool:
        """Return whether the bucket is a directory bucket of S3 Express.

        Its listings have no order and cannot start after a key. Its prefixes end in a slash. Its ETags are no MD5s. See
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html.
        """
        return self.bucket.endswith("--x-s3")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.given().items())
        return f"DriverParameters({shown})"

    def given(self) -> dict[str, object]:
        """Return the parameters that differ from their defaults, with secrets masked."""
        return {name: value for name, value in self._masked().items() if value != _default(name)}

    def _masked(self) -> dict[str, object]:
        values = {row.name: getattr(self, row.name) for row in fields(self)}
        if self.forcepathstyle == bool(self.regionendpoint):
            values["forcepathstyle"] = None
        values["config_kwargs"] = {name: MASK if "prox" in name else v for name, v in self.config_kwargs.items()}
        return {name: MASK if name in SECRETS and value else value for name, value in values.items()}

    def _check_place(self) -> None:
        if not self.bucket:
            raise ValueError("bucket: required; give bucket=, or name it in the URL: registrys3://BUCKET/...")
        if not self.region:
            if not self.regionendpoint:
                raise ValueError(
                    "region: required unless regionendpoint is given; give region=, or set AWS_REGION, "
                    "AWS_DEFAULT_REGION or the profile's region"
                )
            object.__setattr__(self, "region", "us-east-1")
        elif not self.regionendpoint and self.region not in regions.known():
            raise ValueError(f"region: {self.region!r} is no AWS region{_closest(self.region, regions.known())}")
        if not self.v4auth and regions.takes_only_v4(self.region):
            raise ValueError(
                f"v4auth: false asks for signature version 2, but region {self.region} takes only version 4; "
                "leave it out"
            )

    def _check_credentials(self) -> None:
        if bool(self.accesskey) != bool(self.secretkey):
            given, missing = ("accesskey", "secretkey") if self.accesskey else ("secretkey", "accesskey")
            raise ValueError(f"{missing}: missing; {given} is given, and the two go together")
        if self.sessiontoken and not self.accesskey:
            raise ValueError("sessiontoken: only goes with accesskey and secretkey")
        if self.anon and (self.accesskey or self.profile):
            raise ValueError("anon: sends no credentials; leave out accesskey, secretkey and profile")
        if self.profile and self.accesskey:
            raise ValueError("profile: give a profile, or accesskey and secretkey, not both")

    def _check_endpoint_variants(self) -> None:
        if self.regionendpoint:  # to which they are nothing, as in Go
            return
        if self.accelerate and (self.forcepathstyle or self.usefipsendpoint or "." in self.bucket):
            raise ValueError("accelerate: does not go with forcepathstyle, usefipsendpoint or a bucket name with dots")


def read_config(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> dict[str, object]:
    """Return the mapping that `DriverParameters.from_config` reads, not yet parsed."""
    from registry_s3fs.config import registry_yml  # needs PyYAML, which most instances do without

    return registry_yml.read(path, environ, NAMES, NUMBERS)


def unknown(name: str, names: frozenset[str]) -> str:
    """Return the message for a name that is no parameter."""
    known = foreign_names.counterpart(str(name))
    return f"{name!r} is no parameter of registrys3{f'; {known}' if known else _closest(name, names)}"


def _closest(name: str, names: frozenset[str]) -> str:
    close = difflib.get_close_matches(str(name).lower(), sorted(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _default(name: str) -> object:
    row = DriverParameters.__dataclass_fields__[name]
    return copy.copy(row.default) if name != "config_kwargs" else {}


NAMES = frozenset(row.name for row in fields(DriverParameters))
NUMBERS = frozenset(row.name for row in fields(DriverParameters) if type(row.default) is int)
SECRETS = frozenset(row.name for row in fields(DriverParameters) if row.metadata["secret"])

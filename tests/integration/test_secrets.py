"""Whatever logs at DEBUG, and whatever fails: no secret, and no signature that still works, is in any text."""

from __future__ import annotations

import gc
import logging
import pickle
import re
import socket
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem, StorageDriver, errors, redaction
from registry_s3fs.model import registry_layout
from registry_s3fs.registry import documents, reading
from registry_s3fs.registry.catalog import Catalog
from registry_s3fs.registry.manifests import parse_manifest
from registry_s3fs.registry.oci_layout.names import parse_name
from registry_s3fs.registry.platforms import parse_platform
from registry_s3fs.s3 import error_codes
from registry_s3fs.s3.fast_path.signer import SignedHead
from testbed.messages import Answer, Request
from testbed.plain_answers import fitted, plain, refusal, whole_object
from testbed.scripted_server import ScriptedServer
from testbed.servers import Server
from tests.error_text import text_of
from tests.thoroughly import thorough

MIB = 1024 * 1024
SECRET = "SecretThatNobodyShouldSee/0123456789+="
TOKEN = "TokenThatNobodyShouldSee0123456789"
SIGNATURE = re.compile(r"(?:Signature(?:Provided)?['\"]?[=:>]\s*b?['\"]?|AWS [^\s:]+:)([A-Za-z0-9+/%]{20,})")

CALLS: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "pipe": lambda fs: fs.pipe({"/f": b"1", "/d/g": b"2"}),
    "pipe in parts": lambda fs: fs.pipe_file("/big", bytes(6 * MIB), block_size=5 * MIB),
    "cat": lambda fs: fs.cat(["/f", "/d/g"]),
    "info": lambda fs: fs.info("/f"),
    "ls": lambda fs: fs.ls("/"),
    "open": lambda fs: fs.open("/big", "rb").read(),
    "append": lambda fs: fs.open("/f", "ab").close(),
    "sign": lambda fs: fs.sign("/f"),
    "copy": lambda fs: fs.cp_file("/f", "/h"),
    "rm": lambda fs: fs.rm(["/f", "/h"]),
    "missing": lambda fs: fs.cat_file("/missing"),
    "exists": lambda fs: fs.open("/big", "xb"),
    "bad path": lambda fs: fs.info("/../f"),
    "foreign bucket": lambda fs: fs.info("registrys3://other/f"),
    "refused": lambda fs: fs.cat_file("/big", version_id="no-such-version"),
}
FAILING = ("missing", "exists", "bad path", "foreign bucket", "refused")


def shown(fs: RegistryS3FileSystem, failing: tuple[str, ...], caplog: pytest.LogCaptureFixture) -> str:
    """All that the calls log, and the whole text of each error, its causes and their tracebacks included."""
    texts = [repr(fs), str(fs), fs.to_json(include_password=False)]
    for name, call in CALLS.items():
        if name not in failing:
            call(fs)
            continue
        with pytest.raises((OSError, ValueError)) as failed:
            call(fs)
        texts += [repr(failed.value), *traceback.format_exception(failed.value)]
    return "\n".join([*texts, *(handled(record) for record in caplog.records)])


def handled(record: logging.LogRecord) -> str:
    return logging.Formatter("%(name)s %(message)s").format(record)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def check(text: str, fs: RegistryS3FileSystem) -> None:
    for secret in (fs.parameters.secretkey, fs.parameters.sessiontoken):
        assert not secret or secret not in text
    assert SIGNATURE.findall(text) == []


SPEAKING = {"urllib3.connectionpool", "botocore.endpoint", *([] if find_spec("awscrt") else ["botocore.auth"])}
"""Loggers that must have spoken, so that there is something to mask; awscrt signs without a word."""


@pytest.mark.promise("Secrets and credentials")
@pytest.mark.parametrize("more", [{}, {"sessiontoken": TOKEN}, {"v4auth": False}], ids=["v4", "token", "v2"])
def test_no_call_shows_a_secret(options: dict[str, Any], more: Any, caplog: pytest.LogCaptureFixture) -> None:
    """No log line and no exception's text shows a secret or a signature, whatever is called.

    Each kind of call and each kind of error is tried, by the fast path and by boto3.
    """
    fs = RegistryS3FileSystem(**options, **more, useragent="secrets")
    text = shown(fs, FAILING, caplog)
    assert fs.bucket.fast_path.is_open("GetObject") == fs.parameters.v4auth
    assert {each.name for each in caplog.records} >= SPEAKING
    assert re.search(r"Authorization.*(Signature=|AWS \S+:)\*\*\*", text)
    check(text, fs)


@pytest.mark.promise("Secrets and credentials")
def test_no_denied_call_shows_a_secret(rclone_server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """No error of a denied request shows a secret or a signature.

    The server's answer repeats what it was asked to check.
    """
    rclone_server.create_bucket("denied")
    fs = RegistryS3FileSystem(**{**rclone_server.options("denied"), "secretkey": "WrongSecretThatIsSecretToo"})
    failing = tuple(name for name in CALLS if name != "sign")
    check(shown(fs, failing, caplog), fs)


@pytest.mark.promise("Secrets and credentials")
def test_no_dead_endpoint_shows_a_secret(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """No error of an endpoint that does not answer shows a secret or a signature.

    botocore names the whole URL that it cannot connect to, and logs the traceback.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    dead = {"regionendpoint": f"http://127.0.0.1:{port}", "config_kwargs": {"retries": {"total_max_attempts": 1}}}
    fs = RegistryS3FileSystem(**{**options, **dead}, sessiontoken=TOKEN)
    failing = tuple(name for name in CALLS if name != "sign")
    text = shown(fs, failing, caplog)
    assert "Could not connect to the endpoint URL" in text
    check(text, fs)


# A server that quotes all it is sent


def signatures(request: Request) -> set[str]:
    """What signs a request, in a header of version 4 or 2 or in the URL, as sent and decoded."""
    text = f"{request.target} {request.header('Authorization')}"
    found = re.findall(r"(?:Signature=|AWS \S+:)([A-Za-z0-9+/=%]+)", text)
    return {*found, *map(unquote, found)}


class Quoting:
    """Refuses each request with the code that its key begins with, and quotes the request in every way."""

    def __init__(self) -> None:
        self.signatures: set[str] = set()

    def __call__(self, request: Request) -> Answer:
        self.signatures |= signatures(request)
        return fitted(self._answer(request), request)

    def _answer(self, request: Request) -> Answer:
        path, _, query = request.target.partition("?")
        if "blobs" in path or ("given" in path and (request.method == "HEAD" or not request.header("If-Match"))):
            return whole_object(b"abc")
        lines = "\n".join(f"{name}: {value}" for name, value in request.headers)
        said = f"{request.method} {request.target} {lines}"
        if path.endswith("page"):
            return plain(200, said.encode())
        more = "".join(f"<{name}>{value}</{name}>" for name, value in self._elements(request, said))
        if request.method == "POST" and query == "delete":
            error = f"<Error><Key>registry/a</Key><Code>AccessDenied</Code><Message>{escape(said)}</Message></Error>"
            return plain(200, f"<DeleteResult>{error}</DeleteResult>".encode())
        code = re.sub(r"\W.*", "", unquote(path).rpartition("/")[2]) or "AccessDenied"
        return refusal(412 if code == "PreconditionFailed" or "given" in path else 403, code, escape(said), more)

    def _elements(self, request: Request, said: str) -> Iterator[tuple[str, str]]:
        yield "StringToSign", escape(said)
        yield "StringToSignBytes", said.encode().hex(" ")
        yield "Token-0", request.header("x-amz-security-token", "")
        for signature in signatures(request):
            yield "SignatureProvided", signature


@pytest.fixture(params=[{}, *thorough({"v4auth": False})], ids=["v4", "v2"])
def quoted(request: pytest.FixtureRequest) -> Iterator[tuple[RegistryS3FileSystem, Quoting]]:
    """A filesystem with a session token on such a server."""
    quoting = Quoting()
    with ScriptedServer(quoting) as server:
        keys = {"accesskey": "AKIDOFTHISTEST000042", "secretkey": SECRET, "sessiontoken": TOKEN}
        tries = {"config_kwargs": {"retries": {"total_max_attempts": 2}}}
        yield (
            RegistryS3FileSystem(**server.options(keys, **request.param, **tries, rootdirectory="registry")),
            quoting,
        )


def no_secret_in(text: str, quoting: Quoting) -> None:
    assert quoting.signatures
    for secret in (SECRET, TOKEN, TOKEN.encode().hex(" "), "AKIDOFTHISTEST00", *quoting.signatures):
        assert secret not in text


@pytest.mark.promise("Secrets and credentials")
def test_no_error_code_of_s3_shows_a_secret(
    quoted: tuple[RegistryS3FileSystem, Quoting], caplog: pytest.LogCaptureFixture
) -> None:
    """No error of S3 shows a secret or a signature, whatever its code, though the server quotes the whole signed
    request.
    """
    fs, quoting = quoted
    texts = []
    for code in error_codes.S3_CODES:
        for call in (fs.cat_file, fs.find, lambda path: fs.pipe_file(path, b"1")):
            try:
                call(f"/{code}")
            except OSError as error:
                texts.append(text_of(error))
    assert len(texts) > 2 * len(error_codes.S3_CODES)
    no_secret_in("\n".join([*texts, *map(handled, caplog.records)]), quoting)


def raised(found: object) -> None:
    """Raise an error that stands in place of a value."""
    assert isinstance(found, Exception)
    raise found


PROVOKED: dict[str, Callable[[RegistryS3FileSystem], Any]] = {
    "BucketNotFoundError": lambda fs: fs.cat_file("/NoSuchBucket"),
    "FileExpired": lambda fs: fs.open("/given", "rb").read(),
    "DigestMismatchError": lambda fs: fs.cat_file(
        registry_layout.blob_path(registry_layout.digest(b"others")), verify=True
    ),
    "InvalidResponseError": lambda fs: fs.pipe_file("/page", b"1"),
    "BulkError": lambda fs: fs.rm(["/a", "/b"]),
    "RefusedParameterError": lambda fs: fs.cat_file("/InvalidArgument"),
    "InvalidPathError": lambda fs: fs.cat_file("/a/../b"),
    "ForeignBucketError": lambda fs: fs.cat_file("registrys3://other/a"),
    "PathNotFoundError": lambda fs: StorageDriver(fs).get_content("/NoSuchKey"),
    "InvalidOffsetError": lambda fs: StorageDriver(fs).reader("/a", -1),
    "StorageDriverError": lambda fs: StorageDriver(fs).get_content("/AccessDenied"),
    "NotInRegistryError": lambda fs: Catalog(fsspec.filesystem("memory"), "/none").repositories(),
    "InvalidReferenceError": lambda fs: Catalog(fs).resolve("Team:"),
    "PlatformError": lambda fs: parse_platform("x"),
    "LinkError": lambda fs: raised(reading.parse_link("/link", b"garbled")),
    "FileTooLargeError": lambda fs: raised(dict(reading.read_files(fs, [("/x", 10**9)], 1))["/x"]),
    "NotAFileError": lambda fs: reading.raise_if_no_file(fsspec.filesystem("file"), "/dev/null"),
    "UnreadableDocumentError": lambda fs: documents.parse(b"{"),
    "UnreadableManifestError": lambda fs: parse_manifest(b"{}"),
    "LayerError": lambda fs: raised(errors.bad_layer("the layer is cut short")),
    "RefusedNameError": lambda fs: raised(errors.refused_name("/x", "the name '../a'", "it leads outside")),
    "IncompleteError": lambda fs: raised(errors.blob_missing("sha256:" + 64 * "0", "/x")),
    "LayoutError": lambda fs: parse_name("a:b:c"),
}
SIGNALS = {"SkipDir", "FilledBuffer"}
"""Raised by callers, to end a walk."""


def test_every_class_of_errors_is_provoked() -> None:
    """A new one needs a call here."""
    found = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert found - SIGNALS == PROVOKED.keys()


@pytest.mark.promise("Secrets and credentials")
@pytest.mark.parametrize("name", PROVOKED)
def test_no_class_of_errors_shows_a_secret(
    quoted: tuple[RegistryS3FileSystem, Quoting], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No class of errors shows a secret or a signature: not in its text, not in its causes, not when it is pickled.

    Text, repr, args, causes, contexts, traceback and the log are searched.
    """
    fs, quoting = quoted
    with pytest.raises(getattr(errors, name)) as failed:
        PROVOKED[name](fs)
    assert type(failed.value) is getattr(errors, name)
    with suppress(OSError):
        fs.cat_file("/AccessDenied")  # so that something was signed
    again = pickle.loads(pickle.dumps(failed.value))
    texts = [text_of(failed.value), text_of(again), *map(handled, caplog.records)]
    texts += [text_of(each) for each in getattr(failed.value, "errors", {}).values()]
    no_secret_in("\n".join(texts), quoting)


@pytest.mark.promise("Secrets and credentials")
def test_no_object_shows_a_secret(quoted: tuple[RegistryS3FileSystem, Quoting]) -> None:
    """No `repr` of any object and no warning shows a secret or a signature."""
    fs, quoting = quoted
    fast_path = fs.bucket.fast_path
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with suppress(OSError):
            fs.open("/NotImplemented", "wb").write(b"1")
        with fs.open("/given", "rb") as file:
            made = [
                fs,
                file,
                fs.parameters,
                fs.bucket,
                fs.pool,
                fast_path,
                *vars(fast_path).values(),
                StorageDriver(fs),
            ]
            made += [fs.get_mapper("/"), fs.transaction, fs.dircache, fs.bucket.client, pickle.loads(pickle.dumps(fs))]
            made += [fsspec.core.OpenFile(fs, "/given"), fs.to_dict(include_password=False), fs.fsid]
        gc.collect()
    signed = [each for each in made if isinstance(each, dict) and SignedHead in map(type, each.values())]
    assert bool(signed) == fs.parameters.v4auth
    assert any(issubclass(each.category, ResourceWarning) for each in warned)
    texts = [fs.to_json(include_password=False), *map(repr, made), *map(str, made), *(str(each) for each in warned)]
    no_secret_in("\n".join(texts), quoting)


@pytest.mark.promise("Secrets and credentials")
def test_no_logger_that_logs_is_without_the_filter(options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Records of botocore's loggers are masked too, where users turn these on themselves."""
    fs = RegistryS3FileSystem(**options, useragent="loggers")
    shown(fs, FAILING, caplog)
    ours = {name for each in caplog.records if (name := each.name).partition(".")[0] in redaction.LOGGERS}
    assert ours >= SPEAKING
    assert [name for name in ours if not logging.getLogger(name).filters] == []


def test_http_clients_debuglevel_prints_nothing_of_the_fast_path(
    fs: RegistryS3FileSystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it prints of boto3's own connections nobody can mask; docs/parameters.md says so."""
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    fs.pipe_file("/f", b"1")
    assert (fs.cat_file("/f"), fs.find("/")) == (b"1", ["/f"])
    assert capsys.readouterr().out == ""


@pytest.mark.promise("Secrets and credentials")
@pytest.mark.parametrize(
    "text",
    [
        "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>XX/X+X=</SecretAccessKey></Credentials>",
        "<SessionToken>XX/X+X=</SessionToken>",
        """b'{"roleCredentials":{"secretAccessKey":"XX/X+X=","sessionToken":"XX/X+X="}}'""",
        """{"AccessKeyId" : "ASIA", "Token" : "XX/X+X="}""",
        "{'body': {'WebIdentityToken': 'XX/X+X='}}",
        "'x-amz-sso_bearer_token': 'XX/X+X='",
        "'X-aws-ec2-metadata-token': 'XX/X+X='",
        '{\\"clientSecret\\":\\"XX/X+X=\\",\\"refreshToken\\":\\"XX/X+X=\\"}',
    ],
)
def test_what_boto3_is_told_on_its_way_to_credentials_is_masked(text: str) -> None:
    """Answers of STS, SSO and the metadata services are masked in the log.

    botocore logs these answers at DEBUG.
    """
    assert "XX/X+X=" not in redaction.redact(text)


def test_continuation_tokens_are_no_secrets() -> None:
    """They are of use in a log."""
    for text in ("<NextContinuationToken>1ueGcx</NextContinuationToken>", "continuation-token=1ueGcx"):
        assert redaction.redact(text) == text

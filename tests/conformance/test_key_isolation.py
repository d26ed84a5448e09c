"""Other people's keys are out of reach: whatever path a caller hands over, no request names one.

The server writes down what it is asked, and each request is read as a server would read it: the decoded
path, the query's prefix and markers, the source of a copy, the keys of a DeleteObjects.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import fsspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem, StorageDriver
from testbed import servers
from testbed.servers import Server
from tests import calls

BUCKET, ROOT = "reach", "reg/"
OTHERS = {BUCKET: ("secret", "reg", "registry2/secret", "reg2/d/f", "d/f"), "other": ("reg/d/f", "secret")}
"""What nobody may touch."""
OURS = ("a", "x", "fine", "d/f", "d/e/g", "%2e%2e/f", "..%2f", "e/*", "m/")

Request = tuple[str, str, dict[str, str], str]


# Reading a request as a server does


def beyond(request: Request) -> list[str]:
    """What a request names outside the bucket and root, or in a way that HTTP clients may normalise."""
    method, target, headers, body = request
    path, _, query = target.partition("?")
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    asked = parse_qs(query, keep_blank_values=True)
    wrong = [] if bucket == BUCKET else [f"bucket {bucket!r}"]
    if key:
        wrong += _beyond_root("key", key, dotted=True)
    elif method != "HEAD":  # of the bucket alone, to tell whether it exists
        wrong += _of_many(method, asked, body)
    if "x-amz-copy-source" in headers:
        source = unquote(headers["x-amz-copy-source"].partition("?")[0]).removeprefix("/")
        wrong += _beyond_root("source", source.removeprefix(f"{BUCKET}/") if source.startswith(f"{BUCKET}/") else "?")
    return wrong


def _of_many(method: str, asked: dict[str, list[str]], body: str) -> list[str]:
    if method == "POST" and "delete" in asked:
        found = ElementTree.fromstring(body.encode("latin-1")).iter()
        return [each for key in found if key.tag.endswith("Key") for each in _beyond_root("key", key.text or "")]
    if method != "GET":
        return [f"{method} of a bucket"]
    markers = [name for name in ("key-marker", "start-after", "marker") if name in asked]
    return [each for name in ("prefix", *markers) for each in _beyond_root(name, asked.get(name, [""])[0])]


def _beyond_root(what: str, key: str, *, dotted: bool = False) -> list[str]:
    inner = key.removesuffix("/").split("/")
    if not key.startswith(ROOT) or (dotted and {"", ".", ".."} & set(inner)):
        return [f"{what} {key!r}"]
    return []


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [
        ("GET", "/other/reg/f", {}, ""),
        ("GET", "/reach/registry2/secret", {}, ""),
        ("HEAD", "/reach/reg", {}, ""),
        ("PUT", "/reach/reg/%2E%2E/x", {}, ""),
        ("PUT", "/reach/reg//x", {}, ""),
        ("HEAD", "/other", {}, ""),
        ("DELETE", "/reach", {}, ""),
        ("GET", "/reach", {}, ""),
        ("GET", "/reach?list-type=2&prefix=reg", {}, ""),
        ("GET", "/reach?uploads&prefix=", {}, ""),
        ("GET", "/reach?versions&prefix=reg/&key-marker=registry2/", {}, ""),
        ("GET", "/reach?list-type=2&prefix=reg/&start-after=a", {}, ""),
        ("PUT", "/reach/reg/x", {"x-amz-copy-source": "reach/reg2/f"}, ""),
        ("PUT", "/reach/reg/x", {"x-amz-copy-source": "/other/reg/f?versionId=1"}, ""),
        ("POST", "/reach?delete", {}, "<D><Object><Key>reg/x</Key></Object><Object><Key>secret</Key></Object></D>"),
    ],
)
def test_each_way_out_is_seen(method: str, target: str, headers: dict[str, str], body: str) -> None:
    """The reading of requests misses none of those."""
    assert beyond((method, target, headers, body))


# Hostile paths

COMPONENTS = (
    *("a", "d", "d/f", "fine", "..", ".", "", "reg", "reg2", "registry2", "secret", "other", "d/e/.."),
    *("%2e%2e", "%2E%2E%2F", "%252e%252e", "%2f", "..%2f", "%00", "\x00", "\n", "\r\nHost: other", "\x7f", "\x85"),
    *(
        "\\",
        "..\\",
        "\\..\\..",
        "*",
        "**",
        "?",
        "[.][.]",
        "[!a]*",
        "[",
        "{..,a}",
        "..*",
        "é",
        "．．",
        "\u2028",
        "\ud800",
    ),
    *("?versionId=1", "?prefix=", "&delete", "#", "+", " ", "~", "k=v", "a" * 1025, "é" * 513, "m/", "<Key>", ";"),
)
FRONTS = (
    *(
        "",
        "/",
        "//",
        "\\",
        "/../",
        "registrys3://reach/",
        "registrys3:///",
        "registrys3://other/",
        "registrys3::other/",
    ),
    *("registrys3://reach%2f..%2fother/", "REGISTRYS3://other/", "s3://other/", "http://other/", "registrys3:/other/"),
)
PATHS = st.builds(
    lambda front, components, end: front + "/".join(components) + end,
    st.sampled_from(FRONTS),
    st.lists(st.one_of(st.sampled_from(COMPONENTS), st.text(max_size=5)), max_size=4),
    st.sampled_from(("", "", "/", "/*", "/..")),
)


def following(url: str) -> None:
    """Send what a presigned URL asks for, without a word changed."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", url.removeprefix(f"http://{parts.netloc}"))
    connection.getresponse().read()
    connection.close()


def in_a_mapper(fs: RegistryS3FileSystem, path: str) -> None:
    mapper = fs.get_mapper("/d")
    mapper[path] = b"1"
    mapper.getitems([path, "f"], on_error="omit")
    mapper.pop(path, None)
    list(mapper)


def in_a_transaction(fs: RegistryS3FileSystem, path: str) -> None:
    with fs.transaction:
        fs.pipe_file(path, b"1")


MORE: dict[str, Callable[[Any, Any], Any]] = {
    "sign and follow": lambda fs, path: following(fs.sign(path)),
    "sign of another": lambda fs, path: following(fs.sign("/a", Key=path, Bucket="other")),
    "sign a copy": lambda fs, path: fs.sign("/a", client_method="copy_object", CopySource=f"other/{path}"),
    "setxattr of another": lambda fs, path: fs.setxattr("/a", copy_kwargs={"Key": path}),
    "setxattr from another": lambda fs, path: fs.setxattr("/a", copy_kwargs={"CopySource": f"other/{path}"}),
    "find withdirs": lambda fs, path: fs.find(path, withdirs=True, maxdepth=2, detail=True),
    "glob as it is": lambda fs, path: fs.glob(path, detail=True),
    "glob to a depth": lambda fs, path: fs.glob(path, maxdepth=2),
    "expand_path of many": lambda fs, path: fs.expand_path([path, "/d/*"]),
    "copy recursive": lambda fs, path: fs.copy(path, "/y", recursive=True),
    "copy recursive to": lambda fs, path: fs.copy("/d", path, recursive=True),
    "copy list to": lambda fs, path: fs.copy(["/x", "/a"], path),
    "copy lists to": lambda fs, path: fs.copy(["/x", "/a"], ["/y", path]),
    "mv recursive to": lambda fs, path: fs.mv("/d", path, recursive=True),
    "get recursive": lambda fs, path: fs.get(path, calls.FETCHED, recursive=True),
    "put recursive": lambda fs, path: fs.put("sent", path, recursive=True),
    "rm list recursive": lambda fs, path: fs.rm(["/x", path], recursive=True),
    "touch again": lambda fs, path: fs.touch(path, truncate=False),
    "open wb in parts": lambda fs, path: fs.pipe_file(path, bytes(5 * 2**20 + 1), block_size=5 * 2**20),
    "info of its own version": lambda fs, path: fs.info("/a", version_id=path),
    "get_mapper as a mapping": in_a_mapper,
    "pipe in a transaction": in_a_transaction,
    "put_tags merged": lambda fs, path: fs.put_tags(path, {"a": "1"}, mode="m"),
    "clear_multipart_uploads of all": lambda fs, path: fs.clear_multipart_uploads(path, older_than=timedelta(-1)),
}
NO_PATHS = {
    *("clear_instance_cache", "current", "from_config", "from_dict", "from_json", "to_dict", "to_json"),
    *("start_transaction", "end_transaction", "transaction_type"),
}
DRIVER_MORE: dict[str, Callable[[Any, Any], Any]] = {
    "walk after": lambda driver, path: driver.walk("/", lambda info: None, path),
    "redirect_url and follow": lambda driver, path: following(driver.redirect_url(path, "HEAD")),
    "writer appending": lambda driver, path: driver.writer(path, append=True).cancel(),
}
DRIVER_NO_PATHS = {"from_parameters", "name"}


def test_no_public_method_is_left_out() -> None:
    """One that these classes or fsspec's gain needs a call here, or is said to take no path."""
    assert calls.public(RegistryS3FileSystem) - NO_PATHS <= calls.tried(calls.FILESYSTEM | MORE)
    assert calls.public(StorageDriver) - DRIVER_NO_PATHS <= calls.tried(calls.DRIVER | DRIVER_MORE)


# The server that is watched


class Watched:
    """A server with our keys and others', and what it was asked."""

    def __init__(self, server: Server, log: Path) -> None:
        self.server, self._log, self._client = server, log, server.client()
        for bucket, keys in OTHERS.items():
            server.create_bucket(bucket)
            for key in keys:
                self._client.put_object(Bucket=bucket, Key=key, Body=b"not yours")
        self._read = log.stat().st_size
        options = server.options(BUCKET, rootdirectory="/reg", multipartcopythresholdsize=2)
        self.fs = RegistryS3FileSystem(**options, config_kwargs={"retries": {"total_max_attempts": 1}})
        self.driver = StorageDriver(self.fs)

    def plant(self, keys: tuple[str, ...] = OURS) -> None:
        """Put our keys there, those of more than 2 bytes to be copied in parts."""
        for key in keys:
            self._client.put_object(Bucket=BUCKET, Key=ROOT + key, Body=key[:4].encode())

    def requests(self) -> list[Request]:
        """Those since the last look."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        self._read += len(lines)
        return [tuple(json.loads(line)) for line in lines.splitlines()]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """No request of the block, which hostile input may end by OSError or ValueError, names what is not ours."""
        self.requests()
        with suppress(OSError, ValueError):
            yield
        found = [(request[:2], wrong) for request in self.requests() if (wrong := beyond(request))]
        assert found == []

    def others(self) -> dict[str, list[tuple[str, int]]]:
        listed = {bucket: self._client.list_objects_v2(Bucket=bucket)["Contents"] for bucket in OTHERS}
        return {
            bucket: [
                (each["Key"], each["Size"]) for each in found if bucket != BUCKET or not each["Key"].startswith(ROOT)
            ]
            for bucket, found in listed.items()
        }


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with servers.recording_moto() as (server, log):
        found = Watched(server, log)
        yield found
        assert found.others() == {bucket: [(key, 9) for key in sorted(keys)] for bucket, keys in OTHERS.items()}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sent").mkdir()
    for name in ("f", "..f", "a\\b", "%2e%2e"):
        Path("sent", name).write_bytes(b"1")


few = settings(max_examples=5, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("name", calls.FILESYSTEM | MORE)
def test_no_call_names_what_is_not_ours(watched: Watched, name: str) -> None:
    """No request of any method names a key or prefix outside `rootdirectory`, or another bucket, whatever path is
    given.
    """
    call = (calls.FILESYSTEM | MORE)[name]
    watched.plant()

    @few
    @given(PATHS)
    @example("/d")
    @example("/")
    @example("/reg2/d")
    @example("/a/../../registry2/secret")
    @example("/%2e%2e/f")
    @example("/d/*")
    def attempt(path: str) -> None:
        with watched.watching():
            call(watched.fs, path)

    attempt()


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("name", calls.DRIVER | DRIVER_MORE)
def test_no_call_of_the_driver_names_what_is_not_ours(watched: Watched, name: str) -> None:
    """No request of the storage driver names a key or prefix outside `rootdirectory`, or another bucket."""
    call = (calls.DRIVER | DRIVER_MORE)[name]
    watched.plant()

    @few
    @given(PATHS)
    @example("/d")
    @example("/")
    @example("/d/f")
    @example("/reg2/d")
    @example("/a/../../registry2/secret")
    def attempt(path: str) -> None:
        with watched.watching():
            call(watched.driver, path)

    attempt()


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize(
    "name",
    [
        "find",
        "walk",
        "glob as it is",
        "get recursive",
        "copy recursive",
        "cat recursive",
        "mv recursive",
        "rm recursive",
    ],
)
@pytest.mark.parametrize("key", ["h/../../registry2/secret", "h//f", "h/./f"])
def test_keys_of_other_tools_lead_nowhere(watched: Watched, name: str, key: str) -> None:
    """Keys of other tools whose dots lead out of `rootdirectory` are never asked for by a URL."""
    watched.plant(("h/f", key))
    with watched.watching():
        (calls.FILESYSTEM | MORE)[name](watched.fs, "/h/**" if name == "glob as it is" else "/h")
    with watched.watching():
        watched.fs.rm("/h", recursive=True)
    assert [item.key for page in watched.fs.bucket.list("reg/h/") for item in page.objects] == []


@pytest.mark.promise("Paths and names")
@few
@given(
    st.lists(
        st.tuples(st.sampled_from([each for each in FRONTS if "gistrys3" in each]), PATHS), min_size=1, max_size=3
    ),
    PATHS,
)
@example([("registrys3://reach/", "d/*")], "../../registry2/secret")
@example([("registrys3://reach/", "x"), ("registrys3://other/", "secret")], "")
def test_no_list_of_urls_names_what_is_not_ours(watched: Watched, urls: list[tuple[str, str]], name: str) -> None:
    """No list of URLs and no write mask leads outside `rootdirectory`, or to another bucket."""
    options = {**watched.fs.storage_options}
    for mode in ("wb", "rb"):
        with watched.watching(), suppress(TypeError):
            for file in fsspec.open_files(
                ["".join(url) for url in urls], mode, name_function=lambda index: name, **options
            ):
                with file as opened:
                    opened.write(b"1") if mode == "wb" else opened.read()


ENDPOINTS = (
    *("https://cdn.example.com", "http://cdn.example.com:8080/", "https://[::1]:9000", "HTTPS://CDN.example.com"),
    *("https://cdn.example.com/other", "https://cdn.example.com/..", "https://cdn.example.com?x", "https://h#", "cdn"),
    *("https://us@er.example.com", "https://h\\other", "https://h:80:81", "https://h:x", "//h", "javascript://h"),
    *("https://", "https://h%2fother", "https://h other", "https://h\r\nHost: x", "https://h;x", "https://é.example"),
)


@pytest.mark.promise("Configuration")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
@few
@given(PATHS)
@example("/d/f")
def test_a_presigned_url_is_of_our_key_at_the_endpoint_given(endpoint: str, path: str) -> None:
    """A presigned URL is of the path's key, at the endpoint or at `redirectendpoint`."""
    options = {"bucket": BUCKET, "region": "eu-west-1", "accesskey": "A", "secretkey": "S", "forcepathstyle": True}
    with suppress(ValueError, IsADirectoryError):
        fs = RegistryS3FileSystem(**options, rootdirectory=ROOT, redirectendpoint=endpoint)
        for sign in (fs.sign, StorageDriver(fs).redirect_url):
            url, given_url = urlsplit(sign(path)), urlsplit(endpoint)
            assert (url.scheme, url.netloc.lower()) == (given_url.scheme, given_url.netloc.lower())
            assert beyond(("GET", f"{url.path}?{url.query}", {}, "")) == []

"""Paths: what becomes a key, what is refused, and that both ways agree."""

from __future__ import annotations

import inspect
import io
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import ForeignBucketError, InvalidPathError
from registry_s3fs.paths import KeySpace, RegistryPath, parse

COMPONENT = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
    lambda text: text not in (".", "..")
)
PATH = st.lists(COMPONENT, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
ROOT = st.sampled_from(["", "/", "reg", "/reg", "/reg/", "/a/b"])


def filesystem(**options: object) -> RegistryS3FileSystem:
    return RegistryS3FileSystem(**{"bucket": "demo", "region": "us-east-1", **options})


@given(ROOT, PATH)
def test_a_key_leads_back_to_its_path(root: str, path: str) -> None:
    """Translation through rootdirectory is one to one, whatever characters a component has."""
    space = KeySpace(root)
    assert space.path(space.key(parse(path))) == path


@given(ROOT, PATH)
def test_a_key_is_the_go_drivers(root: str, path: str) -> None:
    """Key = (rootdirectory.rstrip("/") + path).lstrip("/"), as in the Go driver."""
    assert KeySpace(root).key(path) == (root.rstrip("/") + path).lstrip("/")


@pytest.mark.parametrize("root", ["/reg", "reg", "/reg/"])
def test_a_sibling_of_rootdirectory_is_never_seen(root: str) -> None:
    """The boundary of a prefix is a slash."""
    assert KeySpace(root).prefix("/") == "reg/"
    assert KeySpace(root).path("registry2/x") is None
    assert KeySpace(root).path("reg") is None


@pytest.mark.parametrize("path", ["/a/../b", "/..", "..", "/a/.", ".", "a//b", "/a/./b", "registrys3://demo/a/../../b"])
def test_a_path_that_http_would_normalise_is_refused(path: str) -> None:
    """`.`, `..` and empty components raise before any request could leave rootdirectory."""
    with pytest.raises(InvalidPathError):
        parse(path)


def test_what_no_key_can_hold_is_refused() -> None:
    """A lone surrogate, or a key over 1,024 bytes, is a ValueError."""
    with pytest.raises(InvalidPathError):
        parse("/\ud800")
    KeySpace("/reg").key("/" + "é" * 510)
    with pytest.raises(InvalidPathError):
        KeySpace("/reg").key("/" + "é" * 511)


@pytest.mark.parametrize(
    ("url", "path", "bucket"),
    [
        ("registrys3://demo/docker/registry/v2", "/docker/registry/v2", "demo"),
        ("registrys3://demo/docker/", "/docker", "demo"),
        ("registrys3://demo", "/", "demo"),
        ("registrys3:///docker", "/docker", ""),
        ("/docker", "/docker", ""),
        ("docker", "/docker", ""),
        ("", "/", ""),
        ("registrys3://demo/a%20b?c#d", "/a%20b?c#d", "demo"),
    ],
)
def test_urls_and_paths_mean_the_same(url: str, path: str, bucket: str) -> None:
    """All forms of a path lead to one, and the bucket of a URL is remembered, even pickled."""
    found = RegistryS3FileSystem._strip_protocol(url)
    assert (found, found.bucket) == (path, bucket)
    assert pickle.loads(pickle.dumps(found)).bucket == bucket
    assert RegistryS3FileSystem._get_kwargs_from_urls(url) == ({"bucket": bucket} if bucket else {})


def test_a_write_mask_keeps_its_bucket() -> None:
    """fsspec fills the `*` of a mask with str.replace; the foreign bucket must still be seen."""
    assert parse("registrys3://other/part-*.csv").replace("*", "0").bucket == "other"


CALLS = {
    "info": lambda fs, url: fs.info(url),
    "exists": lambda fs, url: fs.exists(url),
    "isfile": lambda fs, url: fs.isfile(url),
    "isdir": lambda fs, url: fs.isdir(url),
    "ls": lambda fs, url: fs.ls(url),
    "find": lambda fs, url: fs.find(url),
    "walk": lambda fs, url: list(fs.walk(url)),
    "glob": lambda fs, url: fs.glob(url + "/*"),
    "du": lambda fs, url: fs.du(url),
    "cat": lambda fs, url: fs.cat(url),
    "cat list": lambda fs, url: fs.cat(["/fine", url]),
    "cat_file": lambda fs, url: fs.cat_file(url),
    "cat_ranges": lambda fs, url: fs.cat_ranges([url], [0], [1], on_error="raise"),
    "head": lambda fs, url: fs.head(url),
    "tail": lambda fs, url: fs.tail(url),
    "pipe": lambda fs, url: fs.pipe({url: b""}),
    "pipe_file": lambda fs, url: fs.pipe_file(url, b""),
    "open rb": lambda fs, url: fs.open(url, "rb"),
    "open wb": lambda fs, url: fs.open(url, "wb"),
    "open ab": lambda fs, url: fs.open(url, "ab"),
    "open xt": lambda fs, url: fs.open(url, "xt"),
    "get": lambda fs, url: fs.get(url, "/tmp/never"),
    "get_file": lambda fs, url: fs.get_file(url, "/tmp/never"),
    "put": lambda fs, url: fs.put(__file__, url),
    "put_file": lambda fs, url: fs.put_file(__file__, url),
    "cp_file from": lambda fs, url: fs.cp_file(url, "/x"),
    "copy to": lambda fs, url: fs.copy("/x", url),
    "mv": lambda fs, url: fs.mv(url, "/x"),
    "rm": lambda fs, url: fs.rm(url),
    "rm recursive": lambda fs, url: fs.rm(url, recursive=True),
    "rm list": lambda fs, url: fs.rm([url]),
    "rm_file": lambda fs, url: fs.rm_file(url),
    "touch": lambda fs, url: fs.touch(url),
    "mkdir": lambda fs, url: fs.mkdir(url),
    "makedirs": lambda fs, url: fs.makedirs(url),
    "rmdir": lambda fs, url: fs.rmdir(url),
    "cat recursive": lambda fs, url: fs.cat(url, recursive=True),
    "cat_file of a version": lambda fs, url: fs.cat_file(url, version_id="v"),
    "info of a version": lambda fs, url: fs.info(url, version_id="v"),
    "file_info": lambda fs, url: fs.file_info(url),
    "open rb of a version": lambda fs, url: fs.open(url, "rb", version_id="v"),
    "open in gzip": lambda fs, url: fs.open(url, "wt", compression="gzip"),
    "get to a file object": lambda fs, url: fs.get_file(url, io.BytesIO(), version_id="v"),
    "get list": lambda fs, url: fs.get(["/fine", url], "/tmp/never"),
    "put list": lambda fs, url: fs.put([__file__], [url]),
    "pipe create": lambda fs, url: fs.pipe_file(url, b"", mode="create"),
    "cp_file to": lambda fs, url: fs.cp_file("/x", url),
    "cp": lambda fs, url: fs.cp(url, "/x"),
    "copy list": lambda fs, url: fs.copy(["/fine", url], ["/x", "/y"]),
    "mv to": lambda fs, url: fs.mv("/x", url),
    "mv recursive": lambda fs, url: fs.mv(url, "/x", recursive=True),
    "rename": lambda fs, url: fs.rename(url, "/x"),
    "delete": lambda fs, url: fs.delete(url),
    "expand_path": lambda fs, url: fs.expand_path(url, recursive=True),
    "read_block": lambda fs, url: fs.read_block(url, 0, 1),
    "read_bytes": lambda fs, url: fs.read_bytes(url),
    "write_bytes": lambda fs, url: fs.write_bytes(url, b""),
    "read_text": lambda fs, url: fs.read_text(url),
    "write_text": lambda fs, url: fs.write_text(url, ""),
    "size": lambda fs, url: fs.size(url),
    "sizes": lambda fs, url: fs.sizes([url]),
    "stat": lambda fs, url: fs.stat(url),
    "lexists": lambda fs, url: fs.lexists(url),
    "mkdirs": lambda fs, url: fs.mkdirs(url),
    "disk_usage": lambda fs, url: fs.disk_usage(url),
    "listdir": lambda fs, url: fs.listdir(url),
    **(
        {"tree": lambda fs, url: fs.tree(url)} if hasattr(RegistryS3FileSystem, "tree") else {}
    ),  # fsspec has it from 2025 on
    "get_mapper": lambda fs, url: fs.get_mapper(url),
    "makedir": lambda fs, url: fs.makedir(url),
    "move": lambda fs, url: fs.move(url, "/x"),
    "download": lambda fs, url: fs.download(url, "/tmp/never"),
    "upload": lambda fs, url: fs.upload(__file__, url),
    "metadata": lambda fs, url: fs.metadata(url),
    "getxattr": lambda fs, url: fs.getxattr(url, "a"),
    "setxattr": lambda fs, url: fs.setxattr(url, a="1"),
    "get_tags": lambda fs, url: fs.get_tags(url),
    "put_tags": lambda fs, url: fs.put_tags(url, {}),
    "object_version_info": lambda fs, url: fs.object_version_info(url),
    "list_multipart_uploads": lambda fs, url: fs.list_multipart_uploads(url),
    "clear_multipart_uploads": lambda fs, url: fs.clear_multipart_uploads(url, older_than=timedelta(0)),
    "created": lambda fs, url: fs.created(url),
    "modified": lambda fs, url: fs.modified(url),
    "checksum": lambda fs, url: fs.checksum(url),
    "ukey": lambda fs, url: fs.ukey(url),
    "sign": lambda fs, url: fs.sign(url),
    "unstrip_protocol": lambda fs, url: fs.unstrip_protocol(url),
    "invalidate_cache": lambda fs, url: fs.invalidate_cache(url),
}
NO_PATHS = {"from_config"}
"""Methods with an argument of such a name that is no path in the bucket."""


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("url", "error"),
    [("registrys3://other/a", ForeignBucketError), ("registrys3://demo/a/../b", InvalidPathError)],
    ids=["foreign bucket", "dots"],
)
def test_every_method_refuses_without_a_request(call: object, url: str, error: type[Exception]) -> None:
    """A foreign bucket or a path with dots is a ValueError in every method; no socket is opened."""
    with pytest.raises(error):
        call(filesystem(), url)  # type: ignore[operator]


def test_no_method_that_takes_a_path_is_left_out() -> None:
    """One that this class or fsspec's gains is missed here."""
    takes_paths = {
        name
        for name, method in inspect.getmembers(RegistryS3FileSystem, callable)
        if not name.startswith("_")
        and {"path", "path1", "rpath", "root", "prefix", "name", "paths"} & parameters(method)
    }
    tried = {name.split()[0] for name in CALLS}
    assert takes_paths - tried == NO_PATHS


def parameters(method: object) -> set[str]:
    try:
        return set(inspect.signature(method).parameters)  # type: ignore[arg-type]
    except ValueError:
        return set()


def test_a_foreign_bucket_is_named_beside_our_own() -> None:
    """The message names both buckets."""
    with pytest.raises(ForeignBucketError, match="'other'.*'demo'"):
        filesystem().info("registrys3://other/a")


def test_the_root_of_a_bucket_is_never_removed_whole() -> None:
    """rm("/", recursive=True) is refused where rootdirectory is empty."""
    with pytest.raises(ValueError, match="whole bucket"):
        filesystem().rm("/", recursive=True)
    with pytest.raises(ValueError, match="whole bucket"):
        filesystem(rootdirectory="/").rm(["registrys3://demo/"], recursive=True)


def test_a_path_object_is_a_path() -> None:
    """A RegistryPath goes through parse unchanged, so it is checked once."""
    path = RegistryPath("/a", "b")
    assert parse(path) is path

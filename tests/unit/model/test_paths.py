"""Paths: what becomes a key, what is refused, and that both ways agree."""

from __future__ import annotations

import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.errors import ForeignBucketError, InvalidPathError
from registry_s3fs.model.paths import KeySpace, RegistryPath, parse
from tests import calls

COMPONENT = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
    lambda text: text not in (".", "..")
)
PATH = st.lists(COMPONENT, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
ROOT = st.sampled_from(["", "/", "reg", "/reg", "/reg/", "/a/b"])


def filesystem(**options: object) -> RegistryS3FileSystem:
    return RegistryS3FileSystem(**{"bucket": "demo", "region": "us-east-1", **options})


@pytest.mark.promise("Paths and names")
@given(ROOT, PATH)
def test_a_key_leads_back_to_its_path(root: str, path: str) -> None:
    """Each key leads back to its path.

    Paths and keys below `rootdirectory` are one to one, whatever characters a component has.
    """
    space = KeySpace(root)
    assert space.path(space.key(parse(path))) == path


@pytest.mark.promise("Paths and names")
@given(ROOT, PATH)
def test_a_key_is_the_go_drivers(root: str, path: str) -> None:
    """Keys are the Go driver's: `(rootdirectory.rstrip("/") + path).lstrip("/")`."""
    assert KeySpace(root).key(path) == (root.rstrip("/") + path).lstrip("/")


@pytest.mark.parametrize("root", ["/reg", "reg", "/reg/"])
def test_a_sibling_of_rootdirectory_is_never_seen(root: str) -> None:
    """The boundary of a prefix is a slash."""
    assert KeySpace(root).prefix("/") == "reg/"
    assert KeySpace(root).path("registry2/x") is None
    assert KeySpace(root).path("reg") is None


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("path", ["/a/../b", "/..", "..", "/a/.", ".", "a//b", "/a/./b", "registrys3://demo/a/../../b"])
def test_a_path_that_http_would_normalise_is_refused(path: str) -> None:
    """A path with `.`, `..` or an empty component is refused before any request."""
    with pytest.raises(InvalidPathError):
        parse(path)


def test_what_no_key_can_hold_is_refused() -> None:
    """A lone surrogate, or a key over 1,024 bytes, is a ValueError."""
    with pytest.raises(InvalidPathError):
        parse("/\ud800")
    KeySpace("/reg").key("/" + "é" * 510)
    with pytest.raises(InvalidPathError):
        KeySpace("/reg").key("/" + "é" * 511)


@pytest.mark.promise("Paths and names")
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
    """`registrys3://BUCKET/path`, `/path` and `path` mean the same file."""
    found = RegistryS3FileSystem._strip_protocol(url)
    assert (found, found.bucket) == (path, bucket)
    assert pickle.loads(pickle.dumps(found)).bucket == bucket
    assert RegistryS3FileSystem._get_kwargs_from_urls(url) == ({"bucket": bucket} if bucket else {})


def test_a_write_mask_keeps_its_bucket() -> None:
    """fsspec fills the `*` of a mask with str.replace; the foreign bucket must still be seen."""
    assert parse("registrys3://other/part-*.csv").replace("*", "0").bucket == "other"


NO_PATHS = {"from_config"}
"""Methods with an argument of such a name that is no path in the bucket."""


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("call", calls.FILESYSTEM.values(), ids=calls.FILESYSTEM)
@pytest.mark.parametrize(
    ("url", "error"),
    [("registrys3://other/a", ForeignBucketError), ("registrys3://demo/a/../b", InvalidPathError)],
    ids=["foreign bucket", "dots"],
)
def test_every_method_refuses_without_a_request(call: object, url: str, error: type[Exception]) -> None:
    """The URL of another bucket, or a path with dots, is a `ValueError` in every method, before any request."""
    with pytest.raises(error):
        call(filesystem(), url)


def test_no_method_that_takes_a_path_is_left_out() -> None:
    """One that this class or fsspec's gains is missed here."""
    takes_paths = {
        name
        for name, method in inspect.getmembers(RegistryS3FileSystem, callable)
        if not name.startswith("_")
        and {"path", "path1", "rpath", "root", "prefix", "name", "paths"} & parameters(method)
    }
    assert takes_paths - calls.tried(calls.FILESYSTEM) == NO_PATHS


def parameters(method: object) -> set[str]:
    try:
        return set(inspect.signature(method).parameters)
    except ValueError:
        return set()


@pytest.mark.promise("Paths and names")
def test_a_foreign_bucket_is_named_beside_our_own() -> None:
    """The error about a foreign bucket names both buckets."""
    with pytest.raises(ForeignBucketError, match="'other'.*'demo'"):
        filesystem().info("registrys3://other/a")


@pytest.mark.promise("Copying, moving and deleting")
def test_the_root_of_a_bucket_is_never_removed_whole() -> None:
    """`rm("/", recursive=True)` is refused where `rootdirectory` is empty."""
    with pytest.raises(ValueError, match="whole bucket"):
        filesystem().rm("/", recursive=True)
    with pytest.raises(ValueError, match="whole bucket"):
        filesystem(rootdirectory="/").rm(["registrys3://demo/"], recursive=True)


def test_the_root_is_no_file_of_a_list() -> None:
    """Without a request: there is no key to delete."""
    with pytest.raises(IsADirectoryError):
        filesystem(rootdirectory="/reg").rm(["/", "/a"])


@pytest.mark.parametrize("filled", ["..", "../x", "a//b", "."])
def test_what_fills_a_write_mask_is_checked(filled: str) -> None:
    """fsspec's name_function may give anything."""
    with pytest.raises(InvalidPathError):
        parse("registrys3://demo/parts/*").replace("*", filled)


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("field", ["Bucket", "Key", "CopySource"])
def test_a_callers_fields_name_no_other_object(field: str) -> None:
    """The fields `Bucket`, `Key` and `CopySource` are refused, as they would name another object.

    They are refused where a URL is signed and where an object is copied onto itself, too. No request is sent.
    """
    with pytest.raises(ValueError, match=f"{field}: is no field to give"):
        filesystem(accesskey="A", secretkey="S").sign("/a", **{field: "other/secret"})
    with pytest.raises(ValueError, match=f"{field}: is no field to give"):
        filesystem().setxattr("/a", copy_kwargs={field: "other/secret"})


def test_a_path_object_is_a_path() -> None:
    """A RegistryPath goes through parse unchanged, so it is checked once."""
    path = RegistryPath("/a", "b")
    assert parse(path) is path

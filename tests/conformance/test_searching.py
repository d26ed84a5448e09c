"""`glob` and `walk` give what fsspec's own do over the same keys, from fewer requests."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from glob import has_magic
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry_s3fs import RegistryS3FileSystem
from testbed.servers import Server
from tests.listening import listen

TREE = "/docker/registry/v2"
TAGS = f"{TREE}/repositories/**/_manifests/tags/*/current/link"

_numbers = itertools.count()


class Watched:
    """A filesystem, the listings it asks for, and a bound for their pages."""

    def __init__(self, fs: RegistryS3FileSystem) -> None:
        self.fs = fs
        self.sent: list[dict[str, Any]] = []
        self.page_keys = 1000
        listen(fs, "provide-client-params.s3.ListObjectsV2", self._note)

    def _note(self, params: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        self.sent.append(dict(params))
        return {"MaxKeys": self.page_keys, **params}

    def during(self, call: Callable[[], Any]) -> list[dict[str, Any]]:
        """The listings that a call asks for."""
        self.sent.clear()
        call()
        return list(self.sent)

    def prefixes(self, call: Callable[[], Any]) -> list[str]:
        """The prefixes that a call lists, each once."""
        return sorted({params["Prefix"] for params in self.during(call)})


@pytest.fixture(scope="module")
def server_bucket(moto_server: Server) -> Iterator[Callable[[dict[str, bytes]], Watched]]:
    """Makes a bucket with files."""

    def make(files: dict[str, bytes]) -> Watched:
        bucket = f"searching-{next(_numbers)}"
        moto_server.create_bucket(bucket)
        fs = RegistryS3FileSystem(**moto_server.options(bucket))
        fs.pipe(files)
        return Watched(fs)

    return make


def registry_files() -> dict[str, bytes]:
    files = [f"{TREE}/blobs/sha256/{n:02x}/{n:064x}/data" for n in range(30)]
    for team, app, tag in itertools.product(("a", "a-b", "c"), range(4), ("v1", "latest")):
        repository = f"{TREE}/repositories/{team}/app{app}"
        files += [f"{repository}/_manifests/tags/{tag}/current/link", f"{repository}/_layers/sha256/{app:064x}/link"]
    return dict.fromkeys(files, b"1")


@pytest.fixture(scope="module")
def registry(server_bucket: Callable[[dict[str, bytes]], Watched]) -> Watched:
    """A small registry."""
    return server_bucket(registry_files())


@pytest.fixture(scope="module")
def odd(server_bucket: Callable[[dict[str, bytes]], Watched]) -> Watched:
    """Files beside directories of their name, siblings that sort between, a marker, keys that no path can name."""
    names = (
        "a",
        "a/b",
        "a/b/c",
        "a-b/c",
        "a.b",
        "b/a/c/1.bin",
        "b/x/c/2.bin",
        "b/x/d/3.bin",
        "b/y",
        "c[1]/x",
        "c[1]/y",
    )
    found = server_bucket({f"/{name}": b"1" for name in names})
    for key in ("m/", "b//c", "b/./c", "b/z/", "n//x"):
        found.fs.bucket.put(key, b"")
    return found


PATTERNS = (
    *(
        "/*",
        "/**",
        "/*/",
        "/a*",
        "/a/*",
        "/a/**",
        "/a/**/",
        "/*/*",
        "/*/*/c/*.bin",
        "/b/*/c/*.bin",
        "/b/*/c",
        "/b/*/c/",
    ),
    *(
        "/**/c",
        "/**/c/*",
        "/b/**/*.bin",
        "/?/x/**",
        "/[ab]/**",
        "/[!a]*",
        "/c[[]1]/*",
        "/none/*",
        "/none/**",
        "/*/x/**",
    ),
    *(
        "/a*/b/**",
        "/b/y/*",
        "/b/y/**",
        "/**/**",
        "/*/**/c/*",
        "/m/*",
        "/m/**",
        "/m*",
        "/n*",
        "/n/**",
        "/*/*/**",
        "/b/*/",
        "/a/b",
        "/none",
        "/a/",
        "b/*",
    ),
)


@pytest.mark.parametrize("page_keys", [1000, 2])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_it_means_to_fsspec(odd: Watched, pattern: str, page_keys: int) -> None:
    """Level by level as well as from one listing of all."""
    odd.page_keys = page_keys
    expected = AbstractFileSystem.glob(odd.fs, pattern, detail=True)
    assert odd.fs.glob(pattern, detail=True) == expected
    assert odd.fs.glob(pattern) == list(expected)
    files = [name for name, info in expected.items() if info["type"] == "file" or not has_magic(pattern)]
    assert odd.fs.glob(pattern, withdirs=False) == files


parts = st.sampled_from(["*", "**", "a", "b", "a*", "?", "[ab]", "[!a]", "*b*", "c", "x", "*.bin"])


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parts, min_size=1, max_size=4), st.booleans(), st.sampled_from([1000, 2]))
def test_any_pattern_means_what_it_means_to_fsspec(
    odd: Watched, components: list[str], slash: bool, page_keys: int
) -> None:
    """In whichever order its components come."""
    odd.page_keys = page_keys
    pattern = "/" + "/".join(components) + "/" * slash
    assert odd.fs.glob(pattern, detail=True) == AbstractFileSystem.glob(odd.fs, pattern, detail=True)


def test_a_pattern_with_a_depth_means_what_it_means_to_fsspec(odd: Watched) -> None:
    """`maxdepth` counts from the first double star, and is nothing to a pattern without one."""
    odd.page_keys = 1000
    for pattern, maxdepth in itertools.product(PATTERNS, (1, 2)):
        expected = AbstractFileSystem.glob(odd.fs, pattern, maxdepth=maxdepth, detail=True)
        assert odd.fs.glob(pattern, maxdepth=maxdepth, detail=True) == expected, (pattern, maxdepth)
    both = AbstractFileSystem.glob(odd.fs, "/b/**", maxdepth=2, detail=True)
    files = [name for name, info in both.items() if info["type"] == "file"]
    assert odd.fs.glob("/b/**", maxdepth=2, withdirs=False) == files
    with pytest.raises(ValueError, match="maxdepth"):
        odd.fs.glob("/*", maxdepth=0)
    assert odd.fs.glob("/b/**", maxdepth=1) == AbstractFileSystem.glob(odd.fs, "/b/**", maxdepth=1)
    assert odd.fs.glob("/b/**", maxdepth=1) == ["/b", "/b/a", "/b/x", "/b/y", "/b/z"]


def test_a_double_star_that_is_no_component_is_refused(odd: Watched) -> None:
    """As by fsspec."""
    with pytest.raises(ValueError, match="entire path component"):
        odd.fs.glob("/a**b/*")


def test_tags_are_found_without_the_blobs(registry: Watched) -> None:
    """A pattern's literal beginning is where listing begins."""
    registry.page_keys = 1000
    assert len(registry.fs.glob(TAGS)) == 24
    assert registry.prefixes(lambda: registry.fs.glob(TAGS)) == ["docker/registry/v2/repositories/"]


def test_large_directories_are_gone_through_level_by_level(registry: Watched) -> None:
    """Only what lies where the pattern can match is listed, beyond the first page."""
    registry.page_keys = 4
    pattern = f"{TREE}/repositories/*/app1/_layers/sha256/*/link"
    assert len(registry.fs.glob(pattern)) == 3
    repositories = "docker/registry/v2/repositories/"
    assert registry.prefixes(lambda: registry.fs.glob(pattern)) == [
        repositories,
        *(f"{repositories}{team}/app1/_layers/sha256/" for team in ("a-b", "a", "c")),
    ]
    whole = [params for params in registry.sent if params["Prefix"] == repositories and "Delimiter" not in params]
    assert len(whole) == 1


def test_small_directories_are_listed_at_once(registry: Watched) -> None:
    """Where all fits into one page, that is the one request."""
    registry.page_keys = 1000
    assert len(registry.during(lambda: registry.fs.glob(f"{TREE}/repositories/*/app1/*/tags/*/current/link"))) == 1


@pytest.mark.parametrize("page_keys", [1000, 2])
@pytest.mark.parametrize("options", [{}, {"maxdepth": 1}, {"maxdepth": 2}, {"topdown": False}, {"detail": True}])
@pytest.mark.parametrize("path", ["/", "/a", "/b", "/m", "/b/y", "/none", "/b/z"])
def test_a_walk_goes_where_fsspecs_goes(odd: Watched, path: str, options: dict[str, Any], page_keys: int) -> None:
    """With little in view at a time as well as with all."""
    odd.page_keys = page_keys
    assert list(odd.fs.walk(path, **options)) == list(AbstractFileSystem.walk(odd.fs, path, **options))


@pytest.mark.promise("Listing")
@pytest.mark.parametrize("page_keys", [1, 3, 30, 1000])
def test_a_walk_may_be_pruned_and_reordered(registry: Watched, page_keys: int) -> None:
    """A walk may be pruned and reordered through `dirs`, as with `os.walk`."""
    registry.page_keys = page_keys

    def pruned(walk: Iterator[Any]) -> list[Any]:
        seen = []
        for path, dirs, files in walk:
            if path == "/docker/registry/v2":
                dirs[:] = ["repositories"]
            dirs[:] = [name for name in reversed(dirs) if name != "_layers"]
            seen.append((path, list(dirs), files))
        return seen

    assert pruned(registry.fs.walk("/")) == pruned(AbstractFileSystem.walk(registry.fs, "/"))
    assert len(pruned(registry.fs.walk("/"))) > 50


def test_a_walk_is_one_listing(registry: Watched) -> None:
    """Not a request a directory."""
    registry.page_keys = 1000
    assert len(registry.during(lambda: list(registry.fs.walk("/")))) == 1


def test_a_walk_of_few_levels_does_not_read_what_lies_deeper(registry: Watched) -> None:
    """But for the first page, each directory that is visited is one request for its children."""
    registry.page_keys = 10
    path = f"{TREE}/repositories"
    expected = list(AbstractFileSystem.walk(registry.fs, path, maxdepth=2))
    assert list(registry.fs.walk(path, maxdepth=2)) == expected
    sent = registry.during(lambda: list(registry.fs.walk(path, maxdepth=2)))
    assert ["Delimiter" in params for params in sent] == [False, True, True, True, True]


def test_a_walk_that_stops_has_not_listed_everything(registry: Watched) -> None:
    """Its first directory is there after a look ahead."""
    registry.page_keys = 2
    assert len(registry.during(lambda: next(registry.fs.walk(TREE)))) < 8


def test_what_cannot_be_listed_is_omitted_raised_or_told(server_bucket: Any) -> None:
    """By `on_error`, as fsspec's."""
    fs = server_bucket({"/a": b""}).fs
    missing: list[OSError] = []
    assert list(fs.walk("/none")) == []
    assert list(fs.walk("/none", on_error=missing.append)) == []
    assert [type(error) for error in missing] == [FileNotFoundError]
    with pytest.raises(FileNotFoundError):
        list(fs.walk("/none", on_error="raise"))
    with pytest.raises(ValueError, match="maxdepth"):
        fs.walk("/", maxdepth=0)


def test_a_walk_goes_on_after_a_request_that_failed(registry: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not listed is asked for again, and never taken for empty."""
    registry.page_keys = 5
    everything = list(registry.fs.walk("/"))
    once = iter([PermissionError(13, "denied", "/")])
    requests = itertools.count()

    def fail_once(**kwargs: Any) -> None:
        if next(requests) == 8:
            raise next(once)

    events = registry.fs.bucket.client.meta.events
    events.register("provide-client-params.s3.ListObjectsV2", fail_once)
    errors: list[OSError] = []
    walked = list(registry.fs.walk("/", on_error=errors.append))
    events.unregister("provide-client-params.s3.ListObjectsV2", fail_once)
    assert len(errors) == 1
    assert walked
    assert all(each in everything for each in walked)
    assert len(walked) >= len(everything) / 2

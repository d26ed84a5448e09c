"""Every path that the registry writes is a typed value and back, below any root; all else is unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_s3fs.model import digests
from registry_s3fs.model import registry_layout as layout

HEX = layout.digest(b"a").partition(":")[2]
SHA256 = f"sha256:{HEX}"
SHA512 = f"sha512:{HEX}{HEX}"
UUID = "7b5ef0d4-3f0e-4f6b-9d0c-0a1b2c3d4e5f"

ROOTS = ("/docker/registry/v2", "/srv/registry/docker/registry/v2", "bucket/docker/registry/v2")
FILES: dict[str, layout.RegistryFile] = {
    f"blobs/sha256/{HEX[:2]}/{HEX}/data": layout.Blob(SHA256),
    f"blobs/sha512/{HEX[:2]}/{HEX}{HEX}/data": layout.Blob(SHA512),
    "blobs/blake3/0a/0a1b2c/data": layout.Blob("blake3:0a1b2c"),
    f"repositories/team/app/_layers/sha256/{HEX}/link": layout.LayerLink("team/app", SHA256),
    f"repositories/team/app/_manifests/revisions/sha256/{HEX}/link": layout.RevisionLink("team/app", SHA256),
    f"repositories/app/_manifests/revisions/sha256/{HEX}/signatures/sha512/{HEX}{HEX}/link": layout.SignatureLink(
        "app", SHA256, SHA512
    ),
    "repositories/team/app/_manifests/tags/v1/current/link": layout.TagLink("team/app", "v1"),
    f"repositories/team/app/_manifests/tags/_v.1-x/index/sha256/{HEX}/link": layout.TagIndexLink(
        "team/app", "_v.1-x", SHA256
    ),
    f"repositories/a__b/c-d/_uploads/{UUID}/data": layout.UploadData("a__b/c-d", UUID),
    f"repositories/app/_uploads/{UUID}/startedat": layout.UploadStartedAt("app", UUID),
    f"repositories/app/_uploads/{UUID}/hashstates/sha256/12582912": layout.UploadHashState(
        "app", UUID, "sha256", 12582912
    ),
}


@pytest.mark.parametrize("root", [*ROOTS, "", "/", "/docker/registry/v2/"])
@pytest.mark.parametrize("below", FILES)
def test_every_path_that_the_registry_writes_has_its_value(root: str, below: str) -> None:
    """Below any root, and the value has the path."""
    path = f"{root.rstrip('/')}/{below}" if root else below
    assert layout.parse(path, root=root) == FILES[below]
    assert FILES[below].at(root) == path


def test_the_state_of_a_pull_through_cache_lies_beside_docker() -> None:
    """A root that does not end in docker/registry/v2 has no such place."""
    for root in ROOTS:
        path = root.removesuffix("docker/registry/v2") + "scheduler-state.json"
        assert layout.parse(path, root=root) == layout.SchedulerState()
        assert layout.SchedulerState().at(root) == path
    assert layout.parse("/scheduler-state.json", root="/elsewhere") == layout.Unknown("/scheduler-state.json")
    with pytest.raises(ValueError, match="'/elsewhere' does not end in docker/registry/v2"):
        layout.SchedulerState().at("/elsewhere")


@pytest.mark.parametrize(
    "below",
    [
        "",
        "blobs",
        f"blobs/sha256/{HEX}/data",
        f"blobs/sha256/00/{HEX}/data",
        f"blobs/sha256/{HEX[:3]}/{HEX}/data",
        f"blobs/sha256/{HEX[:2]}/{HEX}/data/data",
        f"blobs/sha256/{HEX[:2]}/{HEX}/link",
        f"blobs/sha256/{HEX[:2].upper()}/{HEX.upper()}/data",
        f"blobs/sha256/{HEX[:2]}/{HEX[:-1]}/data",
        f"blobs/sha512/{HEX[:2]}/{HEX}/data",
        f"blobs/{HEX[:2]}/{HEX}/data",
        f"blobs//{HEX[:2]}/{HEX}/data",
        "repositories/_manifests/tags/v1/current/link",
        "repositories//_manifests/tags/v1/current/link",
        "repositories/Team/_manifests/tags/v1/current/link",
        f"repositories/{'a' * 256}/_manifests/tags/v1/current/link",
        "repositories/team/app/_manifests/tags/a/b/current/link",
        "repositories/team/app/_manifests/tags/..%2Fx/current/link",
        "repositories/team/app/_manifests/tags/<b>/current/link",
        f"repositories/team/app/_manifests/tags/{'v' * 129}/current/link",
        "repositories/team/app/_manifests/tags/v1/current/other",
        "repositories/team/app/_manifests/tags/v1/current",
        "repositories/team/app/_manifests/tags/v1/index/sha256/link",
        f"repositories/team/app/_manifests/revisions/sha256/{HEX}",
        f"repositories/team/app/_manifests/revisions/sha256/{HEX}/signatures/link",
        f"repositories/team/app/_manifests/sha256/{HEX}/link",
        f"repositories/team/app/_layers/sha256/{HEX}/data",
        f"repositories/team/app/_layers/sha256/{HEX}/link\n",
        f"repositories/team/app/_layer/sha256/{HEX}/link",
        f"repositories/team/app/_uploads/{UUID}/hashstates/sha256/-1",
        f"repositories/team/app/_uploads/{UUID}/hashstates/sha256/007",
        f"repositories/team/app/_uploads/{UUID}/hashstates/sha256/²",
        "repositories/team/app/_uploads/data",
        "repositories/team/app/notes.txt",
    ],
)
def test_any_other_path_is_unknown(below: str) -> None:
    """It is kept as it is, and is no error."""
    path = f"{layout.ROOT}/{below}"
    assert layout.parse(path) == layout.Unknown(path)
    assert layout.Unknown(path).at("/anywhere") == path


def test_a_path_of_another_root_is_unknown() -> None:
    """One that begins with the same letters, too."""
    path = layout.blob_path(SHA256)
    for other in (
        "/docker/registry/v",
        "/docker/registry/v22",
        "/other",
        "docker/registry/v2",
        "/docker/registry/v2/x",
    ):
        assert layout.parse(path, root=other) == layout.Unknown(path)


algorithms = st.sampled_from(["sha256", "sha384", "sha512", "blake3", "md5-x"])


@st.composite
def any_digest(draw: st.DrawFn) -> str:
    """A digest of any algorithm."""
    algorithm = draw(algorithms)
    characters = {"sha256": 64, "sha384": 96, "sha512": 128}.get(algorithm, 40)
    return f"{algorithm}:{draw(st.text('0123456789abcdef', min_size=characters, max_size=characters))}"


names = st.from_regex(r"[a-z0-9]{1,8}(?:(?:\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
repositories = st.lists(names, min_size=1, max_size=4).map("/".join)
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
uuids = st.uuids().map(str)
files = st.one_of(
    st.builds(layout.Blob, any_digest()),
    st.builds(layout.LayerLink, repositories, any_digest()),
    st.builds(layout.RevisionLink, repositories, any_digest()),
    st.builds(layout.SignatureLink, repositories, any_digest(), any_digest()),
    st.builds(layout.TagLink, repositories, tags),
    st.builds(layout.TagIndexLink, repositories, tags, any_digest()),
    st.builds(layout.UploadData, repositories, uuids),
    st.builds(layout.UploadStartedAt, repositories, uuids),
    st.builds(layout.UploadHashState, repositories, uuids, algorithms, st.integers(0, 2**60)),
    st.just(layout.SchedulerState()),
)


@given(files, st.sampled_from(ROOTS))
def test_every_value_comes_back_from_its_path(value: layout.RegistryFile, root: str) -> None:
    """Whatever its names are."""
    assert layout.parse(value.at(root), root=root) == value


parts = st.one_of(
    st.sampled_from(["blobs", "repositories", "sha256", "_layers", "_manifests", "revisions", "tags", "index", "link"]),
    st.sampled_from(["data", "current", "_uploads", "hashstates", "signatures", "startedat", HEX, HEX[:2], UUID, "a"]),
    st.text(max_size=4),
)


@given(st.lists(parts, max_size=9).map("/".join))
def test_any_text_is_parsed_and_its_value_has_the_same_path(below: str) -> None:
    """No path is an error, and two never have one value."""
    path = f"{layout.ROOT}/{below}"
    assert layout.parse(path).at() == path


@pytest.mark.parametrize("text", ["", ":", "sha256:", f"sha256:{HEX}0", f"SHA256:{HEX}", "a/b:00", "x:../..", "x:0"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    """And so is a path made of it."""
    assert not digests.is_digest(text)
    with pytest.raises(ValueError, match="is no digest"):
        layout.Blob(text).at()


def test_names_that_the_registry_refuses_have_no_path() -> None:
    """They may come from anywhere, and would lead elsewhere."""
    with pytest.raises(ValueError, match=r"'\.\./app' is no name of a repository"):
        layout.TagLink("../app", "v1").at()
    with pytest.raises(ValueError, match=r"'\.\./v1' is no tag"):
        layout.TagLink("app", "../v1").at()

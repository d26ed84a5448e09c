"""The manifest of an index that is for a platform, and errors that list the platforms."""

from __future__ import annotations

import pytest

from registry_s3fs.errors import PlatformError
from registry_s3fs.registry.manifests import Descriptor, Manifest, Platform
from registry_s3fs.registry.platforms import choose, parse_platform

PLATFORMS = ["linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/arm64", "windows/amd64", "windows/amd64"]


def index(*platforms: str | None) -> Manifest:
    """Give an index of manifests whose digests are their numbers."""
    children = [
        Descriptor(str(number), 1, platform=Platform(*platform.split("/")) if platform else None)
        for number, platform in enumerate(platforms)
    ]
    return Manifest("index", "x", children=tuple(children))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("linux/amd64", 0),
        ("linux/x86_64", 0),
        ("linux/arm/v6", 1),
        ("linux/arm", 1),
        ("linux/arm/v7", 2),
        ("linux/arm64", 3),
        ("linux/arm64/v8", 3),
        ("LINUX/aarch64", 3),
        ("windows/amd64", 4),
    ],
)
def test_the_first_that_is_for_a_platform_is_chosen(wanted: str, expected: int) -> None:
    """By any of an architecture's names; arm64 is v8 where it does not say."""
    assert choose(index(*PLATFORMS), parse_platform(wanted), "app:1").digest == str(expected)


def test_an_error_lists_the_platforms() -> None:
    """Each once, without attestations, which are for none."""
    every = index(*PLATFORMS, "unknown/unknown")
    listed = "linux/amd64, linux/arm/v6, linux/arm/v7, linux/arm64, windows/amd64"
    with pytest.raises(PlatformError, match=f"app:1 has nothing for linux/s390x; its platforms: {listed}$") as caught:
        choose(every, parse_platform("linux/s390x"), "app:1")
    assert caught.value.platforms == tuple(listed.split(", "))
    with pytest.raises(PlatformError, match=f"several platforms; give one of them; its platforms: {listed}$"):
        choose(every, None, "app:1")
    with pytest.raises(PlatformError, match="its platforms: none"):
        choose(index(), None, "app:1")


def test_the_only_one_needs_no_choice() -> None:
    """An image and its attestation make an index, too."""
    assert choose(index("unknown/unknown", "linux/amd64"), None, "app:1").digest == "1"
    assert choose(index(None), None, "app:1").digest == "0"


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "a/b/c/d"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    """With what to give."""
    with pytest.raises(PlatformError, match="give OS/ARCHITECTURE"):
        parse_platform(text)


def test_an_index_in_an_index_is_looked_into() -> None:
    """Where nothing beside it is for the platform."""
    nested = Descriptor("n", 1, "application/vnd.oci.image.index.v1+json")
    every = index("linux/amd64", None)
    every = every._replace(children=(*every.children, nested))
    assert choose(every, parse_platform("linux/amd64"), "app:1").digest == "0"
    assert choose(every, parse_platform("linux/arm64"), "app:1").digest == "n"
    with pytest.raises(PlatformError):
        choose(every._replace(children=(nested, nested)), parse_platform("linux/arm64"), "app:1")

"""References name a tag or a digest of a repository, and nothing that a registry could not have."""

from __future__ import annotations

import pytest

from registry_s3fs.errors import InvalidReferenceError
from registry_s3fs.model.references import Reference, digest_of_tag, fallback_tag, parse_reference

DIGEST = "sha256:" + 64 * "a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", Reference("app", "latest", None)),
        ("team/app:1.2", Reference("team/app", "1.2", None)),
        (f"team/app@{DIGEST}", Reference("team/app", None, DIGEST)),
        (f"team/app:1.2@{DIGEST}", Reference("team/app", "1.2", DIGEST)),
        ("a.b/c__d/e--f:_x", Reference("a.b/c__d/e--f", "_x", None)),
    ],
)
def test_a_reference_has_its_parts(text: str, expected: Reference) -> None:
    """And its text has them again."""
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no name"),
        (":1", "'' is no name"),
        ("app:", "'' is no tag"),
        ("app@", "'' is no digest"),
        ("app@sha256:12", "'sha256:12' is no digest"),
        ("App:1", "'App' is no name"),
        ("../app:1", "'../app' is no name"),
        ("app:../1", "'app:../1' is no name"),
        ("app: 1", "' 1' is no tag"),
        ("localhost:5000/app:1", "'localhost:5000/app' is no name"),
        ("https://registry/app", "'https://registry/app' is no name"),
        (f"app:1:2@{DIGEST}", "'app:1' is no name"),
        ("app:" + 129 * "1", "is no tag"),
    ],
)
def test_what_is_no_reference_says_which_part_is_wrong(text: str, problem: str) -> None:
    """And what to give."""
    with pytest.raises(InvalidReferenceError, match=r"give REPOSITORY:TAG or REPOSITORY@DIGEST") as caught:
        parse_reference(text)
    assert problem in str(caught.value)


def test_tags_that_are_made_of_a_digest() -> None:
    """The fallback tag of the OCI distribution specification, which has at most 128 characters, and cosign's."""
    assert digest_of_tag(fallback_tag(DIGEST)) == DIGEST
    assert {digest_of_tag(fallback_tag(DIGEST) + end) for end in (".sig", ".att", ".sbom")} == {DIGEST}
    assert len(fallback_tag("sha512:" + 128 * "a")) == 128
    for tag in ("sha256-", "sha256-abc", "v1", fallback_tag(DIGEST) + "x", "x" + fallback_tag(DIGEST)):
        assert digest_of_tag(tag) is None

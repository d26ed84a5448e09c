"""Keys that end a collection since their names are none of a registry's."""

from __future__ import annotations

import re

from registry_s3fs.registry.garbage.contents import Contents

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_NAME = re.compile(rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*")
MAX_NAME_BYTES = 255
_HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-fA-F]+")


def is_name(name: str) -> bool:
    """Return whether the collector takes a repository's name (``reference.WithName``).

    What looks like a host's name may come first.

    >>> is_name("team/app"), is_name("Team/app"), is_name("team/App"), is_name("Team")
    (True, True, False, False)
    """
    return len(name.encode()) <= MAX_NAME_BYTES and _NAME.fullmatch(name) is not None


def bad_repositories(contents: Contents, area: str) -> dict[str, str]:
    """Return the directories that are repositories, by their folder `area`, but have no name of one; name -> folder."""
    above = f"{contents.root}/repositories/"
    found: dict[str, str] = {}
    for key in contents.odd_keys:
        name, slash, below = key.removeprefix(above).partition("/_")
        if key.startswith(above) and f"_{below}".startswith(f"{area}/") and slash and not is_name(name):
            found[name] = f"{above}{name}/{area}"
    return found


def is_behind_a_stop(contents: Contents, folder: str) -> bool:
    """Return whether 2.8 does not get to a repository's folder in its walk.

    A file whose name begins with ``_``, beside repositories or in one, ends the walk through its directory. What comes
    after it there, by name, is not seen.

    Args:
        contents: What the registry holds.
        folder: The folder by which the directory is a repository, as in ``team/app/_layers``.
    """
    above = f"{contents.root}/repositories/"
    for key in contents.odd_keys:
        directory, _, name = key.removeprefix(above).rpartition("/")
        if key.startswith(above) and name.startswith("_") and "/_" not in f"/{directory}":
            below = folder.removeprefix(f"{directory}/") if directory else folder
            if (not directory or below != folder) and below.partition("/")[0] > name:
                return True
    return False


def bad_blobs(contents: Contents) -> list[str]:
    """Return the keys below ``blobs`` that are named like a blob's, but whose path has no digest of the registry's."""
    above = f"{contents.root}/blobs/"
    keys = [key for key in contents.odd_keys if key.startswith(above) and key.endswith("/data")]
    bad = [key for key in keys if not is_digest(digest_of(key.removeprefix(above)))]
    others = [digest for digest in contents.blobs if not digest.startswith("sha256:") and not is_digest(digest)]
    return sorted([*bad, *(blob_key(contents.root, digest) for digest in others)])


def odd_links(contents: Contents, *areas: str) -> list[str]:
    """Return the links in folders of repositories that the collector reads, wherever they lie in these.

    What they say is not known: an inventory reads the links alone that the registry writes.
    """
    above = f"{contents.root}/repositories/"
    found = []
    for key in contents.odd_keys:
        name, _, below = key.removeprefix(above).partition("/_")
        in_area = any(f"_{below}".startswith(f"{area}/") for area in areas)
        if key.startswith(above) and key.endswith("/link") and in_area and is_name(name):
            found.append(key)
    return found


def blob_key(root: str, digest: str) -> str:
    """Return the key of a blob's bytes."""
    algorithm, _, encoded = digest.partition(":")
    return f"{root}/blobs/{algorithm}/{encoded[:2]}/{encoded}/data"


def digest_of(path: str) -> str:
    """Return what the collector takes for the digest of a blob's path (``digestFromPath``).

    >>> digest_of("sha256/ab/abcd/data"), digest_of("sha256/abcd/data"), digest_of("sha256/00/abcd/data")
    ('sha256:abcd', 'sha256:abcd', '00:abcd')
    """
    *above, encoded = path.removesuffix("/data").split("/")
    if above and above[-1] == encoded[:2]:
        above.pop()
    return f"{above[-1] if above else ''}:{encoded}"


def is_digest(text: str) -> bool:
    """Return whether the registry can parse a text as a digest.

    >>> is_digest("sha256:" + 64 * "0"), is_digest("sha256:" + 64 * "0" + chr(10)), is_digest("md5:" + 32 * "0")
    (True, False, False)
    """
    algorithm, _, encoded = text.partition(":")
    return _HEX_DIGITS.get(algorithm) == len(encoded) and _HEX.fullmatch(encoded) is not None

"""What the files of a registry's storage mean: every path that the registry writes as a typed value, and back. Pure.

The tree is distribution's (``registry/storage/paths.go``). Manifests and layers alike are blobs, stored once under
their digest, whatever their media type. A repository has only links. Each link of a sha256 digest has 71 bytes, the
digest without a newline.

A path that the registry does not write is `Unknown`, whatever it looks like: of another shape, with a digest that is
none, or with a name that the registry refuses.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Literal, NamedTuple

from registry_s3fs.model import digests, names

Generation = Literal["2.8", "3"]
"""The registry's versions up to 2.8, and those from 3.0 on."""
GENERATIONS: tuple[Generation, ...] = ("2.8", "3")

ROOT = "/docker/registry/v2"
"""Where the tree begins in a storage driver, below its rootdirectory."""
BLOBS = f"{ROOT}/blobs"
REPOSITORIES = f"{ROOT}/repositories"

TAG_LINKS = f"{REPOSITORIES}/**/_manifests/tags/*/current/link"
"""A glob of the links that say which manifest each tag of each repository means."""

SCHEDULER_STATE = "scheduler-state.json"
"""The file in which a pull-through cache notes what it removes when. It lies beside ``docker``."""

LINK_BYTES = 71
"""The size of every link to a sha256 digest."""

_OFFSET = re.compile(r"0|[1-9][0-9]{0,18}")


class Tag(NamedTuple):
    """A tag of a repository."""

    repository: str
    name: str


class Blob(NamedTuple):
    """The bytes of a blob: a layer, a config or a manifest."""

    digest: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: The digest is none (`digests.is_digest`).
        """
        algorithm, encoded = digests.split(self.digest)
        return f"{_prefix(root)}blobs/{algorithm}/{encoded[:2]}/{encoded}/data"


class LayerLink(NamedTuple):
    """The link by which a repository has a layer or config."""

    repository: str
    digest: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        return f"{_repository_folder(root, self.repository)}/_layers/{_folders(self.digest)}/link"


class RevisionLink(NamedTuple):
    """The link by which a repository has a manifest."""

    repository: str
    digest: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        return f"{_repository_folder(root, self.repository)}/_manifests/revisions/{_folders(self.digest)}/link"


class SignatureLink(NamedTuple):
    """The link to a signature of a manifest of schema 1."""

    repository: str
    digest: str
    """The manifest's digest."""
    signature: str
    """The digest of the blob that holds the signature."""

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        below = f"_manifests/revisions/{_folders(self.digest)}/signatures/{_folders(self.signature)}/link"
        return f"{_repository_folder(root, self.repository)}/{below}"


class TagLink(NamedTuple):
    """The link that says which manifest a tag means now (``current``). Its path does not tell the digest."""

    repository: str
    tag: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        return f"{_repository_folder(root, self.repository)}/_manifests/tags/{_checked_tag(self.tag)}/current/link"


class TagIndexLink(NamedTuple):
    """The link that keeps a manifest which a tag means or has meant."""

    repository: str
    tag: str
    digest: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        below = f"_manifests/tags/{_checked_tag(self.tag)}/index/{_folders(self.digest)}/link"
        return f"{_repository_folder(root, self.repository)}/{below}"


class UploadData(NamedTuple):
    """What an upload that is not complete has stored of its bytes."""

    repository: str
    uuid: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        return f"{_repository_folder(root, self.repository)}/_uploads/{self.uuid}/data"


class UploadStartedAt(NamedTuple):
    """The file that says when an upload began, as in ``2026-11-24T07:57:54Z``."""

    repository: str
    uuid: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        return f"{_repository_folder(root, self.repository)}/_uploads/{self.uuid}/startedat"


class UploadHashState(NamedTuple):
    """The state of a hash after the first bytes of an upload."""

    repository: str
    uuid: str
    algorithm: str
    offset: int
    """The number of bytes."""

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: A name or digest is one that the registry refuses.
        """
        below = f"_uploads/{self.uuid}/hashstates/{self.algorithm}/{self.offset}"
        return f"{_repository_folder(root, self.repository)}/{below}"


class SchedulerState(NamedTuple):
    """The file `SCHEDULER_STATE`."""

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file.

        Raises:
            ValueError: The root does not end in ``docker/registry/v2``.
        """
        path = _scheduler_state(_prefix(root))
        if path is None:
            raise ValueError(f"{root!r} does not end in {ROOT[1:]}, so it has no place beside docker/")
        return path


class Unknown(NamedTuple):
    """A path that the registry does not write."""

    path: str

    def at(self, root: str = ROOT) -> str:
        """Return the path of the file, whatever the root is."""
        return self.path


Link = LayerLink | RevisionLink | SignatureLink | TagIndexLink | TagLink
"""A file whose text is a digest."""
LINKS = (LayerLink, RevisionLink, SignatureLink, TagIndexLink, TagLink)
"""The same for `isinstance`, which takes a tuple in a third of the time."""
OfRepository = Link | UploadData | UploadStartedAt | UploadHashState
"""A file of one repository."""
RegistryFile = Blob | OfRepository | SchedulerState | Unknown
"""The meaning of a path."""


class Layout:
    """The files below one root. A root of a million files is best parsed by one `Layout`.

    >>> layout = Layout("/srv/registry/docker/registry/v2")
    >>> layout.parse("/srv/registry/docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link")
    TagLink(repository='team/app', tag='v1')
    >>> layout.parse("/srv/registry/scheduler-state.json"), layout.parse("/srv/notes.txt")
    (SchedulerState(), Unknown(path='/srv/notes.txt'))

    Args:
        root: The path that ``blobs`` and ``repositories`` lie below, as the filesystem names it.

    Attributes:
        blobs: The folder of all blobs.
        repositories: The folder of all repositories.
    """

    def __init__(self, root: str = ROOT) -> None:
        prefix = _prefix(root)
        self.blobs = f"{prefix}blobs"
        self.repositories = f"{prefix}repositories"
        self._blobs = f"{prefix}blobs/"
        self._repositories = f"{prefix}repositories/"
        self._scheduler_state = _scheduler_state(prefix)

    def parse(self, path: str) -> RegistryFile:
        """Return what a path means."""
        if path.startswith(self._repositories):
            name, _, below = path[len(self._repositories) :].partition("/_")
            repository = names.repository(name)
            found = _of_repository(repository, below) if repository else None
            return found or Unknown(path)
        if path.startswith(self._blobs):
            return _blob(path[len(self._blobs) :]) or Unknown(path)
        return SchedulerState() if path == self._scheduler_state else Unknown(path)


def parse(path: str, root: str = ROOT) -> RegistryFile:
    """Return what a path means in the registry at a root. `at` of the result is the path again.

    >>> parse("/docker/registry/v2/repositories/team/app/_uploads/7b5ef0d4-3f0e-4f6b-9d0c-0a1b2c3d4e5f/data")
    UploadData(repository='team/app', uuid='7b5ef0d4-3f0e-4f6b-9d0c-0a1b2c3d4e5f')
    >>> parse("/docker/registry/v2/repositories/team/app/_manifests/tags/v1/latest/link")
    Unknown(path='/docker/registry/v2/repositories/team/app/_manifests/tags/v1/latest/link')
    """
    return _layout(root).parse(path)


@lru_cache(maxsize=64)
def _layout(root: str) -> Layout:
    return Layout(root)


def _of_repository(repository: str, below: str) -> OfRepository | None:
    """Return what a path means, of which `below` follows the repository's name and ``/_``."""
    parts = below.split("/")
    area = parts[0]
    if area == "layers":
        digest = digests.join(parts[1], parts[2]) if len(parts) == 4 and parts[3] == "link" else None
        return LayerLink(repository, digest) if digest else None
    if area == "manifests" and len(parts) > 4 and parts[-1] == "link":
        return _of_manifests(repository, parts)
    if area == "uploads" and len(parts) > 2 and names.is_tag(parts[1]):
        return _of_upload(repository, parts)
    return None


def _of_manifests(repository: str, parts: list[str]) -> OfRepository | None:
    count = len(parts)
    if parts[1] == "tags" and names.is_tag(parts[2]):
        if count == 5 and parts[3] == "current":
            return TagLink(repository, parts[2])
        if count == 7 and parts[3] == "index" and (digest := digests.join(parts[4], parts[5])):
            return TagIndexLink(repository, parts[2], digest)
    elif parts[1] == "revisions" and (digest := digests.join(parts[2], parts[3])):
        if count == 5:
            return RevisionLink(repository, digest)
        if count == 8 and parts[4] == "signatures" and (signature := digests.join(parts[5], parts[6])):
            return SignatureLink(repository, digest, signature)
    return None


def _of_upload(repository: str, parts: list[str]) -> OfRepository | None:
    _, uuid, *rest = parts
    if rest == ["data"]:
        return UploadData(repository, uuid)
    if rest == ["startedat"]:
        return UploadStartedAt(repository, uuid)
    if len(rest) == 3 and rest[0] == "hashstates" and digests.is_algorithm(rest[1]) and _OFFSET.fullmatch(rest[2]):
        return UploadHashState(repository, uuid, rest[1], int(rest[2]))
    return None


def _blob(below: str) -> Blob | None:
    parts = below.split("/")
    if len(parts) != 4:
        return None
    algorithm, first, encoded, name = parts
    if name != "data" or first != encoded[:2]:
        return None
    digest = digests.join(algorithm, encoded)
    return Blob(digest) if digest else None


def digest(data: bytes) -> str:
    """Return the digest that names a blob.

    >>> digest(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_path(blob: str) -> str:
    """Return the path of a blob's bytes.

    >>> blob_path(digest(b""))[:45]
    '/docker/registry/v2/blobs/sha256/e3/e3b0c4429'
    >>> blob_path("sha256:../../x")
    Traceback (most recent call last):
    ValueError: 'sha256:../../x' is no digest; sha256: and 64 hexadecimal digits make one
    """
    return Blob(blob).at()


def blob_digest(path: str) -> str | None:
    """Return the digest of the blob that a path holds, or None for any other path.

    >>> blob_digest(blob_path(digest(b""))) == digest(b""), blob_digest("/docker/registry/v2/blobs/sha256/ab/x/data")
    (True, None)
    """
    found = parse(path)
    return found.digest if isinstance(found, Blob) else None


def digest_in_path(link: Link) -> str | None:
    """Return the digest that a link's path has, or None for a tag's ``current``, whose path has none."""
    return None if isinstance(link, TagLink) else link[-1]


def layer_link(repository: str, blob: str) -> str:
    """Return the path of the link by which a repository has a layer or config."""
    return f"{REPOSITORIES}/{repository}/_layers/{_folders(blob)}/link"


def revision_link(repository: str, manifest: str) -> str:
    """Return the path of the link by which a repository has a manifest."""
    return RevisionLink(repository, manifest).at()


def tag_link(repository: str, tag: str) -> str:
    """Return the path of the link that says which manifest a tag means.

    >>> tag_link("team/app", "v1")
    '/docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link'
    """
    return TagLink(repository, tag).at()


def tag_index_link(repository: str, tag: str, manifest: str) -> str:
    """Return the path of the link that keeps a manifest which the tag means or has meant."""
    return TagIndexLink(repository, tag, manifest).at()


def tag_of(path: str) -> Tag | None:
    """Return the tag whose `tag_link` a path is, or None for any other path.

    >>> tag_of(tag_link("team/app", "v1")), tag_of("/docker/registry/v2/repositories")
    (Tag(repository='team/app', name='v1'), None)
    """
    found = parse(path)
    return Tag(found.repository, found.tag) if isinstance(found, TagLink) else None


def _prefix(root: str) -> str:
    """Return what the paths below a root begin with.

    >>> _prefix("/docker/registry/v2/"), _prefix("/"), _prefix("")
    ('/docker/registry/v2/', '/', '')
    """
    return root.rstrip("/") + "/" if root else ""


def _scheduler_state(prefix: str) -> str | None:
    above = prefix.removesuffix(f"{ROOT[1:]}/")
    return above + SCHEDULER_STATE if above != prefix else None


def _repository_folder(root: str, repository: str) -> str:
    if not names.is_repository(repository):
        raise ValueError(f"{repository[:80]!r} is no name of a repository; the registry takes names like team/app")
    return f"{_prefix(root)}repositories/{repository}"


def _checked_tag(tag: str) -> str:
    if not names.is_tag(tag):
        text = f"{tag[:80]!r} is no tag; a letter, digit or _ and up to 127 letters, digits, _, . and - make one"
        raise ValueError(text)
    return tag


def _folders(digest: str) -> str:
    return "/".join(digests.split(digest))

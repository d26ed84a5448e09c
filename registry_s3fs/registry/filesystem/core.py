"""`RegistryFileSystem`: fsspec's interface to the files of images and artifacts."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from registry_s3fs import errors
from registry_s3fs.model import names
from registry_s3fs.model.info import is_directory
from registry_s3fs.model.references import Reference
from registry_s3fs.model.registry_layout import RevisionLink, TagLink
from registry_s3fs.model.text import time_of
from registry_s3fs.registry import folders
from registry_s3fs.registry.filesystem import infos, paths
from registry_s3fs.registry.filesystem.infos import Info
from registry_s3fs.registry.filesystem.paths import Place
from registry_s3fs.registry.filesystem.reads import Reads
from registry_s3fs.registry.filesystem.search import Search
from registry_s3fs.registry.filesystem.views import Files
from registry_s3fs.registry.layers.entries import LayerEntry


class RegistryFileSystem(Reads, Search):
    """What a registry holds, as files that are read: ``registryfile://team/data:2026/train.parquet``.

    Repositories, their tags and digests are folders. Below these lie the files of an artifact by their titles, or the
    root filesystem of an image.

    A tag is resolved when it is first asked for. Until `invalidate_cache` is called, it means the same digest, so that
    what is listed and what is read belong together. Only listings of repositories and tags are made anew each time.

    >>> import fsspec
    >>> fs = fsspec.filesystem("registryfile", fs=fsspec.filesystem("memory"))
    >>> fs.exists("team/data:2026")
    False

    Args:
        fo: The folder that the registry is in: a URL, or a path of the filesystem. It has ``docker/registry/v2`` below
            it, or ``blobs`` and ``repositories``.
        target_protocol: The protocol of the filesystem, where `fo` is a path. fsspec sets it for chained URLs.
        target_options: The options of the filesystem.
        fs: The filesystem itself, in place of these.
        root: The folder that has ``blobs`` and ``repositories``, where it is not found below `fo`.
        view: What a manifest's files are. ``rootfs``: what the layers of an image make when they are unpacked one over
            the other. ``layers``: each layer by itself, below its digest. ``artifact``: the blobs by their titles, of
            which packed folders are folders. ``auto``: ``rootfs`` of images, ``artifact`` of all else.
        platform: Which image of an index is meant, such as ``linux/arm64``.
        cache: A folder for what was learned of layers, which processes may share. By default it is kept in memory.

    Raises:
        ValueError: It is not said which registry is meant, or an option has a value that it cannot have.
    """

    # What is there

    def info(self, path: str, **kwargs: object) -> Info:
        """Return what is known of a file or folder. Links are followed, as by fsspec's local filesystem.

        Returns:
            ``name``, ``size``, ``type`` (``file``, ``directory``, or ``other`` for devices); of an image or artifact
            the ``digest`` and ``media_type`` of its manifest; of what it holds ``kind``, ``mode`` (with the bits of the
            type), ``uid``, ``gid``, ``mtime`` (seconds since 1970), ``islink``, of a link its ``destination``, and of
            a file that is a blob ``digest``, ``media_type`` and ``annotations``.

        Raises:
            FileNotFoundError: There is none.
            NotADirectoryError: The path leads through a file.
            OSError: The registry cannot be read, or is damaged.
            ValueError: The manifest is none, or one of several platforms.
        """
        name = self._strip_protocol(path)
        place = paths.parse(name)
        if place.reference is None:
            self._check_folder(place.repository)
            return infos.folder(name)
        if not place.inside:
            stored = self.contents.manifest(place.reference)
            media_type = stored.manifest.media_type
            return infos.folder(name, digest=stored.digest, media_type=media_type, kind=stored.manifest.kind)
        files = self.contents.files(place.reference, place.inside)
        written = files.tree.follow(place.inside, last=False)
        entry = files.tree.follow(place.inside)
        link = written if written.kind == "symlink" else None
        return infos.of_entry(name, entry, files.raw.get(entry.path), link)

    def ls(self, path: str, detail: bool = True, **kwargs: object) -> list[Any]:
        """Return what is in a folder, sorted by name.

        Above the tags, these are the names that repositories' names begin with; in a repository also its tags, as
        ``team/data:2026``. Digests are not listed, and are folders like the tags: `catalog` has them all.

        Raises:
            FileNotFoundError: There is none.
            NotADirectoryError: The path leads through a file.
            OSError: The registry cannot be read, or is damaged.
            ValueError: The manifest is none, or one of several platforms.
        """
        name = self._strip_protocol(path)
        place = paths.parse(name)
        if place.reference is None:
            found = [infos.folder(each) for each in self._in_registry(place.repository)]
        else:
            found = self._in_files(name, place, self.contents.files(place.reference))
        found.sort(key=lambda info: str(info["name"]))
        return found if detail else [info["name"] for info in found]

    def exists(self, path: str, **kwargs: object) -> bool:
        """Return whether there is a file or folder. A link that leads nowhere, or in a circle, is none.

        An error is no answer: whoever was told that a damaged file is missing would go on without it.

        Raises:
            OSError: The registry cannot be read, or is damaged.
            ValueError: The manifest is none, or one of several platforms.
        """
        return self._type(path) is not None

    def isdir(self, path: str) -> bool:
        """Return whether there is a folder. The errors are those of `exists`."""
        return self._type(path) == "directory"

    def isfile(self, path: str) -> bool:
        """Return whether there is a file. The errors are those of `exists`."""
        return self._type(path) == "file"

    def _type(self, path: str) -> object:
        try:
            return self.info(path)["type"]
        except OSError as error:
            is_damage = isinstance(error, errors.IncompleteError)
            if is_damage or error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            return None

    def _check_folder(self, name: str) -> None:
        folder = f"{self.catalog.root}/repositories/{name}".rstrip("/")
        if not self.fs.isdir(folder):
            raise errors.not_in_registry("the registry has no repository of this name, and none below it", name)

    def _in_registry(self, name: str) -> Iterator[str]:
        """Yield the names below a beginning of names, and the tags of the repository that it is."""
        inside = self._folders_in(name)
        if not inside:
            self._check_folder(name)
        yield from (paths.join(name, each) for each in inside if names.is_repository(paths.join(name, each)))
        if "_manifests" in inside:
            yield from (f"{name}:{tag}" for tag in self.catalog.tags(name))

    def _folders_in(self, name: str) -> list[str]:
        folder = f"{self.catalog.root}/repositories/{name}".rstrip("/")
        found = [info for info in folders.infos(self.fs, folder) if is_directory(info)]
        return [str(info["name"]).rstrip("/").rpartition("/")[2] for info in found]

    def _in_files(self, name: str, place: Place, files: Files) -> list[Info]:
        top = files.tree.follow(place.inside)
        if top.kind != "directory":
            return [self.info(name)]
        found = []
        for each in files.tree.names(top.path):
            entry = files.tree.entry(paths.join(top.path, each))
            size = _target_size(files, entry) if entry.kind == "symlink" else 0
            found.append(infos.listed(f"{name}/{each}", entry, size, files.raw.get(entry.path)))
        return found

    # When it was made

    def modified(self, path: str) -> datetime:
        """Return when a file was last changed, by what the image or artifact says, else when it was stored.

        Of a tag, this is when it was last pushed.
        """
        mtime = float(str(self.info(path).get("mtime", 0)))
        return (time_of(mtime) if mtime else None) or self.created(path)

    def created(self, path: str) -> datetime:
        """Return when a file's blob, an image or artifact, or a tag was stored in the registry.

        Raises:
            FileNotFoundError: There is none.
            IsADirectoryError: It is a folder of repositories, which has no time.
        """
        name = self._strip_protocol(path)
        place = paths.parse(name)
        if place.reference is None:
            raise errors.is_directory(name, "it is a folder of repositories, which has no time of its own")
        found: datetime = self.fs.modified(self._stored_at(place, place.reference))
        return found

    def _stored_at(self, place: Place, reference: Reference) -> str:
        """Return the path in the underlying filesystem that tells when something was stored."""
        if place.inside:
            files = self.contents.files(reference, place.inside)
            blob = files.tree.follow(place.inside).blob
            return self.catalog.blob_path(blob or files.stored.digest)
        stored = self.contents.manifest(reference)
        if reference.digest is None and stored.tag:
            return TagLink(place.repository, stored.tag).at(self.catalog.root)
        return RevisionLink(place.repository, stored.digest).at(self.catalog.root)

    def ukey(self, path: str) -> str:
        """Return a text that changes with the content: the digest, or where the bytes are in their layer."""
        return infos.unique_key(self.info(path))

    def checksum(self, path: str) -> int:
        """Return the same as `ukey`, as a number."""
        return int(hashlib.sha256(self.ukey(path).encode()).hexdigest(), 16)


def _target_size(files: Files, link: LayerEntry) -> int:
    """Return the size of the file that a link leads to; 0 where it leads to none."""
    try:
        return files.tree.follow(link.path).size
    except OSError:
        return 0

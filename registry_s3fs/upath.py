"""The classes of universal_pathlib's paths for our URLs, which it finds through entry points."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape, has_magic
from typing import Any

from fsspec import get_filesystem_class
from upath import UPath

from registry_s3fs import errors
from registry_s3fs.model.paths import PROTOCOL

# universal_pathlib takes URLs apart as the filesystem does, if fsspec has loaded that; otherwise it guesses.
get_filesystem_class(PROTOCOL)
get_filesystem_class("registryfile")

WITHOUT_BUCKET = f"{PROTOCOL}:///"


class RegistryS3Path(UPath):
    """A path in a registry's S3 storage, with pathlib's methods. Its storage options are the filesystem's.

    What is only handed on to `UPath` is Any here, since its types differ from one release to the next.

    >>> path = UPath("registrys3://demo/docker", region="eu-central-1") / "registry" / "v2"
    >>> str(path), path.path, path.name
    ('registrys3://demo/docker/registry/v2', '/docker/registry/v2', 'v2')
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file of exactly this name."""
        try:
            self.fs.rm_file(self.path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def glob(
        self, pattern: str, *, case_sensitive: bool | None = None, recurse_symlinks: bool = False
    ) -> Iterator[RegistryS3Path]:
        """Match as pathlib's `glob` does.

        In `pattern`, ``*``, ``?`` and ``[`` have their special meaning. In this path they stand for themselves.
        """
        how: Any = {"case_sensitive": case_sensitive, "recurse_symlinks": recurse_symlinks}
        return self._below(pattern) if has_magic(self.path) else super().glob(pattern, **how)

    def rglob(
        self, pattern: str, *, case_sensitive: bool | None = None, recurse_symlinks: bool = False
    ) -> Iterator[RegistryS3Path]:
        """Match as `glob` does, at any depth."""
        how: Any = {"case_sensitive": case_sensitive, "recurse_symlinks": recurse_symlinks}
        return self._below(f"**/{pattern}") if has_magic(self.path) else super().rglob(pattern, **how)

    def _below(self, pattern: str) -> Iterator[RegistryS3Path]:
        path = self.path.rstrip("/")
        for name in self.fs.glob(f"{escape(path)}/{pattern}"):
            yield self / name[len(path) + 1 :]

    def rename(self, target: Any, **kwargs: Any) -> RegistryS3Path:
        """Move the file or directory of exactly this name.

        For a missing one, fsspec's ``mv`` would take the name as a pattern.
        """
        if not self.exists():
            raise errors.missing(str(self))
        return super().rename(target, **kwargs)

    def __str__(self) -> str:
        """Return the URL with its bucket, or ``registrys3:///...`` where a config names the bucket.

        The bucket is no part of `path`.
        """
        text = super().__str__()
        if not text.startswith(WITHOUT_BUCKET):
            return text  # a relative path
        return f"{PROTOCOL}://{self.storage_options.get('bucket', '')}/{text.removeprefix(WITHOUT_BUCKET)}"


class RegistryFilePath(UPath):
    """A path in what a registry holds, with pathlib's methods.

    >>> path = UPath("registryfile://team/data:2026/a::memory:///srv") / "b.csv"
    >>> path.path, path.name, path.parent.parent.path, path.parent.parent.parent.path
    ('team/data:2026/a/b.csv', 'b.csv', 'team/data:2026', 'team/data')
    """

    __slots__ = ()

    def iterdir(self) -> Iterator[RegistryFilePath]:
        """Yield what is in the folder. A repository's tags are beside it by their names: ``team/data:2026``.

        Raises:
            FileNotFoundError: There is none.
            NotADirectoryError: It is no folder.
        """
        if self.fs.info(self.path)["type"] != "directory":
            raise errors.not_directory(str(self))
        for name in self.fs.ls(self.path, detail=False):
            yield self.with_segments(f"registryfile://{name}")

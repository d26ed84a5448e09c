"""A directory as a mutable mapping of keys to bytes, whose keys are names and never patterns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from fsspec.mapping import FSMap

from registry_s3fs.model.paths import StrPath


class Files(Protocol):
    """What a mapper uses of its filesystem."""

    def _content(self, path: StrPath) -> bytes: ...

    def _cat_files(self, paths: Sequence[str]) -> dict[str, bytes | Exception]: ...

    def rm_file(self, path: StrPath) -> None:
        """Delete one file."""

    def _rm_files(self, paths: Iterable[str]) -> None: ...

    def _rm_below(self, path: str) -> None: ...


class Mapper(FSMap):
    """fsspec's mapping, with calls on single files in place of calls that take patterns.

    >>> from registry_s3fs import RegistryS3FileSystem
    >>> RegistryS3FileSystem(bucket="demo", region="us-east-1").get_mapper("/data").root
    '/data'
    """

    fs: Files

    def __getitem__(self, key: str, default: bytes | None = None) -> bytes:
        try:
            return self.fs._content(self._key_to_str(key))
        except self.missing_exceptions as error:
            if default is not None:
                return default
            raise KeyError(key) from error

    def getitems(self, keys: Iterable[str], on_error: str = "raise") -> dict[str, bytes | Exception]:
        """Return the values of several keys, which are read side by side.

        Args:
            keys: The keys.
            on_error: ``"raise"``, ``"omit"``, or ``"return"`` for exceptions in place of values. A missing key is a
                `KeyError`.
        """
        names = {key: self._key_to_str(key) for key in keys}
        found = self.fs._cat_files(list(names.values()))
        values = {key: self._value(key, found[name]) for key, name in names.items()}
        failed = [value for value in values.values() if isinstance(value, Exception)]
        if failed and on_error == "raise":
            raise failed[0]
        if on_error == "omit":
            return {key: value for key, value in values.items() if not isinstance(value, Exception)}
        return values

    def _value(self, key: str, found: bytes | Exception) -> bytes | Exception:
        return KeyError(key) if isinstance(found, self.missing_exceptions) else found

    def __delitem__(self, key: str) -> None:
        try:
            self.fs.rm_file(self._key_to_str(key))
        except self.missing_exceptions as error:
            raise KeyError(key) from error

    def delitems(self, keys: Iterable[str]) -> None:
        """Delete several keys, without a check that they exist."""
        self.fs._rm_files([self._key_to_str(key) for key in keys])

    def clear(self) -> None:
        """Delete all keys.

        Raises:
            OSError: The deletion failed. (fsspec's mapping ignores that.)
        """
        self.fs._rm_below(self.root)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.root, self.fs, False, False, self.missing_exceptions)

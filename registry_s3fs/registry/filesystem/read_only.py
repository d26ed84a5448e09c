"""The methods of fsspec that would write, each refused."""

from __future__ import annotations

from typing import NoReturn

from fsspec import AbstractFileSystem

from registry_s3fs import errors


class ReadOnlyFileSystem(AbstractFileSystem):
    """A filesystem that is only read. Whatever would write raises an `OSError` (EROFS) before anything is done."""

    def _refuse(self, path: object, *args: object, **kwargs: object) -> NoReturn:
        raise errors.read_only(str(path))

    mkdir = makedirs = rmdir = touch = _refuse
    rm = rm_file = _rm = _refuse
    pipe_file = put_file = put = _refuse
    cp_file = copy = mv = _refuse

    def pipe(self, path: str | dict[str, bytes], value: bytes | None = None, **kwargs: object) -> NoReturn:
        """Refuse to write.

        Raises:
            OSError: (EROFS) Always.
        """
        raise errors.read_only(path if isinstance(path, str) else ", ".join(path))

"""Many files on their way to local ones, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial

from fsspec.callbacks import Callback

from registry_s3fs.filesystem import bulk, path_pairs
from registry_s3fs.filesystem.base import OnBucket
from registry_s3fs.filesystem.path_pairs import Pair
from registry_s3fs.model.paths import StrPath
from registry_s3fs.threads import many_calls
from registry_s3fs.threads.signal_errors import is_of_handler
from registry_s3fs.transfer import local_target
from registry_s3fs.transfer.download import Download, Target, carry_out
from registry_s3fs.transfer.targets import IntoFile


def into_file(lpath: StrPath, callback: Callback) -> IntoFile:
    """Return the target that is a local file.

    Raises:
        IsADirectoryError: The path leads to a directory.
    """
    local_target.refuse_directory(lpath)  # before anything is fetched
    return IntoFile(partial(local_target.opened, lpath), callback)


class Fetching:
    """Files on their way to local ones. Each file appears whole or not at all, whatever happens to the others."""

    def __init__(
        self,
        fs: OnBucket,
        progress: bulk.TransferProgress,
        begin: Callable[[str, Target], Download],
        *,
        makes_directories: bool,
    ) -> None:
        """Say how files are fetched.

        `begin` gives the download of a path into a target. `makes_directories` tells whether a source that turns out to
        be a directory becomes a local one.
        """
        self._fs = fs
        self._progress = progress
        self._begin = begin
        self._makes_directories = makes_directories
        self._failed: dict[str, Exception] = {}
        self._coming: dict[Download, tuple[Pair, ExitStack]] = {}
        """The downloads under way. The stack of each closes its callback."""
        self._missing: dict[Pair, Exception] = {}
        """The pairs whose source was no file, and may be a directory."""
        self._last = many_calls.LastWord()

    def fetch(self, pairs: Sequence[Pair], directories: Sequence[Pair]) -> None:
        """Fetch each file, and make each local directory.

        Raises:
            BulkError: Some of them failed. The error of a single pair is raised as it is.
        """
        self._progress.begin(len(pairs))
        try:
            with closing(carry_out(self._fs.bucket, self._downloads(pairs), len(pairs))) as ended:
                for download in ended:
                    pair, stack = self._coming.pop(download)
                    with stack:
                        self._end(pair, download.error, is_found=download.is_found)
        except BaseException as error:
            for _, stack in self._coming.values():
                with suppress(Exception):  # of a progress bar; `error` is the one that the caller meets
                    stack.__exit__(type(error), error, error.__traceback__)
            raise
        self._tell_directories()
        for rpath, lpath in directories:
            self._make(rpath, lpath)
        many_calls.raise_failed("get", self._failed, len(pairs) + len(directories))

    def _downloads(self, pairs: Sequence[Pair]) -> Iterator[Download]:
        for pair in pairs:
            download = self._begun(pair)
            if download is not None:
                yield download

    def _begun(self, pair: Pair) -> Download | None:
        """Return the download of a pair, or None where it has failed before it began."""
        rpath, lpath = pair
        with ExitStack() as stack:
            child = stack.enter_context(self._progress.of(pair))
            try:
                self._last.check()
                download = self._begin(rpath, into_file(lpath, child))
            except (OSError, ValueError) as error:
                if is_of_handler(error):
                    raise
                self._end(pair, error)
                return None
            self._coming[download] = pair, stack.pop_all()
        return download

    def _end(self, pair: Pair, error: Exception | None, *, is_found: bool = False) -> None:
        self._last.note(error)
        if isinstance(error, (FileNotFoundError, IsADirectoryError)) and not is_found:
            self._missing[pair] = error
        elif error is not None:
            self._failed[pair[0]] = error
        else:
            self._progress.done()

    def _make(self, rpath: str, lpath: str) -> None:
        try:
            os.makedirs(lpath, exist_ok=True)
        except OSError as error:
            if is_of_handler(error):
                raise
            self._failed[rpath] = error

    def _tell_directories(self) -> None:
        """Log a warning of each source that is no file but a directory, and make a local one if that is wanted."""

        def tell(pair: Pair) -> None:
            if not self._fs.isdir(pair[0]):
                raise self._missing[pair]
            path_pairs.warn_of_directory(pair[0])
            if self._makes_directories:
                os.makedirs(pair[1], exist_ok=True)

        done = self._progress.done
        self._failed |= many_calls.errors_of(self._fs.pool, tell, list(self._missing), done=done)

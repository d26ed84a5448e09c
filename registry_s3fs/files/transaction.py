"""Transactions: several files that are published together, as near to at once as S3 allows."""

from __future__ import annotations

from collections import deque

from fsspec.transaction import Transaction

from registry_s3fs.files.write_file import WriteFile, raise_unfinished


class PublishingTransaction(Transaction):
    """fsspec's transaction, with an end that leaves nothing behind.

    At the end, the files are committed in the order in which they were opened. S3 publishes one object at a time. So
    where a commit fails, the files before it are published. That file and the ones after it are discarded, and the
    error is raised. Where text or compression of a file is still open, nothing is published.
    """

    files: deque[WriteFile]

    def complete(self, commit: bool = True) -> None:
        """Commit or discard every file. End the filesystem's transaction in any case, also after an error."""
        files, self.files = self.files, deque()
        self.fs._intrans = False
        self.fs._transaction = None
        try:
            half = [file for file in files if commit and file.is_unfinished]
            if half:
                raise_unfinished(half)
            while commit and files:
                files.popleft().commit()
        finally:
            for file in files:
                file.discard()

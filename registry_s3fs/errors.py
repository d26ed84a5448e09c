"""The errors that this package raises, and one function for each that is raised in several places.

Callers may catch::

    OSError
    ├── FileNotFoundError
    │   ├── BucketNotFoundError      the bucket itself is missing, not just a key
    │   └── PathNotFoundError        (storage driver) no such file or directory
    ├── FileExistsError              exclusive creation found an object there
    ├── PermissionError              denied, wrong or missing credentials
    ├── ConnectionError              the endpoint cannot be reached
    ├── TimeoutError                 it was reached and did not answer in time
    ├── FileExpired                  the object was replaced while it was being read
    ├── DigestMismatchError          a registry's blob that was read has another digest than its path says
    ├── InvalidResponseError         a response that is none of S3's, such as a proxy's page
    ├── BulkError                    some keys of a call on many failed: ``.errors`` has each
    ├── RefusedParameterError        the server refused a parameter (is a ValueError too)
    └── StorageDriverError           (storage driver) any other failure; ``__cause__`` is one of the above
    ValueError
    ├── InvalidPathError             a path that could name something outside rootdirectory
    ├── InvalidOffsetError           (storage driver) a negative offset
    └── ForeignBucketError           a URL that names another bucket than the instance's

An ``OSError`` has an ``errno``, the registry path in ``filename`` and, where there was one, the SDK's exception in
``__cause__``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from registry_s3fs.redaction import redact

DRIVER_NAME = "s3aws"
"""The Go driver's name (``storagedriver.Name``). The storage driver's errors begin with it, as in Go."""


class BucketNotFoundError(FileNotFoundError):
    """An error for a bucket that does not exist. This package never creates one."""


class FileExpired(OSError):  # noqa: N818  # the name s3fs gave it, which users catch
    """An error for an object that was replaced while it was read; its first object version's ETag no longer answers."""


class DigestMismatchError(OSError):
    """An error for a registry's blob, read with ``verify``, whose bytes have another digest than its path says."""


DigestMismatch = DigestMismatchError
"""The former name of `DigestMismatchError`."""


class InvalidResponseError(OSError):
    """An error for a response that is none of S3's: it lacks what S3 always sends, or says what S3 never says."""


class BulkError(OSError):
    """An error for a call on many keys, of which some failed.

    ``errors`` maps each registry path that failed to its exception. Whatever is not in it was done.
    """

    def __init__(self, what: str, errors: Mapping[str, Exception]) -> None:
        self.errors = dict(errors)
        each = "; ".join(f"{path}: {error}" for path, error in self.errors.items())
        first = next(iter(self.errors.values()))
        number = first.errno if isinstance(first, OSError) and first.errno else errno.EIO
        super().__init__(number, f"{what}: {len(self.errors)} failed: {each}")

    def __reduce__(self) -> tuple[object, ...]:
        return _bulk_error, (self.errno, self.strerror, self.errors)


def _bulk_error(number: int, text: str, errors: Mapping[str, Exception]) -> BulkError:
    error = BulkError.__new__(BulkError, number, text)
    OSError.__init__(error, number, text)
    error.errors = dict(errors)
    return error


class RefusedParameterError(OSError, ValueError):
    """An error for a parameter that the server refused though it looked good from here, such as the bucket's region."""


class InvalidPathError(ValueError):
    """An error for a path with a ``.``, ``..`` or empty component, or one that no S3 key can hold."""


class ForeignBucketError(ValueError):
    """An error for a URL that names another bucket than the filesystem's own."""


class PathNotFoundError(FileNotFoundError):
    """The storage driver's error for a path without a file or directory (Go: ``storagedriver.PathNotFoundError``)."""


class InvalidOffsetError(ValueError):
    """The storage driver's error for a read from a negative offset (Go: ``storagedriver.InvalidOffsetError``)."""


class SkipDir(Exception):  # noqa: N818  # no error, but a signal: the Go driver's ``ErrSkipDir``
    """A signal from the function that a walk calls: leave out what lies below this path."""


class FilledBuffer(Exception):  # noqa: N818  # no error either: ``ErrFilledBuffer``
    """A signal from the function that a walk calls: that was enough, end the walk."""


class StorageDriverError(OSError):
    """The storage driver's error for any other failure, which is in ``__cause__`` (Go: ``storagedriver.Error``)."""


class Meaning(NamedTuple):
    """The meaning of an error: class, errno, and what to do about it."""

    kind: type[OSError]
    number: int
    text: str

    def as_error(self, path: str, said: str | None = None) -> OSError:
        """Return the error for a path, with what the server or the SDK said about it."""
        text = self.text if said is None else f"{self.text} ({redact(said)})"
        return self.kind(self.number, text, path)


MISSING = Meaning(FileNotFoundError, errno.ENOENT, "no such file or directory")
EXISTS = Meaning(FileExistsError, errno.EEXIST, "the file exists")
IS_DIRECTORY = Meaning(IsADirectoryError, errno.EISDIR, "it is a directory")
REPLACED = Meaning(
    FileExpired, errno.ESTALE, "the object was replaced while it was being read; open it again to read the new one"
)
DAMAGED = Meaning(OSError, errno.EIO, "the bytes changed on their way; try again")


def missing(path: str) -> OSError:
    """Return the error for a path with nothing at it."""
    return MISSING.as_error(path)


def exists(path: str) -> OSError:
    """Return the error for a path with something at it that must not be replaced."""
    return EXISTS.as_error(path)


def is_directory(path: str, text: str = IS_DIRECTORY.text) -> OSError:
    """Return the error for a directory where a file is needed; `text` says more than that it is one."""
    return IS_DIRECTORY._replace(text=text).as_error(path)


def replaced(path: str) -> OSError:
    """Return the error for bytes that are of another object version than those before."""
    return REPLACED.as_error(path)


def copied_nothing(path: str) -> OSError:
    """Return the error for an UploadPartCopy that succeeds and copies nothing, as its response or ListParts shows."""
    text = (
        "the server's UploadPartCopy stored nothing; set multipartcopythresholdsize above the size of what is "
        "copied, and write files whole instead of appending to large ones"
    )
    return OSError(errno.ENOTSUP, text, path)


def invalid_response(operation: str, what: str, path: str) -> InvalidResponseError:
    """Return the error for a response that is none of S3's; `what` tells which field shows it."""
    text = f"the answer to {operation} is none of S3's: {redact(what)}; a proxy, gateway or cache may have given it"
    return InvalidResponseError(errno.EPROTO, text, path)


def ignores_range(path: str) -> OSError:
    """Return the error for a server that answers with a whole object where a byte range of it was requested."""
    return OSError(errno.ENOTSUP, "the server ignores the Range header, so parts of files cannot be read", path)


def stored_too_little(operation: str, stored_bytes: int, size: int, path: str) -> OSError:
    """Return the error for a server that reports a copy as done and does not do it, as the copy's size shows."""
    text = f"the server's {operation} stored {stored_bytes} bytes of {size}; a source elsewhere is as it was"
    return OSError(errno.ENOTSUP, text, path)


def not_supported(what: str, path: str) -> OSError:
    """Return the error for what a store cannot do and what cannot be done by other means."""
    return OSError(errno.ENOTSUP, f"the server has no {what}", path)


def damaged(what: str, path: str) -> OSError:
    """Return the error for bytes that do not have the checksum that they should have; `what` tells both."""
    return DAMAGED.as_error(path, what)


def interrupted() -> TimeoutError:
    """Return the error for what Ctrl-C ended while the server had not answered."""
    return TimeoutError(errno.ETIMEDOUT, "interrupted before the server had answered")


def uncertain(error: OSError, path: str) -> OSError:
    """Return the error for a write whose response was lost, where the object at the path leaves open if it was done."""
    kind = type(error) if isinstance(error, (ConnectionError, TimeoutError)) else OSError
    text = (
        "the server's answer was lost, and whether the file was written cannot be told; look at it, and write it "
        f"again if it is another one ({error.strerror})"
    )
    return kind(errno.EIO if kind is OSError else error.errno, text, path)


@contextmanager
def as_driver(path: str, missing: type[OSError] = PathNotFoundError) -> Iterator[None]:
    """Run the body; replace the filesystem's errors by the storage driver's (Go: ``base.setDriverName``).

    `missing` stands for a missing key, and so for a directory where a file is asked for. A missing bucket is always a
    `StorageDriverError`.
    """
    try:
        yield
    except (PathNotFoundError, StorageDriverError):
        raise
    except OSError as error:
        absent = isinstance(error, (FileNotFoundError, IsADirectoryError)) and not isinstance(
            error, BucketNotFoundError
        )
        kind = missing if absent else StorageDriverError
        raise kind(error.errno, f"{DRIVER_NAME}: {error.strerror}", path) from error

"""The errors that this package raises, and one function for each that is raised in several places.

Callers may catch:

```text
OSError
├── FileNotFoundError
│   ├── BucketNotFoundError  the bucket itself is missing, not just a key
│   ├── NotInRegistryError   no such repository, tag, manifest or blob
│   └── PathNotFoundError    (storage driver) no such file or directory
├── FileExistsError          exclusive creation found an object there
├── PermissionError          denied, wrong or missing credentials
├── ConnectionError          the endpoint cannot be reached
├── TimeoutError             it was reached and did not answer in time
├── FileExpired              the object was replaced while it was being read
├── DigestMismatchError      a blob has another digest than its path says
├── InvalidResponseError     a response that is none of S3's, such as a proxy's page
├── LinkError                a link that is empty or no digest (is a ValueError too)
├── RefusedNameError         a name that no file may have (is a ValueError too)
├── FileTooLargeError        a link, manifest or config that no registry takes
├── LayerError               a layer that is damaged, none, or beyond what is read of one
├── BulkError                some keys of a call on many failed: `errors` has each
├── RefusedParameterError    the server or boto3 refused a parameter (is a ValueError too)
└── StorageDriverError       (storage driver) any other failure, with its `__cause__`
ValueError
├── InvalidPathError         a path that could name something outside rootdirectory
├── InvalidOffsetError       (storage driver) a negative offset
├── ForeignBucketError       a URL that names another bucket
├── InvalidReferenceError    text that names no tag and no digest of a repository
├── PlatformError            an index without a platform, or with several
├── UnreadableDocumentError  JSON that is too large, too deep or none
├── UnreadableManifestError  bytes that are no manifest
└── LayoutError              an OCI image layout that cannot be read whole
```

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
    """An error for a parameter, such as the region, that looked good from here and the server or boto3 refused."""


class InvalidPathError(ValueError):
    """An error for a path with a ``.``, ``..`` or empty component, or one that no S3 key can hold."""


class ForeignBucketError(ValueError):
    """An error for a URL that names another bucket than the filesystem's own."""


class NotInRegistryError(FileNotFoundError):
    """An error for a repository, tag, manifest or blob that a registry does not have."""


class IncompleteError(NotInRegistryError):
    """An error for an image or artifact that is there, and of which the registry lacks a blob or a manifest."""


class InvalidReferenceError(ValueError):
    """An error for a text that names no tag and no digest of a repository."""


class PlatformError(ValueError):
    """An error for an index from which no manifest can be chosen. ``platforms`` are those that it has."""

    platforms: tuple[str, ...] = ()


class LinkError(OSError, ValueError):
    """An error for a registry's link that is empty or holds no digest. ``content`` is what it holds."""

    content: bytes = b""


class RefusedNameError(OSError, ValueError):
    """An error for a name in an artifact or layer that leads outside it, stands for two files, or can be no file's."""


class FileTooLargeError(OSError):
    """An error for a link, manifest or config that is larger than any that a registry takes. It was not read."""


class LayerError(OSError):
    """An error for a layer that is damaged, none, or beyond what is read of one. ``filename`` is the layer's digest."""


class NotAFileError(OSError):
    """An error for a FIFO, a socket or a device in the place of a registry's file. It was not opened."""


class UnreadableDocumentError(ValueError):
    """An error for a JSON document that is too large, too deep, or none."""


class UnreadableManifestError(ValueError):
    """An error for bytes that are no manifest, or one that the registry could not read either."""


class LayoutError(ValueError):
    """An error for an OCI image layout that is damaged, lacks what it names, or names what no registry takes."""


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


def broken_link(path: str, content: bytes) -> LinkError:
    """Return the error for a registry's link that holds no digest."""
    if not content:
        return LinkError(errno.EINVAL, "the link is empty", path)
    error = LinkError(errno.EINVAL, f"the link holds no digest but {content[:100]!r}", path)
    error.content = content
    return error


def not_in_registry(what: str, path: str) -> NotInRegistryError:
    """Return the error for what a registry does not have; `what` is the message, and the path is where it would be."""
    return NotInRegistryError(errno.ENOENT, what, path)


def blob_missing(digest: str, path: str) -> IncompleteError:
    """Return the error for a blob that a manifest names, and the registry does not have."""
    return IncompleteError(errno.ENOENT, f"its blob {digest} is missing from the registry", path)


def foreign_layer_missing(digest: str, path: str) -> IncompleteError:
    """Return the error for a foreign layer, which a registry need not have."""
    text = f"the registry does not have its layer {digest}, which clients fetch from elsewhere"
    return IncompleteError(errno.ENOENT, text, path)


def digest_mismatch(path: str, size: int, digest: str) -> DigestMismatchError:
    """Return the error for a blob whose bytes have another digest than its path says."""
    text = f"the {size} bytes read have the digest {digest}; the blob is damaged, or was on its way: read it again"
    return DigestMismatchError(errno.EIO, text, path)


def file_too_large(path: str, max_bytes: int) -> FileTooLargeError:
    """Return the error for a file of a registry that is not read because of its size."""
    return FileTooLargeError(errno.EFBIG, f"it has over {max_bytes} bytes, more than a registry writes there", path)


def refused_name(path: str, what: str, why: str) -> RefusedNameError:
    """Return the error for a name in an image or artifact that is refused; `what` is the name, and who has it."""
    return RefusedNameError(errno.EINVAL, f"{what}, which is refused: {why}", path)


def other_size(path: str, size: int, declared_size: int) -> DigestMismatchError:
    """Return the error for a file whose blob does not have the size that its manifest says."""
    text = f"the manifest says {declared_size} bytes, and the blob has {size}; it is damaged: push it again"
    return DigestMismatchError(errno.EIO, text, path)


def no_bytes(path: str, kind: str) -> OSError:
    """Return the error for reading what has no bytes, such as a device."""
    return OSError(errno.EINVAL, f"it is a {kind.replace('_', ' ')}, which has no bytes to read", path)


def read_only(path: str) -> OSError:
    """Return the error for a write to what is only read."""
    text = "what a registry holds is only read here; push with a client of the registry, such as oras"
    return OSError(errno.EROFS, text, path)


def not_directory(path: str) -> OSError:
    """Return the error for a file where a directory is needed."""
    return NotADirectoryError(errno.ENOTDIR, "it is no directory", path)


def bad_layer(what: str) -> LayerError:
    """Return the error for a layer; `what` says what is wrong with it. Whoever knows its digest adds it."""
    return LayerError(errno.EBADMSG, what)


def not_a_file(path: str) -> NotAFileError:
    """Return the error for what is neither a file nor a directory."""
    return NotAFileError(errno.EINVAL, "it is no file, but a FIFO, a socket or a device; it was not opened", path)


def unreadable(path: str, error: Exception) -> OSError:
    """Return the error for a file that another filesystem could not read, and said so by an exception of its own."""
    return OSError(errno.EIO, f"{type(error).__name__}: {redact(str(error))[:500]}", path)


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

"""`UPath("registrys3://...")`: universal_pathlib finds the class of our paths here, through an entry point."""

from __future__ import annotations

from fsspec import get_filesystem_class
from upath import UPath

from registry_s3fs.paths import PROTOCOL

# universal_pathlib takes URLs apart as the filesystem does, if fsspec has loaded that; otherwise it guesses.
get_filesystem_class(PROTOCOL)

WITHOUT_BUCKET = f"{PROTOCOL}:///"


class RegistryS3Path(UPath):
    """A path in a registry's S3 storage, with pathlib's methods. Storage options are the filesystem's.

    >>> path = UPath("registrys3://demo/docker", region="eu-central-1") / "registry" / "v2"
    >>> str(path), path.path, path.name
    ('registrys3://demo/docker/registry/v2', '/docker/registry/v2', 'v2')
    """

    __slots__ = ()

    def __str__(self) -> str:
        """The URL with its bucket, which is no part of `path`; ``registrys3:///...`` where a config names it."""
        text = super().__str__()
        if not text.startswith(WITHOUT_BUCKET):
            return text  # a relative path
        return f"{PROTOCOL}://{self.storage_options.get('bucket', '')}/{text.removeprefix(WITHOUT_BUCKET)}"

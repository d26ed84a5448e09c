"""What S3 keeps beside an object's bytes: metadata, tags, versions; and the uploads that never became an object.

The names are s3fs's, which users of S3 through fsspec know.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from fsspec.utils import tokenize

from registry_s3fs.filesystem.base import OnBucket
from registry_s3fs.listing import directory
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import Upload
from registry_s3fs.model.paths import check_fields
from registry_s3fs.transfer import multipart

logger = logging.getLogger("registry_s3fs")


class Attributes(OnBucket):
    """The methods of a filesystem on S3 that others have no use for."""

    # What one HEAD tells

    def size(self, path: Any, version_id: str = "") -> int:
        """Bytes of a file; of a directory 0."""
        return int(self.info(path, version_id)["size"])

    def created(self, path: Any, version_id: str = "") -> datetime:
        """When the object was last written: S3 keeps no other time."""
        return self.modified(path, version_id)

    def modified(self, path: Any, version_id: str = "") -> datetime:
        """When the object was last written, with its time zone. Directories have no time."""
        info = self.info(path, version_id)
        if info["type"] == "directory":
            raise IsADirectoryError(errno.EISDIR, "S3 keeps no time for a directory", info["name"])
        when: datetime = info["LastModified"]
        return when

    def checksum(self, path: Any, version_id: str = "") -> int:
        """A number that changes when the contents do: from size and ETag."""
        return int(self.ukey(path, version_id), 16)

    def ukey(self, path: Any, version_id: str = "") -> str:
        """A word that changes when the contents do: from size and ETag."""
        info = self.info(path, version_id)
        return str(tokenize(info["name"], info["size"], info.get("ETag")))

    def sign(
        self,
        path: Any,
        expiration: int = 100,
        client_method: str = "get_object",
        version_id: str = "",
        **kwargs: Any,
    ) -> str:
        """A presigned URL, good for `expiration` seconds; `redirectendpoint` is its host where given.

        Further arguments are fields of the request, such as `ResponseContentType`; the path alone says which object it
        is, and `version_id` which version of it.
        """
        check_fields(kwargs)
        kwargs |= {"VersionId": version_id} if version_id else {}
        return self.bucket.presign(self._key(path), client_method, expiration, **kwargs)

    def url(
        self,
        path: Any,
        expires: int = 3600,
        client_method: str = "get_object",
        version_id: str = "",
        **kwargs: Any,
    ) -> str:
        """As `sign`, by s3fs's name, for an hour."""
        return self.sign(path, expires, client_method, version_id, **kwargs)

    # Metadata

    def metadata(self, path: Any, version_id: str = "") -> dict[str, str]:
        """The user metadata of a file, its ``x-amz-meta-`` headers; names with hyphens, as headers have them."""
        return _hyphened(self.bucket.head(self._key(path), version_id=version_id).head.get("Metadata", {}))

    def getxattr(self, path: Any, attr_name: str, version_id: str = "") -> str | None:
        """One value of `metadata`; None where there is none of that name."""
        return self.metadata(path, version_id).get(attr_name.replace("_", "-"))

    def setxattr(self, path: Any, copy_kwargs: Mapping[str, Any] | None = None, **attributes: str | None) -> None:
        """Change user metadata; None removes a name, and what is not named stays.

        S3 has no call for it: the object is copied onto itself, in the server. `copy_kwargs` are further
        fields that the object says of itself, such as ``{"ContentType": "text/csv"}``.
        """
        check_fields(copy_kwargs or {})
        changed = request_fields(copy_kwargs or {})
        if "Metadata" in changed:
            raise ValueError("copy_kwargs: metadata is given by its own names, and not here")
        found = self.bucket.head(self._key(path))
        attached = {**_hyphened(found.head.get("Metadata", {})), **_hyphened(attributes)}
        metadata = {name: value for name, value in attached.items() if value is not None}
        headers = {**found.headers, **changed, "Metadata": metadata}
        multipart.copy(self.bucket, self.pool, found, found.key, headers)
        self.invalidate_cache(path)

    # Tags

    def get_tags(self, path: Any, version_id: str = "") -> dict[str, str]:
        """The tags of a file."""
        return self.bucket.tags(self._key(path), version_id)

    def put_tags(self, path: Any, tags: Mapping[str, str], mode: str = "o") -> None:
        """Set the tags of a file: these alone (mode ``"o"``), or merged into those that it has (``"m"``)."""
        if mode not in ("o", "m"):
            raise ValueError(f"mode: {mode!r} is neither 'o' (overwrite) nor 'm' (merge)")
        kept = self.get_tags(path) if mode == "m" else {}
        self.bucket.put_tags(self._key(path), {**kept, **tags})

    # Versions

    def object_version_info(self, path: Any) -> list[dict[str, Any]]:
        """An info for each version of a file, newest first, with `VersionId` and `IsLatest`.

        A `VersionId` goes to `open`, `cat_file`, `get_file` or `info` as ``version_id=``. In a bucket without
        versions there is one, ``"null"``; of a missing file there is none.
        """
        path = self._path(path)
        return [
            {**directory.file(path, found), "IsLatest": found.is_latest}
            for found in self.bucket.versions(self._key(path))
        ]

    # Unfinished uploads

    def list_multipart_uploads(self, prefix: Any = "/") -> list[dict[str, Any]]:
        """Uploads that were begun and neither completed nor aborted: no listing shows them, but their parts
        cost money.

        Each has `name` (the path of the file it would become), `UploadId` and `Initiated` (an aware datetime; None
        where a store does not tell).
        A registry's own pushes in progress are among them.
        """
        return [info for info, _ in self._uploads(prefix)]

    def clear_multipart_uploads(self, prefix: Any = "/", *, older_than: timedelta) -> list[dict[str, Any]]:
        """Abort the unfinished uploads begun longer ago than `older_than`; gives what was aborted.

        A push that a registry still works on fails when its upload is aborted, so there is no default age. Uploads of
        which a store does not tell when they were begun stay, and a warning names each.
        """
        limit = datetime.now(timezone.utc) - older_than
        found = []
        for info, upload in self._uploads(prefix):
            if upload.initiated is None:
                logger.warning(
                    "%s: upload %s is left: the server does not tell its age", info["name"], upload.upload_id
                )
            elif upload.initiated < limit:
                found.append((info, upload))
        self.pool.map(self._abort, [upload for _, upload in found])
        return [info for info, _ in found]

    def _uploads(self, prefix: Any) -> list[tuple[dict[str, Any], Upload]]:
        path = self._path(prefix)
        return [
            ({"name": name, "UploadId": upload.upload_id, "Initiated": upload.initiated}, upload)
            for upload in self.bucket.list_uploads(self.bucket.space.prefix(path))
            if (name := self.bucket.space.path(upload.key))
        ]

    def _abort(self, upload: Upload) -> None:
        with suppress(FileNotFoundError):  # it was completed or aborted meanwhile
            self.bucket.abort_upload(upload.key, upload.upload_id)


def _hyphened(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in metadata.items()}

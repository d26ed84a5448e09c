"""What S3 keeps beside an object's bytes: metadata, tags and versions, and the uploads that never became an object.

The names are those of s3fs, which users of S3 through fsspec know.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from fsspec.utils import tokenize

from registry_s3fs import errors
from registry_s3fs.filesystem.base import OnBucket
from registry_s3fs.listing import directory
from registry_s3fs.model.info import Info, UploadInfo
from registry_s3fs.model.object_headers import request_fields
from registry_s3fs.model.objects import Upload
from registry_s3fs.model.paths import StrPath, check_fields
from registry_s3fs.transfer import multipart

Value = TypeVar("Value", str, str | None)

logger = logging.getLogger("registry_s3fs")


class Attributes(OnBucket):
    """The methods that only a filesystem on S3 has a use for."""

    # What one HEAD tells

    def size(self, path: StrPath, version_id: str = "") -> int:
        """Return the size of a file in bytes. The size of a directory is 0."""
        return int(self.info(path, version_id)["size"])

    def sizes(self, paths: Iterable[StrPath]) -> list[int]:
        """Return the sizes of files in bytes. They are asked for side by side."""
        return self.pool.map(self.size, paths)

    def created(self, path: StrPath, version_id: str = "") -> datetime:
        """Return when the object was last written, because S3 keeps no other time."""
        return self.modified(path, version_id)

    def modified(self, path: StrPath, version_id: str = "") -> datetime:
        """Return when the object was last written, with its time zone.

        Raises:
            IsADirectoryError: The path is a directory, for which S3 keeps no time.
        """
        info: Info = self.info(path, version_id)
        if info["type"] == "directory":
            raise errors.is_directory(info["name"], "S3 keeps no time for a directory")
        return info["LastModified"]

    def checksum(self, path: StrPath, version_id: str = "") -> int:
        """Return a number that changes when the contents do. It is made from size and ETag."""
        return int(self.ukey(path, version_id), 16)

    def ukey(self, path: StrPath, version_id: str = "") -> str:
        """Return a word that changes when the contents do. It is made from size and ETag."""
        info = self.info(path, version_id)
        return str(tokenize(info["name"], info["size"], info.get("ETag")))

    def sign(
        self,
        path: StrPath,
        expiration: int = 100,
        client_method: str = "get_object",
        version_id: str = "",
        **kwargs: object,
    ) -> str:
        """Return a presigned URL. Its host is `redirectendpoint`, where that is given.

        Args:
            path: The file's path, which alone tells the object.
            expiration: The seconds for which the URL is valid.
            client_method: boto3's name of the request.
            version_id: The object version, and the only argument that tells it.
            **kwargs: Further fields of the request, such as `ResponseContentType`.
        """
        check_fields(kwargs)
        kwargs |= {"VersionId": version_id} if version_id else {}
        return self.bucket.presign(self._key(path), client_method, expiration, **kwargs)

    def url(
        self,
        path: StrPath,
        expires: int = 3600,
        client_method: str = "get_object",
        version_id: str = "",
        **kwargs: object,
    ) -> str:
        """Return the same as `sign`, by s3fs's name for it. By default the URL is valid for an hour."""
        return self.sign(path, expires, client_method, version_id, **kwargs)

    # Metadata

    def metadata(self, path: StrPath, version_id: str = "") -> dict[str, str]:
        """Return the user metadata of a file, from its ``x-amz-meta-`` headers. Names have hyphens, as in headers."""
        return _hyphened(self.bucket.head(self._key(path), version_id=version_id).metadata)

    def getxattr(self, path: StrPath, attr_name: str, version_id: str = "") -> str | None:
        """Return one value of `metadata`, or None where there is none of that name."""
        return self.metadata(path, version_id).get(attr_name.replace("_", "-"))

    def setxattr(
        self, path: StrPath, copy_kwargs: Mapping[str, object] | None = None, **attributes: str | None
    ) -> None:
        """Change the user metadata of a file.

        S3 has no request for this. So the object is copied onto itself, in the server.

        Args:
            path: The file's path.
            copy_kwargs: Further object headers, such as ``{"ContentType": "text/csv"}``.
            **attributes: The names and values to change. None removes a name. Names that are not given stay.
        """
        check_fields(copy_kwargs or {})
        changed = request_fields(copy_kwargs or {})
        if "Metadata" in changed:
            raise ValueError("copy_kwargs: metadata is given by its own names, and not here")
        location = self._location(path)
        found = self.bucket.head(location.key)
        attached: dict[str, str | None] = {**_hyphened(found.metadata), **_hyphened(attributes)}
        metadata = {name: value for name, value in attached.items() if value is not None}
        headers = {**found.headers, **changed, "Metadata": metadata}
        multipart.copy(found, location, headers)
        self.invalidate_cache(path)

    # Tags

    def get_tags(self, path: StrPath, version_id: str = "") -> dict[str, str]:
        """Return the tags of a file."""
        return self.bucket.tags(self._key(path), version_id)

    def put_tags(self, path: StrPath, tags: Mapping[str, str], mode: str = "o") -> None:
        """Set the tags of a file.

        Args:
            path: The file's path.
            tags: The tags.
            mode: ``"o"`` replaces all tags of the file. ``"m"`` merges the new tags into them.
        """
        if mode not in ("o", "m"):
            raise ValueError(f"mode: {mode!r} is neither 'o' (overwrite) nor 'm' (merge)")
        kept = self.get_tags(path) if mode == "m" else {}
        self.bucket.put_tags(self._key(path), {**kept, **tags})

    # Versions

    def object_version_info(self, path: StrPath) -> list[Info]:
        """Return an info for each version of a file, newest first, with `VersionId` and `IsLatest`.

        A `VersionId` can be given to `open`, `cat_file`, `get_file` or `info` as ``version_id=``. In a bucket without
        versions, a file has one version, ``"null"``. A missing file has none.
        """
        path = self._path(path)
        return [
            {**directory.file(path, found), "IsLatest": found.is_latest}
            for found in self.bucket.versions(self._key(path))
        ]

    # Unfinished uploads

    def list_multipart_uploads(self, prefix: StrPath = "/", *, parts: bool = False) -> list[UploadInfo]:
        """Return the uploads that were begun and neither completed nor aborted.

        No listing shows them, but their parts cost money. A registry's own pushes in progress are among them.

        Args:
            prefix: The directory that the files would be below, or the path of one.
            parts: Whether to ask for the parts of each, too. That is a request for each upload, many side by side.

        Returns:
            For each upload, `name` (the path of the file that it would become), `UploadId` and `Initiated` (an aware
            datetime, or None where a store does not tell it). With `parts`, also `parts` (their number), `part_bytes`
            and `LastModified` (the time of the newest part).
        """
        found = self._uploads(prefix)
        if not parts:
            return [info for info, _ in found]
        return [info for info in self.pool.map(self._with_parts, found) if info is not None]

    def abort_multipart_upload(self, path: StrPath, upload_id: str) -> None:
        """Abort one unfinished upload, such as one of `list_multipart_uploads`; its parts are thrown away.

        Raises:
            FileNotFoundError: There is no such upload; it was completed or aborted.
        """
        self.bucket.abort_upload(self._key(path), upload_id)

    def clear_multipart_uploads(self, prefix: StrPath = "/", *, older_than: timedelta) -> list[UploadInfo]:
        """Abort the unfinished uploads that were begun longer ago than `older_than`.

        A push that a registry still works on fails when its upload is aborted. So there is no default age. Uploads stay
        where the store does not tell when they were begun, and a warning names each.

        Returns:
            What was aborted, as in `list_multipart_uploads`.
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

    def _uploads(self, prefix: StrPath) -> list[tuple[UploadInfo, Upload]]:
        path = self._path(prefix)
        return [
            ({"name": name, "UploadId": upload.upload_id, "Initiated": upload.initiated}, upload)
            for upload in self.bucket.list_uploads(self.bucket.space.prefix(path))
            if (name := self.bucket.space.path(upload.key))
        ]

    def _with_parts(self, found: tuple[UploadInfo, Upload]) -> UploadInfo | None:
        """Return what is known of an upload and its parts, or None where it was completed or aborted meanwhile."""
        info, upload = found
        try:
            parts = self.bucket.list_parts(upload.key, upload.upload_id)
        except FileNotFoundError:
            return None
        times = [part.modified for part in parts if part.modified is not None]
        size = sum(part.size for part in parts)
        return {**info, "parts": len(parts), "part_bytes": size, "LastModified": max(times, default=None)}

    def _abort(self, upload: Upload) -> None:
        with suppress(FileNotFoundError):  # it was completed or aborted meanwhile
            self.bucket.abort_upload(upload.key, upload.upload_id)


def _hyphened(metadata: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("_", "-"): value for name, value in metadata.items()}

"""The operations on multipart uploads, one method for each of S3's operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlencode

from registry_s3fs.errors import FileExpired, copied_nothing, stored_too_little
from registry_s3fs.model import ranges
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders, ObjectInfo, Part, Upload
from registry_s3fs.s3 import listing_responses, responses
from registry_s3fs.s3.error_codes import NO_SUCH_UPLOAD
from registry_s3fs.s3.listing_responses import Paging
from registry_s3fs.s3.puts import PartOf, Put
from registry_s3fs.s3.responses import Answer
from registry_s3fs.s3.writes import Writes


class Uploads(Writes):
    """The operations on multipart uploads."""

    def create_upload(
        self, key: str, *, headers: ObjectHeaders = DEFAULT_HEADERS, tags: Mapping[str, str] | None = None
    ) -> str:
        """Send a CreateMultipartUpload and return the upload's id."""
        tagging = {"Tagging": urlencode(tags)} if tags else {}
        answer = self._send("create_multipart_upload", key, {"Key": key, **headers, **tagging, **self._new_object})
        asked = self._asked("CreateMultipartUpload", key)
        responses.is_document(answer, asked, "UploadId")
        return responses.text(answer, "UploadId", asked)

    def upload_part(self, key: str, upload_id: str, number: int, body: Body) -> Part:
        """Send an UploadPart and return the part."""
        put = Put(key, body, part=PartOf(upload_id, number))
        self.put_one(put)
        return Part(number, put.etag, len(body))

    def upload_part_copy(self, key: str, upload_id: str, number: int, source: ObjectInfo, extent: ranges.Range) -> Part:
        """Send an UploadPartCopy of a byte range of the source's very object version, and return the part."""
        request = {
            "CopySourceRange": ranges.header(*extent), "Key": key, "UploadId": upload_id, "PartNumber": number
        }  # fmt: skip

        def send(named: Mapping[str, object]) -> Answer:
            return self._send("upload_part_copy", source.key, {**request, **named}, precondition=FileExpired)

        answer = self._copying(source, send)
        if not responses.row(answer, "CopyPartResult").get("ETag"):  # rclone takes it for an UploadPart without a body
            raise copied_nothing(self.path(source.key))
        etag = responses.copied(answer, "CopyPartResult", self._asked("UploadPartCopy", source.key))
        self._check_copied(source)
        return Part(number, etag, extent[1] - extent[0])

    def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """Send ListParts requests for all pages, and return the parts by number."""
        asked = self._asked("ListParts", key)
        request: dict[str, object] = {"Key": key, "UploadId": upload_id}
        paging: Paging[int] = Paging(asked, always_tells=self._is_aws)
        parts: list[Part] = []
        while True:
            answer = self._send("list_parts", key, request)
            found = listing_responses.parts(answer, key, upload_id, asked)
            paging.check_new([part.number for part in found])
            parts += found
            first = found[0].number if found else None
            following = paging.following(answer, first, "NextPartNumberMarker")
            if not following:
                return parts
            (request["PartNumberMarker"],) = following

    def list_uploads(self, prefix: str) -> Iterator[Upload]:
        """Send ListMultipartUploads requests for all pages, and yield the unfinished uploads by key.

        The keys of the uploads begin with `prefix`. Both markers go into the next request, since S3 ignores an upload
        id marker that has no key marker beside it.
        """
        asked = self._asked("ListMultipartUploads", prefix)
        folder = prefix[: prefix.rfind("/") + 1] if self.parameters.is_directory_bucket else prefix
        request: dict[str, object] = {"Prefix": folder}
        paging: Paging[tuple[str, str]] = Paging(asked, always_tells=self._is_aws)
        while True:
            try:
                answer = self._send("list_multipart_uploads", prefix, request)
            except FileNotFoundError as error:
                if responses.code(error.__cause__) == NO_SUCH_UPLOAD:  # rclone, where none is pending
                    return
                raise
            found = listing_responses.uploads(answer, folder, asked)
            paging.check_new([(each.key, each.upload_id) for each in found])
            yield from (upload for upload in found if upload.key.startswith(prefix))
            first = found[0].upload_id if found else None
            following = paging.following(answer, first, "NextKeyMarker", "NextUploadIdMarker")
            if not following:
                return
            request["KeyMarker"] = following[0]
            if following[1]:
                request["UploadIdMarker"] = following[1]

    def complete_upload(
        self,
        key: str,
        upload_id: str,
        parts: Sequence[Part],
        *,
        exclusive: bool = False,
        has_copies: bool = False,
    ) -> None:
        """Send a CompleteMultipartUpload, after which the object is there as a whole.

        The object's size is looked at, too, where the response has no ETag. In a store other than AWS, it is also
        looked at where parts are copies, whose source may be deleted next.
        """
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in sorted(parts, key=lambda p: p.number)]
        request = {"Key": key, "UploadId": upload_id, "MultipartUpload": {"Parts": listed}}

        def send(condition: Mapping[str, object]) -> None:
            answer = self._send("complete_multipart_upload", key, {**request, **condition})
            asked = self._asked("CompleteMultipartUpload", key)
            if not responses.completed_etag(answer, key, asked) or (has_copies and not self._is_aws):
                self._check_completed(key, sum(part.size for part in parts))

        if exclusive:
            self._if_absent(key, send)
        else:
            send({})

    def _check_completed(self, key: str, size: int) -> None:
        try:
            stored = self.head(key, explain=False).size
        except FileNotFoundError:
            stored = 0
        if stored < size:  # a larger one is another writer's, which came meanwhile
            raise stored_too_little("CompleteMultipartUpload", stored, size, self.path(key))

    def abort_upload(self, key: str, upload_id: str) -> None:
        """Send an AbortMultipartUpload, which throws the upload's parts away."""
        answer = self._send("abort_multipart_upload", key, {"Key": key, "UploadId": upload_id})
        responses.is_not_foreign(answer, self._asked("AbortMultipartUpload", key))

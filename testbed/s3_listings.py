"""What S3 lists: objects, their versions, unfinished uploads and their parts, in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from testbed.messages import Answer, Request
from testbed.s3_answers import Element, S3Error, of_document
from testbed.s3_memory import Entries, Object, Upload, encoded, from_token, page, stamp, token

Encode = Callable[[str], str]


class Listings:
    """The operations of an `S3` that give pages."""

    objects: dict[str, Object]
    uploads: dict[str, Upload]
    page_keys: int
    _upload: Callable[[Request], Upload]

    def _list_objects_v2(self, request: Request, number: int) -> Answer:
        query = request.query
        given = query.get("continuation-token")
        after = query.get("start-after", "") if given is None else from_token(given)
        if after is None:
            raise S3Error("InvalidArgument", "The continuation token provided is incorrect")
        most, found = self._page(request, after)
        encode = _encoding(request)
        head: list[Element] = [
            ("Name", request.bucket),
            ("Prefix", encode(query.get("prefix", ""))),
            ("StartAfter", encode(query["start-after"]) if query.get("start-after") and given is None else None),
            ("ContinuationToken", given),
            ("NextContinuationToken", token(found.last) if found.is_truncated else None),
            ("KeyCount", len(found.keys) + len(found.prefixes)),
        ]
        return of_document(number, "ListBucketResult", [*head, *self._objects_of(request, most, found)])

    def _list_objects(self, request: Request, number: int) -> Answer:
        query, encode = request.query, _encoding(request)
        most, found = self._page(request, query.get("marker", ""))
        head: list[Element] = [
            ("Name", request.bucket), ("Prefix", encode(query.get("prefix", ""))),
            ("Marker", encode(query.get("marker", ""))),
            ("NextMarker", encode(found.last) if found.is_truncated and query.get("delimiter") else None),
        ]  # fmt: skip
        return of_document(number, "ListBucketResult", [*head, *self._objects_of(request, most, found)])

    def _page(self, request: Request, after: str) -> tuple[int, Entries]:
        query = request.query
        most = min(int(query.get("max-keys") or 1000), 1000)
        place = (query.get("prefix", ""), query.get("delimiter", ""), after, min(most, self.page_keys))
        return most, page(self.objects, *place)

    def _objects_of(self, request: Request, most: int, found: Entries) -> Iterable[Element]:
        query, encode = request.query, _encoding(request)
        yield "MaxKeys", most
        yield "Delimiter", encode(query["delimiter"]) if query.get("delimiter") else None
        yield "EncodingType", query.get("encoding-type")
        yield "IsTruncated", found.is_truncated
        for key in found.keys:
            yield "Contents", _listed(encode(key), self.objects[key])
        for prefix in found.prefixes:
            yield "CommonPrefixes", [("Prefix", encode(prefix))]

    def _list_object_versions(self, request: Request, number: int) -> Answer:
        query, encode = request.query, _encoding(request)
        most, found = self._page(request, query.get("key-marker", ""))
        head: list[Element] = [
            ("Name", request.bucket), ("Prefix", encode(query.get("prefix", ""))),
            ("KeyMarker", encode(query.get("key-marker", ""))), ("VersionIdMarker", query.get("version-id-marker", "")),
            ("NextKeyMarker", encode(found.last) if found.is_truncated else None),
            ("NextVersionIdMarker", "null" if found.is_truncated else None),
            ("MaxKeys", most), ("IsTruncated", found.is_truncated),
        ]  # fmt: skip
        ids: list[Element] = [("VersionId", "null"), ("IsLatest", True)]
        versions: list[Element] = [("Version", [*_listed(encode(key), self.objects[key]), *ids]) for key in found.keys]
        return of_document(number, "ListVersionsResult", [*head, *versions])

    def _list_parts(self, request: Request, number: int) -> Answer:
        upload, query = self._upload(request), request.query
        marker = int(query.get("part-number-marker") or 0)
        most = min(int(query.get("max-parts") or 1000), self.page_keys)
        numbers = [each for each in sorted(upload.parts) if each > marker]
        listed = numbers[:most]
        head: list[Element] = [
            ("Bucket", request.bucket), ("Key", request.key), ("UploadId", query["uploadId"]),
            ("PartNumberMarker", marker),
            ("NextPartNumberMarker", listed[-1] if listed else 0),
            ("MaxParts", most), ("IsTruncated", len(numbers) > most), ("StorageClass", "STANDARD"),
        ]  # fmt: skip
        parts = [(each, upload.parts[each]) for each in listed]
        told: list[Element] = [
            ("Part", [("PartNumber", each), ("LastModified", stamp(part.modified)), ("ETag", part.etag),
                      ("Size", len(part.data))])
            for each, part in parts
        ]  # fmt: skip
        return of_document(number, "ListPartsResult", [*head, *told])

    def _list_multipart_uploads(self, request: Request, number: int) -> Answer:
        query, encode = request.query, _encoding(request)
        marker = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        most = min(int(query.get("max-uploads") or 1000), self.page_keys)
        found = sorted((upload.key, upload_id) for upload_id, upload in self.uploads.items())
        found = [pair for pair in found if pair[0].startswith(query.get("prefix", "")) and _is_after(pair, marker)]
        listed, is_truncated = found[:most], len(found) > most
        head: list[Element] = [
            ("Bucket", request.bucket), ("KeyMarker", encode(marker[0])), ("UploadIdMarker", marker[1]),
            ("NextKeyMarker", encode(listed[-1][0]) if is_truncated else None),
            ("NextUploadIdMarker", listed[-1][1] if is_truncated else None),
            ("Prefix", encode(query.get("prefix", ""))), ("MaxUploads", most),
            ("EncodingType", query.get("encoding-type")), ("IsTruncated", is_truncated),
        ]  # fmt: skip
        told: list[Element] = [
            ("Upload", [("Key", encode(key)), ("UploadId", upload_id),
                        ("StorageClass", "STANDARD"), ("Initiated", stamp(self.uploads[upload_id].initiated))])
            for key, upload_id in listed
        ]  # fmt: skip
        return of_document(number, "ListMultipartUploadsResult", [*head, *told])


def _encoding(request: Request) -> Encode:
    return encoded if request.query.get("encoding-type") == "url" else str


def _is_after(pair: tuple[str, str], marker: tuple[str, str]) -> bool:
    """Without an upload id, all uploads of the marker's key come before it."""
    return pair[0] > marker[0] or (pair[0] == marker[0] and bool(marker[1]) and pair[1] > marker[1])


def _listed(key: str, found: Object) -> list[Any]:
    return [
        ("Key", key), ("LastModified", stamp(found.modified)), ("ETag", found.etag), ("Size", len(found.data)),
        ("StorageClass", "STANDARD"),
    ]  # fmt: skip

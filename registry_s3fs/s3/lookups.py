"""The operations that look up what is in a bucket: one object, the keys below a prefix, an object's versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from registry_s3fs.errors import (
    BucketNotFoundError,
    InvalidResponseError,
    RefusedParameterError,
    uncertain,
)
from registry_s3fs.model.objects import ObjectInfo, Page
from registry_s3fs.s3 import error_codes, listing_responses, responses
from registry_s3fs.s3.error_codes import from_code
from registry_s3fs.s3.listing_responses import Listing, Paging
from registry_s3fs.s3.requests import Requests, version_fields
from registry_s3fs.s3.responses import Answer
from registry_s3fs.threads.signal_errors import is_of_handler


class Lookups(Requests):
    """The HEADs and the listings of a bucket."""

    # One object

    def head(self, key: str, *, version_id: str = "", explain: bool = True, checksum: bool = False) -> ObjectInfo:
        """Send a HeadObject and return the object.

        Its 404 has no body, so with `explain` a second request tells whether the bucket is missing.

        With `checksum`, S3's checksum is among the fields where checksums are compared. For an object that KMS
        encrypts, the request needs the right to decrypt it.
        """
        try:
            answer = self._head(key, version_id, checksum=checksum)
        except RefusedParameterError as error:
            if (
                responses.code(error.__cause__) == error_codes.BAD_REQUEST
            ):  # S3's reason, often expired credentials, would be in a body
                next(self.list(key, limit=1))
            raise
        except FileNotFoundError:
            if explain:
                self._check_bucket(key)
            raise
        except PermissionError as error:
            raise self._why_denied(key, error) from error.__cause__
        asked = self._asked("HeadObject", key)
        responses.is_of_version(answer, version_id, asked)
        try:
            return responses.described(key, answer, asked)
        except InvalidResponseError:
            return responses.described(key, self._with_listed(key, answer, version_id), asked)

    def _head(self, key: str, version_id: str, *, checksum: bool = False) -> Answer:
        with self._translated(key):
            checksum = checksum and self._s3.compares_checksums
            fast_path = self.fast_path
            answer = fast_path.ask(fast_path.head_object(key, version_id, checksum=checksum))
        if answer is None:
            mode = {"ChecksumMode": "ENABLED"} if checksum else {}
            answer = self._send("head_object", key, {"Key": key, **version_fields(version_id), **mode})
        if not answer:
            raise from_code(error_codes.NOT_FOUND, "Not Found", self.path(key))
        return answer

    def _with_listed(self, key: str, answer: Answer, version_id: str) -> Answer:
        """Return a HEAD's response with the size and the time that a listing tells.

        Some stores leave them out of the response.
        """
        listing, asked = Listing(key), self._asked("ListObjectsV2", key)
        etag = responses.text_if_told(answer, "ETag")
        if self._is_aws or version_id or not etag:
            return answer
        page = self._send("list_objects_v2", key, {"Prefix": key, "MaxKeys": 1})
        found, _ = listing_responses.page(page, listing, asked)
        if not found or found[0].key != key or not responses.is_same(found[0].etag, etag):
            return answer
        return {"ContentLength": found[0].size, "LastModified": found[0].last_modified, **answer}

    def _why_denied(self, key: str, error: PermissionError) -> PermissionError:
        """Return the error that says what a refusal without a body does not tell.

        It says whether the access key, its signature or the time was refused.
        """
        if responses.code(error.__cause__) not in error_codes.UNEXPLAINED_DENIAL:
            return error
        try:
            next(self.list(key, limit=1), None)
        except PermissionError as better:
            return better if responses.code(better.__cause__) not in error_codes.DENIED else error
        except (OSError, ValueError) as other:
            if is_of_handler(other):
                raise
        return error

    def _check_bucket(self, key: str) -> None:
        """Raise `BucketNotFoundError` where HeadBucket finds no bucket.

        A bucket that may not be asked for passes.
        """
        try:
            self._send("head_bucket", key, {})
        except FileNotFoundError as error:
            raise from_code(error_codes.NO_SUCH_BUCKET, "", self.path(key)) from error
        except OSError as error:
            if is_of_handler(error):
                raise

    def look(self, key: str, error: OSError) -> ObjectInfo | None:
        """Return the object that is there after the `error` of a write, or None where none is."""
        try:
            return self.head(key, explain=False)
        except FileNotFoundError:
            return None
        except OSError:
            raise uncertain(error, self.path(key)) from error

    # Listings

    def list(self, prefix: str, delimiter: str = "", limit: int = 0, start_after: str = "") -> Iterator[Page]:
        """Send ListObjectsV2 requests and yield page after page in the order of keys.

        `limit` ends the listing after that many keys. With `start_after`, only keys that come after that one are
        listed. That key need not exist. Every name begins with `prefix`, and no common prefix comes twice.

        Raises:
            InvalidResponseError: The server names what lies elsewhere, or its listing stands still.
        """
        listing = Listing(prefix, delimiter, start_after)
        is_any_there = limit > 0 and prefix[-1:] in ("", "/") and not start_after  # whichever comes first
        if is_any_there or not self.parameters.is_directory_bucket:
            yield from self.key_order.watched(self._pages(listing, limit))
        else:
            yield self._in_order(listing, limit)

    def _in_order(self, listing: Listing, limit: int) -> Page:
        """Return the whole listing of a directory bucket as one page.

        The listings of a directory bucket have no order, so they are sorted here.
        """
        folder = listing.prefix[: listing.prefix.rfind("/") + 1]
        pages = [_behind(page, listing.start_after) for page in self._pages(Listing(folder, listing.delimiter), 0)]
        objects = [item for page in pages for item in page.objects if item.key.startswith(listing.prefix)]
        prefixes = [each for page in pages for each in page.prefixes if each.startswith(listing.prefix)]
        objects.sort(key=attrgetter("key"))
        return Page(objects[: limit or None], sorted(prefixes)[: limit or None], last=True)

    def _pages(self, listing: Listing, limit: int, first_answer: Answer | None = None) -> Iterator[Page]:
        """Yield the pages of a listing. The answer to the first request may be there already."""
        prefix, _, start_after = listing
        asked = self._asked("ListObjectsV2", prefix)
        request = list_request(listing)
        paging: Paging[str] = Paging(asked, always_tells=self._is_aws)
        seen, left = set[str](), limit
        while True:
            if limit:
                request["MaxKeys"] = left
            answer = first_answer or self._page(request, prefix)
            first_answer = None
            page = self._checked(answer, listing, asked)
            paging.check_new([item.key for item in page.objects])
            page = replace(page, prefixes=[each for each in page.prefixes if each not in seen])
            seen.update(page.prefixes)
            first = listing_responses.first_key(answer) or next(iter(page.prefixes), None)
            following = paging.following(answer, first, "NextContinuationToken")
            page = _behind(page, start_after) if start_after else page
            left -= len(page.objects) + len(page.prefixes)
            last = not following or (limit > 0 and left <= 0)
            yield replace(page, last=last)
            if last:
                return
            request["ContinuationToken"] = following[0]

    def _page(self, request: Answer, prefix: str) -> Answer:
        with self._translated(prefix):
            answer = self.fast_path.ask(self.fast_path.list_objects(request, None))
        return self._send("list_objects_v2", prefix, request) if answer is None else answer

    def _checked(self, answer: Answer, listing: Listing, asked: responses.Asked) -> Page:
        """Return a page, with HEADs of the objects for which a store's listing lacks what S3's tells."""
        try:
            return Page(*listing_responses.page(answer, listing, asked))
        except InvalidResponseError:
            keys = [] if self._is_aws else listing_responses.incomplete(answer, listing)
            if not keys:
                raise
        heads = self.pool.map(self._described_or_gone, keys)
        answer = listing_responses.completed(answer, dict(zip(keys, heads, strict=True)))
        return Page(*listing_responses.page(answer, listing, asked))

    def _described_or_gone(self, key: str) -> ObjectInfo | None:
        try:
            return responses.described(key, self._head(key, ""), self._asked("HeadObject", key))
        except BucketNotFoundError:
            raise
        except FileNotFoundError:
            return None

    def versions(self, key: str) -> Iterator[ObjectInfo]:
        """Send ListObjectVersions requests for one key and yield its versions.

        The newest version comes first. Delete markers are left out.
        """
        asked = self._asked("ListObjectVersions", key)
        request: dict[str, object] = {"Prefix": key}
        paging: Paging[tuple[str, str]] = Paging(asked, always_tells=self._is_aws)
        while True:
            answer = self._send("list_object_versions", key, request)
            found = listing_responses.versions(answer, key, asked)
            yield from (each for each in found if each.key == key)
            names = [(str(row["Key"]), str(row.get("VersionId"))) for row in listing_responses.rows_of_versions(answer)]
            paging.check_new(names)
            first = names[0] if names else None
            following = paging.following(answer, first, "NextKeyMarker", "NextVersionIdMarker")
            if not following or str(following[0]) > key:
                return
            request |= _given(KeyMarker=following[0], VersionIdMarker=following[1])


def list_request(listing: Listing) -> dict[str, object]:
    """Return boto3's fields of the first ListObjectsV2 of a listing."""
    prefix, delimiter, start_after = listing
    return {"Prefix": prefix, **_given(Delimiter=delimiter, StartAfter=start_after)}


def _behind(page: Page, start_after: str) -> Page:
    """Return a page without the names that come before the key to start after, which a server should not list."""
    objects = [item for item in page.objects if item.key > start_after]
    prefixes = [each for each in page.prefixes if each > start_after or start_after.startswith(each)]
    is_before = any(item.key < start_after for item in page.objects) or len(prefixes) < len(page.prefixes)
    return Page(objects, prefixes, ignores_start=is_before)


def _given(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value}

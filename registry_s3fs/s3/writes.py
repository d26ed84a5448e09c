"""What changes objects: put, copy, delete, tags. A write is done where the answer proves it, or a look after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from registry_s3fs.errors import (
    BucketNotFoundError,
    FileExpired,
    from_code,
    replaced,
    stored_too_little,
    uncertain,
)
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders, ObjectInfo
from registry_s3fs.s3 import ambiguous_writes, responses
from registry_s3fs.s3.puts import Put, Puts
from registry_s3fs.s3.requests import version_fields

MAX_DELETE_KEYS = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

FAILED_CONDITION = frozenset(("PreconditionFailed", "412"))
NO_DELETE_OBJECTS = frozenset(("NoSuchKey", "NotFound", "404", "MissingContentMD5", "MalformedPOSTRequest"))
"""What stores may say to DeleteObjects, which to them is a POST to some key."""

IF_ABSENT, IF_MATCH, IF_COPIED = "If-None-Match", "If-Match", "x-amz-copy-source-if-match"
REPLACING = "If-Match of a PUT"
DELETE_OBJECTS = "DeleteObjects"
"""What a store may lack."""

Send = Callable[[dict[str, Any]], Any]
"""Sends a request with the fields of a condition, or without."""


class Writes(Puts):
    """Operations on whole objects."""

    # Put

    def put(self, key: str, body: Body, *, exclusive: bool = False, headers: ObjectHeaders = DEFAULT_HEADERS) -> None:
        """PutObject; `exclusive` refuses an existing object with `FileExistsError`.

        Where an answer was lost, the refusal may be of the object that was just written: its ETag tells. (Two
        writers of the very same bytes, one of whose answers was lost, may both succeed.)
        """
        put = Put(key, body, headers)
        try:
            if exclusive:
                self._if_absent(key, lambda condition: self._put(put, condition))
            else:
                self._put_unconditionally(put)
        except OSError as error:
            if not (exclusive and ambiguous_writes.is_in_doubt(error) and self._is_stored(key, body, error)):
                raise

    def replace(self, found: ObjectInfo, body: Body, headers: ObjectHeaders) -> None:
        """PutObject in the place of the very version that was found; `FileExpired` where there is another one.

        Where a store does not know the condition, a HEAD right before tells, too.
        """
        put = Put(found.key, body, headers)
        condition = {} if REPLACING in self._lacking or responses.is_weak(found.etag) else {"IfMatch": found.etag}
        try:
            self._replace(found, put, condition)
        except OSError as error:
            if not (condition and self._is_unsupported(error, partial(self._is_unchanged, found))):
                raise
            self._lacking.add(REPLACING)
            self._replace(found, put, {})

    def _replace(self, found: ObjectInfo, put: Put, condition: dict[str, Any]) -> None:
        if not self._is_unchanged(found):
            raise replaced(self.path(found.key))
        self._put(put, condition, precondition=FileExpired)

    def _put_unconditionally(self, put: Put) -> None:
        with self._translated(put.key):
            fast_path = self._fast_path
            call = self._call_to_put(put, fast_path)
            done = call is not None and fast_path.ask(call) is not None
        if not done:
            self._put(put)

    def _is_stored(self, key: str, body: Body, error: OSError) -> bool:
        """Whether an object is the one that a PutObject without an answer should have written."""
        found = self.look(key, error)
        expected = "" if self.parameters.is_directory_bucket else ambiguous_writes.etag(body)
        ours = found is not None and ambiguous_writes.is_ours(found, len(body), expected)
        if ours is None:
            raise uncertain(error, self.path(key)) from error
        return ours

    # Conditions

    def _if_absent(self, key: str, send: Send) -> None:
        """Send a request that must not replace an object.

        Stores other than AWS may ignore the condition, so they get a HEAD right before; or they do not know it, and
        are sent the request without. There, two writers at the same moment may both succeed.
        """
        if not self._is_aws:
            self._check_absent(key)
        condition = {} if IF_ABSENT in self._lacking else {"IfNoneMatch": "*"}
        try:
            send(condition)
        except OSError as error:
            if not (condition and self._is_unsupported(error, partial(self._is_absent, key, error))):
                raise
            self._lacking.add(IF_ABSENT)
            self._check_absent(key)
            send({})

    def _is_absent(self, key: str, error: OSError) -> bool:
        return self.look(key, error) is None

    def _check_absent(self, key: str) -> None:
        try:
            self.head(key, explain=False)
        except FileNotFoundError:
            return
        raise from_code("PreconditionFailed", "", self.path(key))

    def _is_unsupported(self, error: OSError, should_hold: Callable[[], bool]) -> bool:
        """Whether a store other than AWS refused a condition as such: by saying so, or though it holds."""
        if self._is_aws:
            return False
        refused = responses.code(error.__cause__) in FAILED_CONDITION
        return responses.is_unsupported(error.__cause__) or (refused and should_hold())

    def _is_unchanged(self, found: ObjectInfo) -> bool:
        return self._has_etag(found.key, found.version_id, found.etag)

    def _has_etag(self, key: str, version_id: str, etag: str) -> bool:
        try:
            return responses.is_same(self.head(key, version_id=version_id, explain=False).etag, etag)
        except OSError:  # then what the condition's refusal said stands
            return False

    # Copy

    def copy(self, source: ObjectInfo, target: str, headers: ObjectHeaders | None = None) -> None:
        """CopyObject, with what the source says of itself, or another `headers`.

        Onto itself it rewrites the object, which renews LastModified. The ETag of the answer confirms it and, from a
        store other than AWS, if that is not the source's, the size of what is there then.
        """
        request = {"Key": target, **self._new_object}
        if headers is None and source.key == target:  # S3 refuses a copy onto itself that changes nothing
            headers = source.headers
        if headers is not None:
            request |= {"MetadataDirective": "REPLACE", **headers}
        try:
            answer = self._copying(source, lambda named: self._copy(source, {**request, **named}))
        except FileExpired as error:
            if source.key == target and ambiguous_writes.is_in_doubt(
                error
            ):  # an earlier try may have given it another ETag
                raise uncertain(error, self.path(target)) from error
            raise
        etag = responses.copied(answer, "CopyObjectResult", self._asked("CopyObject", target))
        if not self._is_aws and not responses.is_same(etag, source.etag):
            found = self.head(target)
            if found.size != source.size:
                raise stored_too_little("CopyObject", found.size, source.size, self.path(target))
        if source.key != target:
            self._check_copied(source)

    def _copy(self, source: ObjectInfo, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._send("copy_object", source.key, request, precondition=FileExpired)

    def _copying(self, source: ObjectInfo, send: Callable[[dict[str, Any]], Any]) -> Any:
        """The answer to a request that copies the source's very version. It is named by its ETag in a condition; where
        no condition can do that, `_check_copied` tells afterwards."""
        named = {"CopySource": {**self._name, "Key": source.key, **version_fields(source.version_id)}}
        if not self._has_copy_condition(source):
            return send(named)
        try:
            return send({**named, "CopySourceIfMatch": source.etag})
        except OSError as error:
            if not self._is_unsupported(error, partial(self._is_unchanged, source)):
                raise
        self._lacking.add(IF_COPIED)
        return send(named)

    def _has_copy_condition(self, source: ObjectInfo) -> bool:
        return IF_COPIED not in self._lacking and not responses.is_weak(source.etag)

    def _check_copied(self, source: ObjectInfo) -> None:
        """Where no condition guarded a copy: that the source is still the version that was meant."""
        if not self._has_copy_condition(source) and not self._is_unchanged(source):
            raise from_code("PreconditionFailed", "", self.path(source.key), precondition=FileExpired)

    # Delete

    def delete(self, key: str) -> None:
        """DeleteObject; no error where there is none."""
        try:
            answer = self._send("delete_object", key, {"Key": key})
        except BucketNotFoundError:
            raise
        except FileNotFoundError as error:
            # Some stores say so of what is not there; to a second try, whose first one's answer was lost, too.
            if responses.code(error.__cause__) not in ("NoSuchKey", "NoSuchVersion") and not self._is_absent(
                key, error
            ):
                raise self._asked("DeleteObject", key).refused("it has status 404, and the object is there") from error
            return
        responses.is_not_foreign(answer, self._asked("DeleteObject", key))

    def delete_many(self, keys: Sequence[str]) -> dict[str, Exception] | None:
        """DeleteObjects, at most 1,000 keys; gives each key that failed and why.

        None: the store has no such operation.
        """
        if DELETE_OBJECTS in self._lacking:
            return None
        try:
            return self._delete_together(keys)
        except BucketNotFoundError:
            raise
        except OSError as error:
            lacks = responses.is_unsupported(error.__cause__) or responses.code(error.__cause__) in NO_DELETE_OBJECTS
            if self._is_aws or not lacks:
                raise
        self._check_bucket(keys[0])
        self._lacking.add(DELETE_OBJECTS)
        return None

    def _delete_together(self, keys: Sequence[str]) -> dict[str, Exception]:
        request = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._send("delete_objects", keys[0], {"Delete": request})
        return responses.not_deleted(answer, keys, self._asked("DeleteObjects", keys[0]), self.path)

    # Tags

    def tags(self, key: str, version_id: str = "") -> dict[str, str]:
        """GetObjectTagging."""
        answer = self._send("get_object_tagging", key, {"Key": key, **version_fields(version_id)})
        return responses.tags(answer, self._asked("GetObjectTagging", key))

    def put_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """PutObjectTagging: these tags and no others."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        answer = self._send("put_object_tagging", key, {"Key": key, "Tagging": {"TagSet": tag_set}})
        responses.is_not_foreign(answer, self._asked("PutObjectTagging", key))

"""The operations that change objects: put, copy, delete, tags.

A write is done where the response proves it, or a look at the object afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from registry_s3fs.errors import (
    BucketNotFoundError,
    FileExpired,
    replaced,
    stored_too_little,
    uncertain,
)
from registry_s3fs.model.objects import DEFAULT_HEADERS, Body, ObjectHeaders, ObjectInfo
from registry_s3fs.s3 import ambiguous_writes, error_codes, responses
from registry_s3fs.s3.error_codes import FAILED_CONDITION, PRECONDITION_FAILED, from_code
from registry_s3fs.s3.puts import Put, Puts
from registry_s3fs.s3.requests import version_fields
from registry_s3fs.s3.responses import Answer

IF_ABSENT, IF_MATCH, IF_COPIED = "If-None-Match", "If-Match", "x-amz-copy-source-if-match"
REPLACING = "If-Match of a PUT"
DELETE_OBJECTS = "DeleteObjects"
"""A store may lack this and the four names above."""

Send = Callable[[Mapping[str, object]], Answer]
"""It sends a request with the fields of a condition, or without, and returns the response."""


class Writes(Puts):
    """The operations that write, copy and delete whole objects, and those on their tags."""

    # Put

    def put(self, key: str, body: Body, *, exclusive: bool = False, headers: ObjectHeaders = DEFAULT_HEADERS) -> None:
        """Send a PutObject.

        With `exclusive`, an existing object is refused with `FileExistsError`. Where a response was lost, the refusal
        may be caused by the object that was just written, which its ETag tells. Two writers of the very same bytes may
        both succeed if one of their responses was lost.
        """
        put = Put(key, body, headers)
        try:
            if exclusive:
                self._if_absent(key, lambda condition: self._put(put, condition))
            else:
                self.put_one(put)
        except OSError as error:
            if not (exclusive and ambiguous_writes.is_in_doubt(error) and self._is_stored(key, body, error)):
                raise

    def replace(self, found: ObjectInfo, body: Body, headers: ObjectHeaders) -> None:
        """Send a PutObject that replaces the very object version that was found.

        Where a store does not know the condition, a HEAD right before the PUT tells, too.

        Raises:
            FileExpired: There is another object version.
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

    def _replace(self, found: ObjectInfo, put: Put, condition: Mapping[str, object]) -> None:
        if not self._is_unchanged(found):
            raise replaced(self.path(found.key))
        self._put(put, condition, precondition=FileExpired)

    def _is_stored(self, key: str, body: Body, error: OSError) -> bool:
        """Return whether an object is the one that a PutObject without a response should have written."""
        found = self.look(key, error)
        expected = "" if self.parameters.is_directory_bucket else ambiguous_writes.etag(body)
        ours = found is not None and ambiguous_writes.is_ours(found, len(body), expected)
        if ours is None:
            raise uncertain(error, self.path(key)) from error
        return ours

    # Conditions

    def _if_absent(self, key: str, send: Callable[[Mapping[str, object]], None]) -> None:
        """Send a request that must not replace an object.

        Stores other than AWS may ignore the condition, so a HEAD is sent to them right before. Some stores do not know
        the condition, and they are sent the request without it. There, two writers at the same moment may both succeed.
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
        raise from_code(PRECONDITION_FAILED, "", self.path(key))

    def _is_unsupported(self, error: OSError, should_hold: Callable[[], bool]) -> bool:
        """Return whether a store other than AWS refused a condition as such.

        It says so, or it refuses the request though the condition holds.
        """
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
        """Send a CopyObject with the object headers of the source, or with other `headers`.

        A copy of an object onto itself rewrites the object, which renews LastModified. The ETag of the response
        confirms the copy. From a store other than AWS, where that is not the source's ETag, the size of the target
        afterwards confirms it, too.
        """
        request: dict[str, object] = {"Key": target, **self._new_object}
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

    def _copy(self, source: ObjectInfo, request: Mapping[str, object]) -> Answer:
        return self._send("copy_object", source.key, request, precondition=FileExpired)

    def _copying(self, source: ObjectInfo, send: Send) -> Answer:
        """Return the response to a request that copies the source's very object version.

        The ETag in a condition names the object version. Where no condition can do that, `_check_copied` tells
        afterwards.
        """
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
        """Raise `FileExpired` where the source is no longer the object version that was meant.

        Only a copy that no condition guarded is checked.
        """
        if not self._has_copy_condition(source) and not self._is_unchanged(source):
            raise from_code(PRECONDITION_FAILED, "", self.path(source.key), precondition=FileExpired)

    # Delete

    def delete(self, key: str) -> None:
        """Send a DeleteObject, without an error where there is no object."""
        try:
            answer = self._send("delete_object", key, {"Key": key})
        except BucketNotFoundError:
            raise
        except FileNotFoundError as error:
            # Some stores say so of what is not there; to a second try, whose first one's answer was lost, too.
            if responses.code(error.__cause__) not in error_codes.NO_SUCH_OBJECT and not self._is_absent(key, error):
                raise self._asked("DeleteObject", key).refused("it has status 404, and the object is there") from error
            return
        responses.is_not_foreign(answer, self._asked("DeleteObject", key))

    def delete_many(self, keys: Sequence[str]) -> dict[str, Exception] | None:
        """Send a DeleteObjects of at most `ranges.MAX_DELETE_KEYS`, and return each key that failed with its error.

        The result is None where the store has no such operation.
        """
        if DELETE_OBJECTS in self._lacking:
            return None
        try:
            return self._delete_together(keys)
        except BucketNotFoundError:
            raise
        except OSError as error:
            cause = error.__cause__
            lacks = responses.is_unsupported(cause) or responses.code(cause) in error_codes.NO_DELETE_OBJECTS
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
        """Send a GetObjectTagging and return the object's tags."""
        answer = self._send("get_object_tagging", key, {"Key": key, **version_fields(version_id)})
        return responses.tags(answer, self._asked("GetObjectTagging", key))

    def put_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Send a PutObjectTagging, after which the object has these tags and no others."""
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        answer = self._send("put_object_tagging", key, {"Key": key, "Tagging": {"TagSet": tag_set}})
        responses.is_not_foreign(answer, self._asked("PutObjectTagging", key))

"""The fast path's client: what may take the fast path, what that returns, and when it is left to boto3.

The requests that take it are GetObject, HeadObject, ListObjectsV2 and small PutObject, which may all be sent twice. A
success has boto3's field names, so that one place reads both. A plain refusal is boto3's `ClientError`. All else is
left to boto3, within one retry budget. That may be a response that is not the plain one, a broken connection, or a
status that boto3 tries again or follows.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator, Mapping
from functools import partial
from http.client import responses as reasons
from typing import TYPE_CHECKING, Any, cast
from xml.etree.ElementTree import ParseError, fromstring

from registry_s3fs.errors import FileExpired, InvalidResponseError
from registry_s3fs.model.objects import Body
from registry_s3fs.redaction import redact
from registry_s3fs.s3 import checksums, list_xml, retry
from registry_s3fs.s3.botocore_private import Listeners, error_class
from registry_s3fs.s3.documents import SUCCESSES, is_json, local_name, oddity, root
from registry_s3fs.s3.error_codes import LEFT_TO_BOTO3
from registry_s3fs.s3.fast_path.call import Call, Maker
from registry_s3fs.s3.fast_path.connection import Connections
from registry_s3fs.s3.fast_path.engine import Exchange, drive
from registry_s3fs.s3.fast_path.header_names import (
    GET_FIELDS,
    HEAD_FIELDS,
    METADATA,
    PAYER,
    QUERY,
    REQUEST_FIELDS,
    fields_of,
)
from registry_s3fs.s3.fast_path.response import Head, NotPlainError
from registry_s3fs.s3.fast_path.signer import UNSIGNED_PAYLOAD, SignedHead, Signer
from registry_s3fs.threads.buffers import Sink
from registry_s3fs.threads.signal_errors import is_of_handler

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client as Boto3Client

logger = logging.getLogger("registry_s3fs")

MOST_REFUSALS = 5
"""One kind of request is left to boto3 after this many responses that were not plain.

Successes between do not count.
"""
SIGNED_FOR_S = 300
"""One signature serves all byte ranges of an object for this long, while the credentials are the same."""
SIGNATURES_KEPT = 1024

FINAL = frozenset((403, 404, 405, 412, 416))
"""A request that is refused with one of these statuses is refused again.

Other refusals are left to boto3, which follows redirects, waits and tries again.
"""
REFUSED_SIGNATURES = frozenset((400, 401, 403))
TRIED_AGAIN = frozenset((408, 429, 500, 502, 503, 504))
"""After one of these statuses a pause comes before the next attempt."""

Accept = Callable[[Mapping[str, object]], "memoryview | Sink"]
"""It takes the fields of a response about an object, and gives the buffer or the sink for its body.

The buffer may be for the first bytes of the body alone. An `OSError` says that the response is not what was requested.
"""


class FastPath:
    """The fast path beside one boto3 client, to one bucket.

    Threads may share an instance.
    """

    def __init__(
        self,
        client: Boto3Client,
        signer: Signer | None,
        connections: Connections | None,
        *,
        user_agent: str,
        requester_pays: bool,
        sends_checksums: bool,
        signs_payloads: bool | None = None,
    ) -> None:
        """Set up the fast path.

        Without `signer` or `connections` it is closed. It is closed as well where the client may try a request only
        once.
        """
        self._client = client
        self._opened = (signer, connections) if signer and connections else None
        self._listeners = Listeners(client)
        self._always = PAYER if requester_pays else {}
        self._sends_checksums = sends_checksums
        self._signs_payloads = signs_payloads
        self._may_try_twice = retry.tries_allowed(client) > 1
        self._refused: Counter[str] = Counter()
        self._signed: OrderedDict[tuple[str, ...], SignedHead] = OrderedDict()
        self._lock = threading.RLock()
        self._unsigned = f"user-agent: {user_agent}\r\naccept-encoding: identity\r\n".encode("latin-1", "replace")

    def is_open(self, operation: str) -> bool:
        """Return whether requests for an operation may take the fast path now."""
        return (
            self._opened is not None
            and self._may_try_twice
            and self._refused[operation] < MOST_REFUSALS
            and not self._listeners.are_foreign()
        )

    @property
    def signer(self) -> Signer:
        """Return what signs the requests of a fast path that has not been closed from the start."""
        return self._parts[0]

    @property
    def connections(self) -> Connections:
        """Return the connections of a fast path that has not been closed from the start."""
        return self._parts[1]

    @property
    def _parts(self) -> tuple[Signer, Connections]:
        if self._opened is None:
            raise RuntimeError("the fast path is closed")
        return self._opened

    # Requests

    def get_object(
        self,
        key: str,
        version_id: str,
        headers: Mapping[str, str],
        accept: Accept,
        for_whom: Maker,
        *,
        checksum: bool = False,
    ) -> Call[Maker]:
        """Return the call of a GetObject.

        `headers` (Range, If-Match) are not signed.
        """
        head = partial(self._object_head, "GET", key, version_id, headers, checksum)
        call = Call("GetObject", key, Exchange("GET", head), for_whom)
        call.exchange.reader.place = lambda head: _accepted(call, head, accept)
        return call

    def head_object(self, key: str, version_id: str, *, checksum: bool = False) -> Call[None]:
        """Return the call of a HeadObject."""
        head = partial(self._object_head, "HEAD", key, version_id, {}, checksum)
        return Call("HeadObject", key, Exchange("HEAD", head), None)

    def list_objects(self, fields: Mapping[str, object], for_whom: Maker) -> Call[Maker]:
        """Return the call of a ListObjectsV2 with boto3's fields."""
        query = {QUERY[name]: str(value) for name, value in fields.items()}
        query |= {"list-type": "2", "encoding-type": "url"}
        head = partial(self._head, "GET", "", query, {})
        return Call("ListObjectsV2", str(fields.get("Prefix", "")), Exchange("GET", head), for_whom)

    def put_object(self, fields: Mapping[str, object], body: Body, for_whom: Maker) -> Call[Maker] | None:
        """Return the call of a PutObject with boto3's fields.

        The result is None where the fast path cannot send one of the fields. The bytes are guarded on their way by
        their SHA-256 in the signature. Over TLS, a CRC32, which S3 keeps, may guard them instead.
        """
        if not fields.keys() <= {"Key", "Metadata", *REQUEST_FIELDS}:
            return None
        key, metadata = str(fields["Key"]), cast("Mapping[str, str]", fields.get("Metadata", {}))
        headers = {METADATA + name: value for name, value in metadata.items()}
        headers |= {REQUEST_FIELDS[name]: str(value) for name, value in fields.items() if name in REQUEST_FIELDS}
        if not all(value.isascii() and value.isprintable() for pair in headers.items() for value in pair):
            return None
        return self._sending(
            "PutObject", key, {}, {name.lower(): value for name, value in headers.items()}, body, for_whom
        )

    def upload_part(self, key: str, upload_id: str, number: int, body: Body, for_whom: Maker) -> Call[Maker]:
        """Return the call of an UploadPart, whose bytes are guarded as those of `put_object` are."""
        return self._sending("UploadPart", key, {"partNumber": str(number), "uploadId": upload_id}, {}, body, for_whom)

    def _sending(
        self,
        operation: str,
        key: str,
        query: Mapping[str, str],
        headers: dict[str, str],
        body: Body,
        for_whom: Maker,
    ) -> Call[Maker]:
        """Return the call of a PUT of bytes.

        The digests are computed when the request is about to be sent, while other requests are on their way.
        """

        def head() -> bytes:
            length = f"content-length: {len(body)}\r\n".encode()
            guards = {}
            if self._sends_checksums:
                guards = {"x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": checksums.crc32(body)}
            payload = hashlib.sha256(body).hexdigest() if self._signs_payload() else UNSIGNED_PAYLOAD
            return self._head("PUT", key, query, {**headers, **guards}, payload=payload)[:-2] + length + b"\r\n"

        return Call(operation, key, Exchange("PUT", head, body=body), for_whom)

    # Carrying out

    def ask(self, call: Call[Maker] | None) -> dict[str, object] | None:
        """Carry out one request and return its response.

        The result is None where boto3 must send the request.

        Raises:
            botocore.exceptions.ClientError: S3 refused the request.
        """
        if call is None or not self.is_open(call.operation):
            return None
        self.carry_out_one(call)
        if call.error is not None:
            raise call.error
        if call.answer is None:
            call.hand_over()
        return call.answer

    def carry_out_one(self, call: Call[Maker]) -> None:
        """Carry out one request."""
        waiting = [call]
        for _ in self.carry_out(lambda: waiting.pop() if waiting else None, 1, lambda: len(waiting)):
            pass

    def carry_out(
        self, due: Callable[[], Call[Maker] | None], at_once: int, left: Callable[[], int]
    ) -> Generator[Call[Maker], None, None]:
        """Carry out requests in this thread, at most `at_once` side by side, and yield each as it ends.

        `due` gives the next request, or None where there is none now. The caller has asked `is_open` before each.
        `left` tells how many are yet to begin, as far as that is known.
        """
        calls: dict[int, tuple[Call[Maker], float]] = {}

        def next_exchange() -> Exchange | None:
            call = due()
            if call is None:
                return None
            calls[id(call.exchange)] = call, time.perf_counter()
            return call.exchange

        driven = drive(self.connections, next_exchange, at_once, left)
        try:
            for exchange in driven:
                call, began = calls.pop(id(exchange))
                self._conclude(call)
                self._tell(call, began)
                yield call
        except BaseException as error:
            error.__traceback__ = None  # whose frames hold signed requests
            raise
        finally:
            driven.close()

    def _conclude(self, call: Call[Maker]) -> None:
        """Note what the response to a call is, or why the call is left to boto3."""
        exchange = call.exchange
        head = exchange.reader.head
        try:
            if exchange.failure is not None or head is None:
                raise exchange.failure or NotPlainError("no answer")
            if head.status < 300:
                call.answer = _answer(call, head)
            elif head.status in FINAL:
                call.error = _refusal(self._client, call, head)
            if call.answer is None and call.error is None:
                call.why, call.pauses = f"status {head.status}", head.status in TRIED_AGAIN
        except Exception as error:
            if is_of_handler(error):
                raise
            self._note_failure(call, error)
        if head is not None and head.status in REFUSED_SIGNATURES:
            self._forget_signature(call)
        exchange.reader.end()

    def _note_failure(self, call: Call[Maker], failure: Exception) -> None:
        exchange = call.exchange
        if isinstance(failure, NotPlainError):
            call.why = f"not the plain answer: {failure}"
            self._refused[call.operation] += call.error is None and not call.is_replaced
        elif isinstance(failure, OSError):
            call.why = f"{type(failure).__name__}: {failure}"
            call.pauses = not exchange.was_reused and not exchange.reader.received
            call.is_unreachable = call.pauses or isinstance(failure, TimeoutError)
        else:  # botocore's, of credentials, or a lack of memory: whoever made the call raises it
            call.error = failure

    def _tell(self, call: Call[Maker], began: float) -> None:
        if not logger.isEnabledFor(logging.DEBUG):
            return
        head = call.exchange.reader.head
        status = f"status {head.status}" if head else "no answer"
        ms = (time.perf_counter() - began) * 1000
        name = redact(call.key)
        logger.debug("%s %r: %s, %.1f ms, connection %d", call.operation, name, status, ms, call.exchange.connection)
        if call.why:
            logger.debug("%s %r: left to boto3: %s", call.operation, name, redact(call.why))
        if self._refused[call.operation] == MOST_REFUSALS and call.why.startswith("not"):
            logger.debug("%s: from now on boto3's, after %d such answers", call.operation, MOST_REFUSALS)

    # Signing

    def _object_head(self, method: str, key: str, version_id: str, headers: Mapping[str, str], checksum: bool) -> bytes:
        """Return the head of a request for an object, whose signature is used again."""
        name, signer = (method, key, version_id, str(checksum)), self.signer
        signed, keys = self._signed.get(name), signer.keys()
        if signed is None or signed.keys != keys or time.time() - signed.made > SIGNED_FOR_S:
            query = {"versionId": version_id} if version_id else {}
            fields = {**self._always, **({"x-amz-checksum-mode": "ENABLED"} if checksum else {})}
            signed = signer.sign(method, key, query, fields, keys=keys)
            with self._lock:
                self._signed[name] = signed
                while len(self._signed) > SIGNATURES_KEPT:
                    self._signed.popitem(last=False)
        further = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if not further.isascii():
            raise NotPlainError("a condition that is not ASCII")
        return signed.data + self._unsigned + further.encode() + b"\r\n"

    def _head(
        self, method: str, key: str, query: Mapping[str, str], fields: Mapping[str, str], **payload: str
    ) -> bytes:
        signer = self.signer
        signed = signer.sign(method, key, query, {**self._always, **fields}, keys=signer.keys(), **payload)
        return signed.data + self._unsigned + b"\r\n"

    def _signs_payload(self) -> bool:
        """Return whether the body is signed, as boto3 decides it.

        It is signed always, except where TLS and a checksum guard the bytes. The user's own setting has precedence.
        """
        if self._signs_payloads is not None:
            return self._signs_payloads
        return self.connections.endpoint.context is None or not self._sends_checksums

    def _forget_signature(self, call: Call[Maker]) -> None:
        """Forget the signatures of a call's key, as their credentials may have been revoked."""
        with self._lock:
            for name in [name for name in self._signed if name[1] == call.key]:
                del self._signed[name]


def _accepted(call: Call[Maker], head: Head, accept: Accept) -> memoryview | Sink:
    """Return the buffer or the sink for the body of an object, if the response is the one that was requested."""
    fields = {**fields_of(head, GET_FIELDS), "ResponseMetadata": {"HTTPStatusCode": head.status}}
    if not fields.get("ETag"):
        raise NotPlainError("an object without an ETag")
    call.accepted = fields
    try:
        return accept(fields)
    except FileExpired as error:
        call.is_replaced = True
        raise NotPlainError(str(error)) from None
    except InvalidResponseError as error:
        raise NotPlainError(str(error)) from None
    except OSError as error:  # of whoever takes the bytes
        if is_of_handler(error):
            raise
        call.error = error
        raise NotPlainError(str(error)) from None


def _answer(call: Call[Maker], head: Head) -> dict[str, object]:
    """Return the fields of a success, as boto3 gives them."""
    if head.status not in SUCCESSES.get(call.operation, (200,)):
        raise NotPlainError(f"a success with status {head.status}")
    if call.operation == "ListObjectsV2":
        began = time.thread_time()
        page = list_xml.parse(bytes(call.exchange.reader.document))
        call.worked_s = time.thread_time() - began
        if page is None:
            raise NotPlainError("no page of a listing as S3 writes them")
        return list_xml.decoded(page)
    fields = call.accepted or fields_of(head, HEAD_FIELDS if call.operation == "HeadObject" else GET_FIELDS)
    if not fields.get("ETag"):
        raise NotPlainError("a success without an ETag")
    document = bytes(call.exchange.reader.document)
    if call.exchange.method == "PUT" and (root(document) or is_json(document)):
        raise NotPlainError("a document where S3 sends none")
    return {"Metadata": {}, **fields} if call.operation == "HeadObject" else fields


def _refusal(client: Boto3Client, call: Call[Maker], head: Head) -> Exception | None:
    """Return S3's error as boto3 raises it.

    The result is None where boto3 must send the request itself.
    """
    said = _error_document(bytes(call.exchange.reader.document))
    if said.get("Code") in LEFT_TO_BOTO3:
        return None
    request = {"RequestId": said.pop("RequestId", head.fields.get("x-amz-request-id", ""))}
    request["HostId"] = said.pop("HostId", head.fields.get("x-amz-id-2", ""))
    said = {"Code": str(head.status), "Message": reasons.get(head.status, ""), **said}
    metadata = {**request, "HTTPStatusCode": head.status, "HTTPHeaders": head.fields, "RetryAttempts": 0}
    answer: Any = {"Error": said, "ResponseMetadata": metadata}  # the stubs know fewer elements of an error
    return error_class(client, said["Code"])(answer, call.operation)


def _error_document(document: bytes) -> dict[str, str]:
    """Return the elements of an error's body.

    The result is empty where the body is not S3's.
    """
    try:
        found = fromstring(document) if document else None  # noqa: S314  # bounded, and as botocore does
    except (ParseError, ValueError, LookupError) as error:  # of unknown encodings, too
        if is_of_handler(error):
            raise
        return {}
    if found is None or local_name(found.tag) != "Error":
        return {}
    said = {local_name(each.tag): each.text or "" for each in found if not len(each)}
    return {} if oddity(document) else said

"""The checksum of all bytes of an object, which S3 keeps beside it, and the comparison with it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from functools import partial

from registry_s3fs.errors import damaged
from registry_s3fs.model.integrity import Check, Expected, Hash
from registry_s3fs.model.objects import Checksum


class _Crc:
    """A cyclic redundancy check with `hashlib`'s methods.

    >>> crc = _Crc(zlib.crc32, 4)
    >>> crc.update(b"abc")
    >>> base64.b64encode(crc.digest())
    b'NSRBwg=='
    """

    def __init__(self, step: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._step, self._size, self._value = step, size, 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_ALGORITHMS: dict[str, Callable[[], Hash]] = {
    "CRC32": partial(_Crc, zlib.crc32, 4),
    "SHA1": partial(hashlib.sha1, usedforsecurity=False),
    "SHA256": hashlib.sha256,
}
_BY_AWSCRT = {"CRC64NVME": ("crc64nvme", 8), "CRC32C": ("crc32c", 4)}
"""The keys are algorithms, the values are functions of `awscrt.checksums`, as for boto3, and sizes in bytes."""

FIELDS = {f"Checksum{algorithm}": algorithm for algorithm in (*_ALGORITHMS, *_BY_AWSCRT)}
"""The keys are boto3's names of response fields, the values are algorithms."""


def stored(answer: Mapping[str, object]) -> Checksum | None:
    r"""Return the checksum that a response about a whole object names.

    The result is None where there is none that can be computed here. A checksum that is made of the checksums of parts
    says nothing of the bytes unless one knows where the parts ended.

    >>> stored({"ChecksumCRC32": "NSRBwg==", "ChecksumType": "FULL_OBJECT"})
    Checksum(algorithm='CRC32', value=b'5$A\xc2')
    >>> stored({"ChecksumCRC32": "NSRBwg==-2"}), stored({"ChecksumSHA1": "NSRBwg==", "ChecksumType": "COMPOSITE"})
    (None, None)
    >>> stored({"ChecksumCRC32": "NSRBwg==", "ETag": '"900150983cd24fb0d6963f7d28e17f72-2"'})
    >>> stored({"ChecksumCRC32": "?"}), stored({"ETag": '"x"'})
    (None, None)
    """
    of_parts = "COMPOSITE" if "-" in str(answer.get("ETag", "")) else ""  # not every store says the type
    if (answer.get("ChecksumType") or of_parts) not in ("", "FULL_OBJECT") or "ContentRange" in answer:
        return None
    for field, algorithm in FIELDS.items():
        if field in answer and _begin(algorithm):
            try:
                return Checksum(algorithm, base64.b64decode(str(answer[field]), validate=True))
            except ValueError:  # binascii.Error, and of what is not ASCII
                return None
    return None


def check(path: str, checksum: Checksum | None) -> Check | None:
    """Return an object that compares the bytes read from a path with a checksum.

    The result is None where there is no checksum, or no way to compute it. The comparison raises `errors.damaged`.
    """
    begin = checksum and _begin(checksum.algorithm)
    if checksum is None or begin is None:
        return None

    def mismatch(value: bytes, size: int) -> OSError:
        said, found = (base64.b64encode(each).decode() for each in (checksum.value, value))
        return damaged(f"S3's {checksum.algorithm} is {said}, and that of the {size} bytes read {found}", path)

    return Check(Expected(begin, checksum.value, mismatch))


def _begin(algorithm: str) -> Callable[[], Hash] | None:
    if algorithm not in _BY_AWSCRT:
        return _ALGORITHMS[algorithm]
    try:
        from awscrt import checksums
    except ImportError:
        return None
    name, size = _BY_AWSCRT[algorithm]
    step = getattr(checksums, name, None)  # older ones have no CRC64NVME
    return step and partial(_Crc, step, size)


def crc32(data: bytes | bytearray | memoryview) -> str:
    """Return the value of the request field ChecksumCRC32.

    >>> crc32(b"abc")
    'NSRBwg=='
    """
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def md5(data: bytes | bytearray | memoryview) -> str:
    """Return the value of the header Content-MD5 and of the request field ContentMD5.

    >>> md5(b"abc")
    'kAFQmDzST7DWlj99KOF/cg=='
    """
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

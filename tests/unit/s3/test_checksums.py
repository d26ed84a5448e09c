"""What is computed of an object's bytes is what S3 computes of them."""

from __future__ import annotations

import base64

import pytest

from registry_s3fs.model.objects import Checksum
from registry_s3fs.s3 import checksums
from tests.libraries import library

DIGITS = b"123456789"
VALUES = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}
"""The checks of these algorithms in their catalogues."""


@pytest.mark.parametrize("algorithm", VALUES)
def test_each_algorithm_of_s3_is_computed(algorithm: str) -> None:
    """In any number of steps; those that the standard library lacks with awscrt, as in boto3."""
    if algorithm in ("CRC32C", "CRC64NVME"):
        library("awscrt")
    value = bytes.fromhex(VALUES[algorithm])
    told = {f"Checksum{algorithm}": base64.b64encode(value).decode(), "ChecksumType": "FULL_OBJECT"}
    assert checksums.stored(told) == Checksum(algorithm, value)
    check = checksums.check("/a", checksums.stored(told))
    assert check
    check.take(0, DIGITS[:4], 9)
    check.take(4, memoryview(DIGITS)[4:], 9)
    with pytest.raises(OSError, match=rf"S3's {algorithm} is .*, and that of the 9 bytes read .*'/a'"):
        check.take(0, DIGITS[::-1], 9)


def test_one_that_can_be_computed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where S3 has several, and awscrt is missing."""
    monkeypatch.setitem(__import__("sys").modules, "awscrt", None)
    told = {"ChecksumCRC64NVME": "rosUhgp5mIg=", "ChecksumSHA1": "98O8HYCOBHMq32eZZczDTKeuNEE="}
    found = checksums.stored(told)
    assert found
    assert found.algorithm == "SHA1"
    assert checksums.stored({"ChecksumCRC64NVME": "rosUhgp5mIg="}) is None


def test_a_range_has_no_checksum_of_the_whole() -> None:
    """S3 gives that of a part with a range that is one, and some stores the whole object's with any."""
    assert checksums.stored({"ChecksumCRC32": "NSRBwg==", "ContentRange": "bytes 0-2/9"}) is None

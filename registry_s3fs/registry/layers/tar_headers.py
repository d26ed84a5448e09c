"""What stands before a file in a tar archive: header blocks, PAX records, GNU's long names, maps of sparse files.

The standard library's ``tarfile`` parses the header blocks. It reads the rest into memory whatever its size, so that
is done here, within the bounds of Go's ``archive/tar``, by which container runtimes read layers.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Mapping
from math import isfinite

from registry_s3fs import errors

BLOCK_BYTES = 512
MAX_SPECIAL_BYTES = 1024 * 1024
"""The most bytes of PAX records, of a long name, or of a sparse file's map (Go: ``maxSpecialFileSize``)."""
MAX_SIZE = 2**63 - 1

Pax = dict[str, bytes]
"""PAX records: their keywords and values."""
Runs = tuple[tuple[int, int], ...]
"""The offset and length of each run of bytes in a sparse file."""

_GNU_MAGIC = b"ustar  \0"
_DIGITS = re.compile(rb"[0-9]{1,20}").fullmatch
_SPARSE_OFFSET, _SPARSE_LENGTH, SPARSE_MAP = "GNU.sparse.offset", "GNU.sparse.numbytes", "GNU.sparse.map"
_XATTR = "SCHILY.xattr."


def parse_block(block: bytes) -> tarfile.TarInfo:
    """Return what a header block says.

    Raises:
        LayerError: It is none: its checksum is wrong, or a number is none.
    """
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise errors.bad_layer(f"the archive has a damaged header: {error}") from None
    if block[257:265] == _GNU_MAGIC and block[345:346] != b"\0":  # GNU tar keeps times there, and no prefix of the name
        info.name = block[:100].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
    if info.size < 0:
        raise errors.bad_layer(f"the size of {info.name[:80]!r} is negative")
    return info


def parse_pax(data: bytes) -> Pax:
    r"""Return the PAX records of an extended header.

    >>> parse_pax(b"12 path=a/b\n")
    {'path': b'a/b'}

    Raises:
        LayerError: They are none.
    """
    pax: Pax = {}
    sparse: list[bytes] = []
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + 21)
        length = _number(data[at:space]) if space > at else 0
        keyword, equals, value = data[space + 1 : at + length - 1].partition(b"=")
        if length < space - at + 2 or data[at + length - 1 : at + length] != b"\n" or not equals:
            raise errors.bad_layer("the archive has PAX records that are none")
        name = keyword.decode("utf-8", "surrogateescape")
        if name in (_SPARSE_OFFSET, _SPARSE_LENGTH):  # these come once for each run
            sparse.append(value)
        else:
            pax[name] = value
        at += length
    if sparse:
        pax[SPARSE_MAP] = b",".join(sparse)
    return pax


def apply_pax(info: tarfile.TarInfo, pax: Mapping[str, bytes]) -> None:
    """Replace what a header block says by what PAX records say. Empty values count for nothing, as in Go.

    Raises:
        LayerError: A number is none.
    """
    name = pax.get("GNU.sparse.name") or pax.get("path")
    if name:
        info.name = name.decode("utf-8", "surrogateescape")
    if link := pax.get("linkpath"):
        info.linkname = link.decode("utf-8", "surrogateescape")
    info.size = _number(pax["size"]) if pax.get("size") else info.size
    info.uid = _number(pax["uid"]) if pax.get("uid") else info.uid
    info.gid = _number(pax["gid"]) if pax.get("gid") else info.gid
    if mtime := pax.get("mtime"):
        info.mtime = _seconds(mtime)


def xattrs(pax: Mapping[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes that PAX records have."""
    return tuple((name[len(_XATTR) :], value) for name, value in pax.items() if name.startswith(_XATTR))


def real_size(pax: Mapping[str, bytes]) -> int | None:
    """Return the size of a sparse file with its holes, or None where PAX records say of none."""
    size = pax.get("GNU.sparse.realsize") or pax.get("GNU.sparse.size")
    return _number(size) if size else None


def pax_runs(pax: Mapping[str, bytes], read_block: Callable[[], bytes]) -> Runs | None:
    """Return the map of a sparse file in one of GNU's three PAX formats, or None where the file is not sparse.

    Args:
        pax: The file's PAX records.
        read_block: Returns the next block of the file's body, where format 1.0 has the map.

    Raises:
        LayerError: The map is none.
    """
    if pax.get("GNU.sparse.major") == b"1" and pax.get("GNU.sparse.minor") == b"0":
        return _pairs(_body_map(read_block))
    return _pairs(pax[SPARSE_MAP].split(b",")) if pax.get(SPARSE_MAP) else None


def old_runs(block: bytes, read_block: Callable[[], bytes]) -> tuple[Runs, int]:
    """Return the map of a sparse file in GNU's oldest format, and its size with its holes.

    Args:
        block: The file's header block.
        read_block: Returns the next block of the archive.

    Raises:
        LayerError: The map is none.
    """
    fields = [block[at : at + 12] for at in range(386, 482, 12)]
    more = block[482] != 0
    while more:
        check_special(len(fields) * 12, "map")
        extension = read_block()
        fields += [extension[at : at + 12] for at in range(0, 504, 12)]
        more = extension[504] != 0
    used = [field for field in fields if field.strip(b"\0 ")]
    return _pairs([b"%d" % _field(field) for field in used]), _field(block[483:495])


def check_runs(runs: Runs, stored: int, size: int) -> None:
    """Raise the error for runs that overlap, reach beyond the file, or are not what is stored.

    Raises:
        LayerError: They do.
    """
    end = 0
    for offset, length in runs:
        if offset < end or offset + length > size:
            raise errors.bad_layer("the map of a sparse file has runs that overlap, or reach beyond its end")
        end = offset + length
    if sum(length for _, length in runs) != stored:
        raise errors.bad_layer("the map of a sparse file has more or fewer bytes than are stored")


def check_special(size: int, what: str) -> None:
    """Raise the error for PAX records or a long name that are larger than any that are read.

    Raises:
        LayerError: They are.
    """
    if size > MAX_SPECIAL_BYTES:
        raise errors.bad_layer(f"the archive has a {what} of over {MAX_SPECIAL_BYTES} bytes")


def _body_map(read_block: Callable[[], bytes]) -> list[bytes]:
    """Return the numbers at the beginning of the body: how many runs, then the runs, a number a line."""
    blocks = [read_block()]
    numbers = 2 * _number(blocks[0].split(b"\n", 1)[0])
    check_special(2 * numbers, "map")
    lines = blocks[0].count(b"\n")
    while lines <= numbers:
        check_special(len(blocks) * BLOCK_BYTES, "map")
        blocks.append(read_block())
        lines += blocks[-1].count(b"\n")
    return b"".join(blocks).split(b"\n")[1 : 1 + numbers]


def _pairs(numbers: list[bytes]) -> Runs:
    values = [_number(each) for each in numbers]
    if len(values) % 2:
        raise errors.bad_layer("the map of a sparse file ends in the middle of a run")
    return tuple(zip(values[::2], values[1::2], strict=True))


def _number(digits: bytes) -> int:
    value = int(digits) if _DIGITS(digits) else -1
    if not 0 <= value <= MAX_SIZE:
        raise errors.bad_layer(f"the archive has {digits[:40]!r} where a number is needed")
    return value


def _field(field: bytes) -> int:
    """Return a number of a header block: octal digits, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        return _number(b"%d" % value)
    digits = field.split(b"\0", 1)[0].strip()
    try:
        return int(digits or b"0", 8)
    except ValueError:
        raise errors.bad_layer(f"the archive has {digits!r} where an octal number is needed") from None


def _seconds(text: bytes) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise errors.bad_layer(f"the archive has {text[:40]!r} where a time is needed")
    return value

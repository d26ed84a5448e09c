"""Archives become entries, within bounds; what is damaged is an error and never an end."""

from __future__ import annotations

import io
import tarfile

import pytest

from registry_s3fs.errors import LayerError
from registry_s3fs.registry.layers import tar_headers, tar_index
from registry_s3fs.registry.layers.archives import PiecesArchive, RangedArchive
from registry_s3fs.registry.layers.entries import LayerEntry
from registry_s3fs.registry.layers.sparse import read_sparse
from tests.layers import Member, folder, hardlink, noise, symlink, tar

BLOB = "sha256:" + 64 * "0"
LONG = "/".join(["d" * 150] * 9) + "/\u00fc"


def entries(archive: bytes, piece: int = 1000) -> list[LayerEntry]:
    """The entries of an archive, which are the same from pieces and from ranges."""
    pieces = iter([archive[at : at + piece] for at in range(0, len(archive), piece)])
    found = list(tar_index.entries(PiecesArchive(pieces), BLOB))
    ranged = RangedArchive(lambda start, end: archive[start:end], len(archive))
    assert list(tar_index.entries(ranged, BLOB)) == found
    return found


def header(name: str = "x", size: int = 0, kind: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """A header block, whatever it says."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(**records: str) -> bytes:
    """An extended header, and the file `x` of no bytes that it belongs to."""
    text = b""
    for name, value in records.items():
        record = f" {name.replace('__', '.')}={value}\n".encode()
        length = len(record) + len(str(len(record) + len(str(len(record)))))
        text += str(length).encode() + record
    return header("pax", len(text), tarfile.XHDTYPE) + text.ljust(-(-len(text) // 512) * 512, b"\0")


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_everything_that_an_archive_says_is_in_the_entries(format: int) -> None:  # noqa: A002  # tarfile's word
    """Kinds, sizes, modes, owners, times, links, devices, long names and names that are no UTF-8."""
    members = [
        folder("./usr/", mode=0o2775),
        Member("usr/tool", noise(700), mode=0o4755, uid=70_000, gid=5, mtime=1_600_000_000),
        symlink("usr/link", "../../x/" + "y" * 120),
        hardlink("usr/hard", "./usr/../usr/tool"),
        Member("usr/null", type=tarfile.CHRTYPE, device=(1, 3), mode=0o666),
        Member("usr/sda", type=tarfile.BLKTYPE, device=(8, 300)),
        Member("usr/pipe", type=tarfile.FIFOTYPE),
        Member(LONG, b"long"),
        Member("odd\udcff\n", b"odd"),
    ]
    archive = tar(members, format)
    found = entries(archive)
    assert [entry.path for entry in found] == ["usr", *(member.name for member in members[1:])]
    assert [entry.kind for entry in found] == [
        *("directory", "file", "symlink", "hardlink", "character_device", "block_device", "fifo", "file", "file")
    ]
    tool = found[1]
    assert (tool.size, tool.mode, tool.uid, tool.gid, tool.mtime) == (700, 0o4755, 70_000, 5, 1_600_000_000.0)
    assert (found[2].link_target, found[3].link_target) == ("../../x/" + "y" * 120, "usr/tool")
    assert (found[4].device, found[5].device) == ((1, 3), (8, 300))
    files = [(entry, member) for entry, member in zip(found, members, strict=True) if entry.kind == "file"]
    for entry, member in files:
        assert entry.offset is not None
        assert archive[entry.offset : entry.offset + entry.size] == member.data


def test_what_pax_records_say_counts_before_the_header() -> None:
    """Times with fractions, large numbers, attributes; an empty value counts for nothing."""
    records = {"SCHILY.xattr.security.capability": "\x01\x02", "mtime": "12.25", "uid": "3000000", "path": ""}
    [entry] = entries(tar([Member("x", b"1", records=records)]))
    assert (entry.path, entry.mtime, entry.uid) == ("x", 12.25, 3_000_000)
    assert entry.xattrs == (("security.capability", b"\x01\x02"),)


def test_global_headers_count_for_nothing() -> None:
    """As for containerd and Docker, which skip them."""
    text = b"20 path=elsewhere/x\n"
    archive = header("g", len(text), tarfile.XGLTYPE) + text.ljust(512, b"\0") + header("here") + bytes(1024)
    assert [entry.path for entry in entries(archive)] == ["here"]


@pytest.mark.parametrize(
    ("name", "path"),
    [("/etc/passwd", "etc/passwd"), ("../../x", "x"), ("a/../../../b/./c", "b/c"), ("a//b", "a/b"), ("..", "")],
)
def test_no_name_leads_out_of_the_image(name: str, path: str) -> None:
    """Absolute names and `..` are bound below the root, of hard links' targets too."""
    found = entries(tar([folder(name), hardlink("l", name)]))
    assert [entry.path for entry in found] == [*([path] if path else []), "l"]
    assert found[-1].link_target == path


def test_sparse_files_of_every_format_have_their_holes() -> None:
    """GNU's old format and the three of PAX, with runs and zeros where they belong."""
    data = b"A" * 512 + b"B" * 512
    whole = bytes(1024) + b"A" * 512 + bytes(512) + b"B" * 512 + bytes(1024)
    runs = "1024,512,2048,512"
    old = bytearray(header("x", 1024, tarfile.GNUTYPE_SPARSE))
    numbers = b"".join(b"%011o\0" % number for number in (1024, 512, 2048, 512))
    old[386 : 386 + len(numbers)] = numbers
    old[483:495] = b"%011o\0" % 3584
    old[148:156] = b"%06o\0 " % (sum(old[:148]) + 256 + sum(old[156:]))
    map_block = b"2\n1024\n512\n2048\n512\n".ljust(512, b"\0")
    size = {"GNU__sparse__name": "x", "GNU__sparse__realsize": "3584"}
    each = {
        "old": bytes(old) + data,
        "0.1": pax(GNU__sparse__map=runs, GNU__sparse__size="3584") + header("x", 1024) + data,
        "1.0": pax(GNU__sparse__major="1", GNU__sparse__minor="0", **size) + header("y", 1536) + map_block + data,
    }
    for archive in each.values():
        [entry, after] = entries(archive + header("after") + bytes(1024))
        assert (entry.path, entry.size, after.path) == ("x", 3584, "after")
        assert entry.sparse is not None
        assert entry.offset is not None
        stored = archive[entry.offset :]
        assert read_sparse(entry.sparse, lambda start, end, stored=stored: stored[start:end], 0, 3584) == whole
        part = read_sparse(entry.sparse, lambda start, end, stored=stored: stored[start:end], 1500, 2100)
        assert part == whole[1500:2100]


def test_a_sparse_file_of_many_runs_is_the_one_that_gnu_tar_stores() -> None:
    """Format 0.0, whose records come once for each run, as tarfile reads it too."""
    records = b"".join(
        b"%d %s\n" % (len(text) + 4, text)
        for number in range(20)
        for text in (b"GNU.sparse.offset=%04d" % (number * 100), b"GNU.sparse.numbytes=0010")
    )
    records += b"25 GNU.sparse.size=00002000\n".replace(b"25", b"28")
    archive = header("p", len(records), tarfile.XHDTYPE) + records.ljust(-(-len(records) // 512) * 512, b"\0")
    archive += header("x", 200) + bytes(512) + bytes(1024)
    [entry] = entries(archive)
    assert (entry.size, len(entry.sparse or ())) == (2000, 20)
    with tarfile.open(fileobj=io.BytesIO(archive)) as theirs:
        assert theirs.getmembers()[0].size == entry.size


WHOLE = tar([Member("a", noise(3000)), folder("b"), Member("b/c", b"c")], tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [100, 512, 513, 1000, 3511, 3600, 4608])
def test_an_archive_that_is_cut_short_is_an_error(size: int) -> None:
    """In the middle of a header or a body."""
    with pytest.raises(LayerError, match="ends in the middle"):
        entries(WHOLE[:size])


def test_an_archive_may_end_without_its_two_blocks_of_zeros() -> None:
    """As for Go's archive/tar; whether its blob is whole, the blob's size or digest tells."""
    body = WHOLE[: 512 + 3072 + 512 + 512 + 512]
    assert len(entries(body)) == len(entries(body + bytes(512))) == len(entries(WHOLE)) == 3
    assert entries(body + bytes(1024) + b"anything behind the end") == entries(WHOLE)
    assert entries(b"") == []


DAMAGED = bytearray(WHOLE)
DAMAGED[512 + 3072 + 1] ^= 1
HOSTILE = {
    "a damaged header": bytes(DAMAGED),
    "zeros in the middle": WHOLE[:3584] + bytes(512) + WHOLE[3584:],
    "no archive": b"not an archive at all".ljust(1024, b"."),
    "an unknown type": header(kind=b"V"),
    "PAX records of gigabytes": header("p", 2**32, tarfile.XHDTYPE),
    "a name of gigabytes": header("p", 2**32, tarfile.GNUTYPE_LONGNAME),
    "a negative size": header("x", -5),
    "a size beyond all": header("x", 2**62),
    "records without a file": pax(path="x"),
    "records that are none": header("p", 4, tarfile.XHDTYPE) + b"9999".ljust(512, b"\0"),
    "records that overlap": header("p", 20, tarfile.XHDTYPE) + b"1 a=b\n".ljust(512, b"\0"),
    "a time that is none": pax(mtime="nan") + header(),
    "a size that is none": pax(size="-1") + header(),
    "a number of many digits": pax(uid="9" * 5000) + header(),
    "a null byte": pax(path="a\0b") + header(),
    "a path of 5,000 bytes": pax(path="a/" * 2500) + header(),
    "a name of 300 bytes": pax(path="\u00fc" * 150) + header(),
    "a link to a path of 5,000 bytes": pax(linkpath="a/" * 2500) + header(kind=tarfile.SYMTYPE),
    "a file as the root": header("./../"[:4]),
    "a map that is none": pax(GNU__sparse__map="1,2,3", GNU__sparse__size="9") + header(),
    "runs that overlap": pax(GNU__sparse__map="0,9,5,9", GNU__sparse__size="90") + header(size=18) + bytes(512),
    "runs beyond the end": pax(GNU__sparse__map="0,9", GNU__sparse__size="8") + header(size=9) + bytes(512),
    "runs that are not stored": pax(GNU__sparse__map="0,9", GNU__sparse__size="9") + header(size=3) + bytes(512),
    "a map without an end": pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize="5")
    + header(size=2**31)
    + b"99999\n".ljust(1024 * 1024 * 2, b"1"),
    "a map that promises more": pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__realsize="5")
    + header(size=512)
    + b"99999\n".ljust(512, b"\0"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_damaged_or_hostile_is_refused(name: str) -> None:
    """With a typed error, whatever is behind it."""
    with pytest.raises(LayerError):
        entries(HOSTILE[name], piece=100_000)


def test_the_digits_of_a_record_are_not_tried_in_all_ways() -> None:
    """tarfile's expressions take minutes for a header of digits."""
    body = b"1" * 1024 * 1024
    with pytest.raises(LayerError, match="PAX records that are none"):
        entries(header("p", len(body), tarfile.XHDTYPE) + body, piece=100_000)


def test_a_layer_may_not_have_more_entries_or_text_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of sparse files and attributes count, too."""
    archive = tar([f"{number}" for number in range(30)])
    monkeypatch.setattr(tar_index, "MAX_ENTRIES", 30)
    assert len(entries(archive)) == 30
    monkeypatch.setattr(tar_index, "MAX_ENTRIES", 29)
    with pytest.raises(LayerError, match="over 29 entries"):
        entries(archive)
    monkeypatch.setattr(tar_index, "MAX_ENTRIES", 100)
    monkeypatch.setattr(tar_index, "MAX_TEXT_BYTES", 49)
    with pytest.raises(LayerError, match="names have over 49 bytes"):
        entries(archive)


def test_large_bodies_of_a_stored_archive_are_not_read() -> None:
    """Headers cost ranges of a window; what lies between is skipped, and small files are read in ever larger ranges."""
    archive = tar([Member("big", bytes(20_000_000)), *(Member(f"{n}", bytes(9000)) for n in range(500))])
    ranges: list[tuple[int, int]] = []

    def read(start: int, end: int) -> bytes:
        ranges.append((start, end))
        return archive[start:end]

    assert len(list(tar_index.entries(RangedArchive(read, len(archive)), BLOB))) == 501
    assert sum(end - start for start, end in ranges) < len(archive) - 18_000_000
    assert len(ranges) <= 5


def test_old_folders_and_times_of_gnu_tar_are_read() -> None:
    """A file whose name ends with a slash was a folder; GNU has times where others have a prefix."""
    old = tarfile.TarInfo("dir/")
    old.type = tarfile.AREGTYPE
    block = bytearray(header("x"))
    block[345:357] = b"00000001234\0"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    found = entries(old.tobuf(tarfile.USTAR_FORMAT) + bytes(block) + bytes(1024))
    assert [(entry.path, entry.kind) for entry in found] == [("dir", "directory"), ("x", "file")]
    assert tar_headers.parse_block(bytes(block)).name == "x"

"""Names with ``*``, ``?`` and ``[``: what exists means itself, and is a pattern only where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.filesystem.mapper import Mapper
from tests.fakes import on_both

pytestmark = on_both
FILES = ("/x?y", "/x_y", "/z[1]", "/z1", "/*", "/d[1]/a", "/d[1]/e/b", "/d1/a")


@pytest.fixture
def fs(fs: RegistryS3FileSystem) -> RegistryS3FileSystem:
    """Each odd name beside one that it matches as a pattern."""
    fs.pipe({name: name.encode() for name in FILES})
    return fs


def left(fs: RegistryS3FileSystem) -> set[str]:
    """What of the files is missing."""
    return set(FILES) - set(fs.find("/"))


@pytest.mark.promise("Paths and names")
@pytest.mark.parametrize("name", ["/x?y", "/z[1]", "/*"])
def test_rm_takes_the_file_of_that_very_name(fs: RegistryS3FileSystem, name: str) -> None:
    """In calls on many paths, a name with `*`, `?` or `[` means the file or directory of that very name where there is
    one.

    The name is given alone, in a list and by its URL.
    """
    fs.rm(name)
    assert left(fs) == {name}
    fs.pipe(name, b"")
    fs.rm([name])
    assert left(fs) == {name}
    fs.pipe(name, b"")
    fs.rm(fs.unstrip_protocol(name))
    assert left(fs) == {name}


def test_rm_of_a_directory_takes_the_one_of_that_very_name(fs: RegistryS3FileSystem) -> None:
    """With recursive=True."""
    fs.rm("/d[1]", recursive=True)
    assert left(fs) == {"/d[1]/a", "/d[1]/e/b"}


def test_rm_takes_just_what_a_listing_gave(fs: RegistryS3FileSystem) -> None:
    """A key named ``*`` in it does not stand for the whole tree."""
    fs.rm([name for name in fs.find("/") if name != "/x_y"])
    assert fs.find("/") == ["/x_y"]


@pytest.mark.promise("Paths and names")
def test_a_name_that_does_not_exist_is_a_pattern(fs: RegistryS3FileSystem) -> None:
    """A name with `*`, `?` or `[` that does not exist is a pattern. So it is through pyarrow, zarr and
    `fsspec.get_mapper`.

    Each call on many paths is tried, also once the literal name is gone.
    """
    fs.rm("/z[1]")
    assert fs.cat("/z[1]") == {"/z1": b"/z1"}
    assert fs.expand_path("/z[1]") == ["/z1"]
    fs.mv("/z[1]", "/moved/")
    assert fs.cat("/moved/z1") == b"/z1"
    with pytest.raises(FileNotFoundError):
        fs.rm("/z[1]")


def test_cat_and_expand_path_take_it_as_it_is(fs: RegistryS3FileSystem) -> None:
    """The bytes of one file, not a dict of a pattern's matches."""
    assert fs.cat("/z[1]") == b"/z[1]"
    assert fs.cat(["/*", "/x?y"]) == {"/*": b"/*", "/x?y": b"/x?y"}
    assert fs.expand_path("/d[1]", recursive=True) == ["/d[1]", "/d[1]/a", "/d[1]/e", "/d[1]/e/b"]


def test_copies_and_moves_take_it_as_it_is(fs: RegistryS3FileSystem) -> None:
    """Files and trees; the target of a single file is that very name."""
    fs.cp("/x?y", "/copied")
    fs.mv("/z[1]", "/moved")
    fs.mv("/d[1]", "/tree", recursive=True)
    assert fs.cat(["/copied", "/moved", "/tree/a", "/tree/e/b"]) == {
        "/copied": b"/x?y", "/moved": b"/z[1]", "/tree/a": b"/d[1]/a", "/tree/e/b": b"/d[1]/e/b"
    }  # fmt: skip
    assert left(fs) == {"/z[1]", "/d[1]/a", "/d[1]/e/b"}


def test_get_and_put_take_it_as_it_is(fs: RegistryS3FileSystem, tmp_path: Path) -> None:
    """On both sides: a local name may have such characters, too."""
    fs.get("/d[1]", str(tmp_path / "tree"), recursive=True)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a", "b"]
    (tmp_path / "l[1]").write_bytes(b"odd")
    (tmp_path / "l1").write_bytes(b"plain")
    fs.put(str(tmp_path / "l[1]"), "/put/")
    assert fs.cat("/put", recursive=True) == {"/put/l[1]": b"odd"}


def test_a_name_of_a_bracket_alone_is_a_name(fs: RegistryS3FileSystem) -> None:
    """Source and target."""
    fs.pipe("/[", b"1")
    fs.cp("/[", "/copied")
    fs.mv("/copied", "/d/[")
    assert fs.find("/d") == ["/d/["]


@pytest.mark.promise("Paths and names")
def test_a_mapper_of_ours_takes_keys_as_they_are(fs: RegistryS3FileSystem) -> None:
    """`fs.get_mapper` and our UPath class never take a name for a pattern.

    They read, delete and clear by exact names. A missing key is a `KeyError`, whatever it would match.
    """
    mapper = fs.get_mapper("/")
    assert isinstance(mapper, Mapper)
    assert mapper["z[1]"] == b"/z[1]"
    assert mapper.getitems(["x?y", "none*"], on_error="omit") == {"x?y": b"/x?y"}
    del mapper["z[1]"]
    for missing in ("z[1]", "d1", "non*"):
        with pytest.raises(KeyError):
            del mapper[missing]
        with pytest.raises(KeyError):
            mapper[missing]
        with pytest.raises(KeyError):
            mapper.getitems([missing])
    assert mapper.get("z[1]") is None
    mapper.delitems(["*", "z[1]", "non*"])  # of which one is there
    fs.get_mapper("/d[1]").clear()
    fs.get_mapper("/d[1]").clear()
    assert left(fs) == {"/z[1]", "/*", "/d[1]/a", "/d[1]/e/b"}


def test_fsspecs_own_mapper_takes_keys_that_exist_as_they_are(fs: RegistryS3FileSystem) -> None:
    """Through `fsspec.get_mapper`, a missing key is a pattern, as docs/promises.md says."""
    mapper: Any = fsspec.mapping.FSMap("/", fs)
    assert mapper["x?[y]"] == {"/x?y": b"/x?y", "/x_y": b"/x_y"}
    assert mapper["x?y"] == b"/x?y"
    del mapper["z[1]"]
    del mapper["*"]
    assert left(fs) == {"/z[1]", "/*"}

"""universal_pathlib: pathlib's methods on a URL."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import fsspec
import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

UPath = library("upath").UPath


@pytest.fixture
def root(fs: RegistryS3FileSystem) -> Any:
    """A directory with a file and a directory in it; the bucket is known from the URL alone."""
    fs.pipe({"/d/a.txt": "grüße".encode(), "/d/k=v/b c.bin": b"12"})
    options = {name: value for name, value in fs.storage_options.items() if name != "bucket"}
    return UPath(fs.unstrip_protocol("/d"), **options)


def test_a_tree_is_looked_at(root: Any) -> None:
    """iterdir, glob, walk, stat and the questions of what is there."""
    assert [path.name for path in root.iterdir()] == ["a.txt", "k=v"]
    assert [path.path for path in root.glob("**/*.bin")] == ["/d/k=v/b c.bin"]
    assert [(path.name, folders, files) for path, folders, files in root.walk()] == [
        ("d", ["k=v"], ["a.txt"]),
        ("k=v", [], ["b c.bin"]),
    ]
    assert (root.is_dir(), root.is_file(), (root / "a.txt").is_file()) == (True, False, True)
    assert ((root / "a.txt").exists(), (root / "none").exists()) == (True, False)
    stat = (root / "a.txt").stat()
    assert stat.st_size == 7
    assert stat.st_mtime == root.fs.modified("/d/a.txt").timestamp()
    with pytest.raises(FileNotFoundError):
        (root / "none").stat()


def test_files_are_read_written_and_removed(root: Any, fs: RegistryS3FileSystem) -> None:
    """Text, bytes, open, touch, rename and unlink."""
    assert (root / "a.txt").read_text(encoding="utf-8") == "grüße"
    assert (root / "k=v" / "b c.bin").read_bytes() == b"12"
    (root / "new" / "text").write_text("é", encoding="utf-8")
    (root / "new" / "bytes").write_bytes(b"3")
    (root / "new" / "empty").touch()
    with (root / "new" / "opened").open("w") as file:
        file.write("4")
    assert fs.cat("/d/new", recursive=True) == {
        "/d/new/bytes": b"3", "/d/new/empty": b"", "/d/new/opened": b"4", "/d/new/text": "é".encode()
    }  # fmt: skip
    assert (root / "new" / "text").rename(root / "moved").read_bytes() == "é".encode()
    (root / "moved").unlink()
    (root / "moved").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (root / "moved").unlink()
    (root / "new").rmdir(recursive=True)
    assert fs.find("/d") == ["/d/a.txt", "/d/k=v/b c.bin"]


@pytest.mark.promise("Other libraries")
def test_a_paths_text_is_its_full_url(root: Any, fs: RegistryS3FileSystem) -> None:
    """`UPath("registrys3://...")` works. Its text is the full URL with the bucket, and a pickled path is the same
    path.
    """
    path = root / "k=v" / "b c.bin"
    assert str(path) == path.as_uri() == fs.unstrip_protocol("/d/k=v/b c.bin")
    options = {name: value for name, value in fs.storage_options.items() if name != "bucket"}
    with fsspec.open(str(path), **options) as file:
        assert file.read() == b"12"
    assert UPath(str(path), **options) == path == pickle.loads(pickle.dumps(path))
    assert str(path.parent.parent) == str(root)
    assert str(path.relative_to(root)) == "k=v/b c.bin"
    assert (path.name, path.suffix, path.path) == ("b c.bin", ".bin", "/d/k=v/b c.bin")


def test_a_fresh_process_needs_no_import_of_ours() -> None:
    """The entry point alone makes it known, without a warning, and the bucket is taken from the URL."""
    program = (
        "from upath import UPath; "
        "path = UPath('registrys3://demo/a', region='eu-west-1') / 'b'; "
        "print(path, path.path, path.storage_options['bucket'])"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("registrys3://demo/a/b /a/b demo\n", "")


def test_a_name_that_is_a_pattern_elsewhere_is_a_name(root: Any, fs: RegistryS3FileSystem) -> None:
    """To unlink, rename, glob and remove; of a missing one nothing is taken."""
    fs.pipe({f"/d/{name}": name.encode() for name in ("x?y", "x_y", "z[1]", "z1", "e[1]/f", "e1/f")})
    for missing in ("z[2]", "x*", "?_y"):
        with pytest.raises(FileNotFoundError):
            (root / missing).unlink()
        with pytest.raises(FileNotFoundError):
            (root / missing).rename(root / "moved")
    assert [path.path for path in (root / "e[1]").glob("*")] == ["/d/e[1]/f"]
    assert [path.path for path in (root / "e[1]").rglob("f")] == ["/d/e[1]/f"]
    with pytest.raises(TypeError, match="bogus"):
        (root / "e[1]").glob("*", bogus=True)
    (root / "x?y").unlink()
    (root / "z[1]").rename(root / "moved")
    (root / "e[1]").rmdir(recursive=True)
    assert fs.find("/d") == ["/d/a.txt", "/d/e1/f", "/d/k=v/b c.bin", "/d/moved", "/d/x_y", "/d/z1"]
    assert fs.cat("/d/moved") == b"z[1]"


def test_a_paths_repr_has_its_bucket(root: Any) -> None:
    """So that it can be copied out of a log."""
    assert repr(root) == f"RegistryS3Path({str(root)!r})"

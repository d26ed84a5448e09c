"""The wheel is built from the sources and installed elsewhere, and the whole package is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from email import message_from_bytes
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

HERE = Path(__file__).parents[1]
SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg", "setup.py")
PACKAGE = "registry_s3fs"
MODULES = {path.relative_to(HERE).as_posix() for path in (HERE / PACKAGE).rglob("*.py")}
DATA = {
    path.relative_to(HERE).as_posix()
    for path in (HERE / PACKAGE).rglob("*.*")
    if path.suffix in (".css", ".html", ".js")
}
FILES = MODULES | DATA | {f"{PACKAGE}/py.typed"}
IMPORT_ALL = """
import importlib, json, sys
target, *names = sys.argv[1:]
sys.path.insert(0, target)
print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing an earlier build left behind gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    shutil.copytree(HERE / PACKAGE, sources / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SOURCES:
        shutil.copy(HERE / name, sources)
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, sources)
    (built,) = folder.glob("*.whl")
    return built


def pip(command: str, *arguments: str | Path) -> None:
    """Run pip without an index, and show what it says where it fails."""
    options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    done = subprocess.run([sys.executable, "-m", "pip", command, *options, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_stands_once() -> None:
    """In setup.cfg. The changelog begins with it, in Keep a Changelog's form, and CITATION.cff names the same."""
    config = ConfigParser()
    config.read(HERE / "setup.cfg")
    changes = (HERE / "CHANGELOG.md").read_text()
    newest, _ = re.findall(r"^## \[([\d.]+)\] - (unreleased|\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)[0]
    assert config["metadata"]["version"] == version("registry-s3fs") == newest
    assert f"\nversion: {newest}\n" in (HERE / "CITATION.cff").read_text()
    kinds = re.findall("^### (.*)", changes, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search("^- ", changes, re.MULTILINE).start() > changes.index("### ")  # type: ignore[union-attr]  # there are lines


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    """Those of its folders too, `py.typed`, and what the report is made of; and nothing else beside its metadata."""
    assert len(DATA) == 4
    with ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == FILES


def test_the_wheel_has_its_license_as_an_expression(wheel: Path) -> None:
    """As PEP 639 has it, and the text beside it; the older field is deprecated."""
    with ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        found = message_from_bytes(archive.read(name))
    assert (found["License-Expression"], found["License-File"], found["License"]) == ("Apache-2.0", "LICENSE", None)


@pytest.mark.promise("Other libraries")
def test_every_module_is_imported_from_where_the_wheel_was_installed(wheel: Path, tmp_path: Path) -> None:
    """The wheel has every module of the package."""
    pip("install", "--target", tmp_path, wheel)
    modules = MODULES - {f"{PACKAGE}/__main__.py"}  # whose import runs the command
    files = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in modules}
    command = [sys.executable, "-I", "-c", IMPORT_ALL, str(tmp_path), *files]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: str(tmp_path / file) for name, file in files.items()}

"""The command, run in this process on files in memory and in folders."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs.cli.main import main
from registry_s3fs.model.registry_layout import ROOT
from registry_s3fs.registry.inventory import inventory
from tests.registries import MadeRegistry
from tests.unit.cli.sample import Sample, make_sample


@dataclass(frozen=True)
class Done:
    """What a run of the command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with these words."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return run


@pytest.fixture
def good(run: Run) -> Callable[..., Done]:
    """Runs the command, which must go well and say nothing on standard error."""

    def good(*words: object) -> Done:
        done = run(*words)
        assert (done.status, done.err) == (0, ""), done
        return done

    return good


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """An empty filesystem in memory."""
    fs = fsspec.filesystem("memory")
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


FILES = {"a/b/c": b"12345", "a/b/d.json": b"{}", "a/e": b"x" * 3000, "f": b"", "a/with space": b"1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with some files below it."""
    for name, data in FILES.items():
        (tmp_path / "top" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / name).write_bytes(data)
    return tmp_path / "top"


@pytest.fixture
def bucket(options: dict[str, Any], fs: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name the bucket of `fs`, which has the same files as `folder`."""
    fs.pipe({f"/top/{name}": data for name, data in FILES.items()})
    monkeypatch.setenv("SECRET_OF_THE_TEST", options["secretkey"])
    words = ["--secret-from-env", "SECRET_OF_THE_TEST"]
    for name, value in options.items():
        words += [] if name == "secretkey" else ["-o", f"{name}={value}"]
    return words


@pytest.fixture
def sample(memory: MemoryFileSystem) -> Sample:
    """A registry with images that share a base, a multi-arch one, a signature, leftovers."""
    return make_sample(MadeRegistry(memory, f"/srv{ROOT}"))


@pytest.fixture
def sample_in_folder(tmp_path: Path) -> Path:
    """The same in a folder."""
    fs = fsspec.filesystem("file", auto_mkdir=True)
    make_sample(MadeRegistry(fs, f"{tmp_path}/srv{ROOT}"))
    return tmp_path / "srv"


@pytest.fixture(params=["registry", "inventory"])
def place(request: pytest.FixtureRequest, sample: Sample, tmp_path: Path) -> list[str]:
    """The words that name the sample: its URL, or an inventory of it."""
    if request.param == "registry":
        return [sample.url]
    inventory(sample.made.fs, root=sample.made.root).write(str(tmp_path / "inventory"))
    return ["--from", str(tmp_path / "inventory")]

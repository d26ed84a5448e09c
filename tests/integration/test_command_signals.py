"""Commands that a signal ends, in processes of their own."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem

from registry_s3fs.registry.inventory import inventory
from registry_s3fs.registry.tables import Tables
from tests.registries import MadeRegistry
from tests.thoroughly import thorough

SLOW = """
import sys, threading, time
from fsspec.implementations.local import LocalFileSystem

def slowly(name, when):
    method = getattr(LocalFileSystem, name)
    def called(self, path, *args, **kwargs):
        if when in str(path):
            print("reached", flush=True)
            time.sleep(30)
        return method(self, path, *args, **kwargs)
    setattr(LocalFileSystem, name, called)

slowly(*sys.argv[1:3])
from registry_s3fs.cli.main import main
sys.exit(main(sys.argv[3:]))
"""
"""Runs a command whose reads or writes of some files take long, and says when it comes to one."""


@pytest.fixture
def made(tmp_path: Path) -> MadeRegistry:
    """A registry in a folder."""
    found = MadeRegistry(LocalFileSystem(), f"{tmp_path}/docker/registry/v2")
    for number in range(20):
        found.image("team/app", f"v{number}", [f"layer {number}".encode()])
    return found


@pytest.fixture(params=[signal.SIGTERM, *thorough(signal.SIGINT)])
def number(request: pytest.FixtureRequest) -> signal.Signals:
    """The signal."""
    return signal.Signals(request.param)


def ended_by(number: signal.Signals, method: str, when: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command, send it a signal where it is in a method on such a path, and return what came of it."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, method, when, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "error"},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 30)[0]
            assert process.stdout.readline() == "reached\n"
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def assert_interrupted(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (130, "registry-s3fs: interrupted\n")


@pytest.mark.promise("Commands")
@pytest.mark.parametrize(
    ("method", "when"), [("ls", "/tags/"), ("cat_file", "current/link"), ("pipe_file", "/references/part-")]
)
def test_an_inventory_that_a_signal_ends_leaves_nothing(
    made: MadeRegistry, tmp_path: Path, number: signal.Signals, method: str, when: str
) -> None:
    """An `inventory` that Ctrl-C or SIGTERM ends has status 130, leaves nothing of it, and the former one whole."""
    former = inventory(made.fs, made.root)
    former.write(f"{tmp_path}/out")
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    made.image("team/new", "v1")
    assert_interrupted(ended_by(number, method, when, "inventory", f"file://{tmp_path}", f"{tmp_path}/out"))
    assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == files
    assert Tables.read(f"{tmp_path}/out").blobs.equals(former.blobs)
    assert_interrupted(ended_by(number, method, when, "inventory", f"file://{tmp_path}", f"{tmp_path}/new"))
    assert [path for path in (tmp_path / "new").rglob("*") if path.is_file()] == []
    with pytest.raises(FileNotFoundError, match="no whole inventory"):
        Tables.read(f"{tmp_path}/new")


@pytest.mark.promise("Commands")
def test_a_verification_that_a_signal_ends_goes_on_later(
    made: MadeRegistry, tmp_path: Path, number: signal.Signals
) -> None:
    """A `verify` or a `report` that Ctrl-C or SIGTERM ends has status 130; `--resume` goes on, and no page is left."""
    state = f"{tmp_path}/verified.txt"
    words = ("verify", f"file://{tmp_path}", "--resume", state)
    blobs = inventory(made.fs, made.root).blobs["digest"].to_pylist()
    assert_interrupted(ended_by(number, "cat_file", blobs[-1][7:], *words))
    done = subprocess.run([sys.executable, "-m", "registry_s3fs", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    page = tmp_path / "report.html"
    assert_interrupted(ended_by(number, "pipe_file", "report.html", "report", f"file://{tmp_path}", str(page)))
    assert not page.exists()
    page.write_text("former")
    assert_interrupted(ended_by(number, "ls", "/tags/", "report", f"file://{tmp_path}", str(page)))
    assert page.read_text() == "former"

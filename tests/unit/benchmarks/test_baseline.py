"""`make bench BENCH='--baseline COMMIT'`: an earlier commit is installed by itself and measured beside ours."""

from __future__ import annotations

import ssl
import subprocess
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import baseline, runner
from benchmarks.baseline import Baseline, BaselineError
from benchmarks.endpoints import Endpoint
from benchmarks.peers import OURS, PEERS
from benchmarks.peers.base import Access
from benchmarks.profiles import QUICK
from benchmarks.runner import Bench
from benchmarks.workloads import BY_NAME, Case
from testbed import authority

ROOT = Path(__file__).parents[3]
SIZES = QUICK.sizes
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "registry_s3fs-0.0.1"
    with zipfile.ZipFile(f"{folder}/{name}-py3-none-any.whl", "w") as wheel:
        wheel.write("registry_s3fs.py")
        wheel.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\\nName: registry-s3fs\\nVersion: 0.0.1\\n")
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return f"{name}-py3-none-any.whl"
"""
PACKAGE = """
class RegistryS3FileSystem:
    def __init__(self, **options):
        pass
    def info(self, path):
        return {{"size": {size}}}
"""


class NoEndpoint(Endpoint):
    """What a peer that sends no request needs."""

    def __init__(self) -> None:
        self.access = Access("http://127.0.0.1:1", "bucket", "us-east-1", "key", "secret")

    def keys(self, folder: str) -> list[str]:
        return []

    def delete(self, keys: Iterable[str]) -> None:
        """Nothing was stored."""


def git(repository: Path, *arguments: str) -> None:
    command = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits of a package whose files are as large as the benchmark's, and, in the second, larger."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    for size in (SIZES.small_bytes, SIZES.small_bytes + 1):
        (folder / "registry_s3fs.py").write_text(PACKAGE.format(size=size))
        git(folder, "add", ".")
        git(folder, "commit", "-m", f"files of {size} bytes")
    return folder


def test_a_commit_is_measured_with_its_own_package(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with the checkout's, although the benchmarks are the checkout's; and one that was made is used again."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = baseline.prepare("HEAD~1", repository, tmp_path)
    bench = Bench(NoEndpoint(), Case(SIZES, tmp_path), {}, made)
    record = bench.record(made.name, BY_NAME["info"], is_first=True)
    assert (record.peer, record.workload, record.failure) == (made.name, "info", "")
    assert record.seconds > 0
    monkeypatch.setattr(baseline, "install", None)
    assert baseline.prepare(made.commit[:10], repository, tmp_path) == made
    assert baseline.describe(made, repository).endswith(f": files of {SIZES.small_bytes} bytes")


def test_it_is_made_anew_where_dependencies_have_other_versions(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that only the two commits differ. One whose installation failed is not taken for made."""
    installed: list[str] = []
    monkeypatch.setattr(baseline, "install", lambda made, repository, constraints: installed.append(constraints))
    for version in ("1", "1", "2"):
        monkeypatch.setattr(baseline, "installed_versions", lambda version=version: f"boto3=={version}\n")
        baseline.prepare("HEAD", repository, tmp_path)
    assert installed == ["boto3==1\n", "boto3==2\n"]
    monkeypatch.setattr(baseline, "installed_versions", lambda: "boto3==3\n")
    for _ in range(2):
        monkeypatch.setattr(baseline, "install", _fail)
        with pytest.raises(BaselineError, match="no network"):
            baseline.prepare("HEAD", repository, tmp_path)


def _fail(*_: object) -> None:
    raise BaselineError("no network")


def test_the_versions_are_those_of_everything_installed_but_ours() -> None:
    """As pip's constraints."""
    lines = baseline.installed_versions().splitlines()
    assert any(line.startswith("boto3==") for line in lines)
    assert not any(line.startswith(("registry-s3fs", "registry_s3fs")) for line in lines)


@pytest.mark.parametrize("commit", ["no-such-commit", "--help", ""])
def test_a_commit_that_does_not_exist_is_told(commit: str, repository: Path, tmp_path: Path) -> None:
    """Before anything is made."""
    with pytest.raises(BaselineError, match="rev-parse"):
        baseline.prepare(commit, repository, tmp_path / "environments")
    assert not (tmp_path / "environments").exists()


@pytest.mark.parametrize(
    ("asked", "others"), [(None, [name for name in PEERS if name != OURS]), (["s3fs"], ["s3fs"]), ([OURS], [])]
)
def test_the_earlier_commit_and_ours_are_measured_whoever_else_is(asked: list[str] | None, others: list[str]) -> None:
    """`--peer s3fs --baseline COMMIT` has three peers in the same rounds."""
    earlier = Baseline("0123456789", Path())
    assert program.chosen_peers(Namespace(peer=asked), earlier) == [OURS, earlier.name, *others]
    assert program.chosen_peers(Namespace(peer=asked), None) == (asked or list(PEERS))


def test_a_client_that_knows_the_authority_trusts_the_certificate(tmp_path: Path) -> None:
    """`--tls`: for 127.0.0.1, in a handshake without a network."""
    files = authority.make(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files.certificate, files.key)
    assert handshake(ssl.create_default_context(cafile=str(files.authority)), server)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ssl.create_default_context(), server)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> bool:
    """Whether both sides agree; raises what the client finds wrong."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(back, there, server_hostname="127.0.0.1"), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        waiting = [side for side in sides if _waits(side)]
        if not waiting:
            return True
    return False


def _waits(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return True
    return False


def test_clients_on_botocore_are_told_the_authority_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """And never one of whoever runs the benchmark."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "mine.pem")
    assert runner.environment("authority.pem")["AWS_CA_BUNDLE"] == "authority.pem"
    assert "AWS_CA_BUNDLE" not in runner.environment()

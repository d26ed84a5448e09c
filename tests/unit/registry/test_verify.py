"""Blobs compared with their digests, on and on after a kill, and what each finding says."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from registry_s3fs import DigestMismatchError
from registry_s3fs.model import registry_layout as layout
from registry_s3fs.registry import verify as module
from registry_s3fs.registry.schemas import SCHEMAS
from registry_s3fs.registry.tables import Tables, table_of
from registry_s3fs.registry.verify import Finding, verify

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)


class Made(MemoryFileSystem):
    """A filesystem in memory that counts what is read of each blob."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.store, self.pseudo_dirs = {}, [""]
        self.read: list[str] = []
        self.most = 0

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        self.read.append(path)
        data = super().cat_file(path, start=start, end=end, **kwargs)
        self.most = max(self.most, len(data))
        return bytes(data)


@pytest.fixture
def fs() -> Made:
    """An empty filesystem in memory."""
    return Made(skip_instance_cache=True)


def add(fs: MemoryFileSystem, data: bytes, algorithm: str = "sha256") -> str:
    """A blob."""
    found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    fs.pipe_file(layout.Blob(found).at(), data)
    return found


def alter(fs: MemoryFileSystem, digest: str) -> None:
    """Other bytes, of the same size."""
    path = layout.Blob(digest).at()
    data = fs.store[path].getvalue()
    fs.pipe_file(path, bytes([data[0] ^ 1]) + data[1:])


def tables_of(
    fs: MemoryFileSystem,
    references: list[tuple[str, str]] | None = None,
    tags: list[tuple[str, str, str]] | None = None,
) -> Tables:
    """The tables of the blobs that are there, with what refers to them."""
    empty = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    sizes = {layout.parse(path): info["size"] for path, info in fs.find(layout.BLOBS, detail=True).items()}
    blobs = [(blob.digest, size, NOW, *(None,) * 7) for blob, size in sizes.items() if isinstance(blob, layout.Blob)]
    rows: dict[str, list[Any]] = {
        "blobs": blobs,
        "references": [(parent, child, "layer", 0, *(None,) * 4) for parent, child in references or []],
        "tags": [(repository, tag, digest, *(None,) * 4) for repository, tag, digest in tags or []],
        "revisions": [(repository, digest, NOW, True) for repository, _, digest in tags or []],
        "snapshot": [(NOW, NOW, layout.ROOT, 0, 0, None, "{}")],
    }
    return Tables(**{**empty, **{name: table_of(name, each) for name, each in rows.items()}})


def test_blobs_of_any_size_and_algorithm_are_compared(fs: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones together, large ones a chunk at a time; an empty one, and those of sha512."""
    monkeypatch.setattr(module, "SMALL_BYTES", 100)
    monkeypatch.setattr(module, "CHUNK_BYTES", 1000)
    made = [add(fs, bytes([number]) * size) for number, size in enumerate((0, 1, 99, 100, 101, 1000, 1001, 5000))]
    made += [add(fs, b"x" * 50, "sha512"), add(fs, b"x" * 3000, "sha384")]
    steps: list[tuple[int, int]] = []
    found = verify(fs, tables_of(fs), progress=lambda count, size: steps.append((count, size)))
    assert (found.findings, found.blobs, found.bytes) == ([], 10, 10352)
    assert tuple(map(sum, zip(*steps, strict=True))) == (10, 10352)
    assert fs.most <= 1000
    for digest in made[1:]:
        alter(fs, digest)
    found = verify(fs, tables_of(fs))
    assert [each.digest for each in found.findings] == sorted(made[1:])
    assert {each.code for each in found.findings} == {"digest_mismatch"}


def test_a_finding_says_what_it_hurts_and_what_to_do(fs: Made) -> None:
    """The tags that lead to the blob in any repository, the key to remove first, and what to push again."""
    layer, image, index, other = (add(fs, name) for name in (b"layer", b"image", b"index", b"other"))
    tables = tables_of(
        fs,
        [(index, image), (image, layer), (other, layer)],
        [("team/app", "v1", index), ("team/app", "latest", index), ("team/other", "v2", other), ("team/x", "v", image)],
    )
    assert verify(fs, tables).findings == []
    alter(fs, layer)
    (finding,) = verify(fs, tables).findings
    tags = ("team/app:latest", "team/app:v1", "team/other:v2", "team/x:v")
    wrong = layout.digest(bytes([b"l"[0] ^ 1]) + b"ayer")
    assert finding == Finding(
        "digest_mismatch", layer, f"the blob's bytes have the digest {wrong}", tags, (layout.blob_path(layer),), tags
    )


def test_untagged_manifests_are_to_be_pushed_again_by_their_digest(fs: Made) -> None:
    """Of a repository whose tags do not lead to the blob."""
    layer, image = add(fs, b"layer"), add(fs, b"image")
    tables = tables_of(fs, [(image, layer)])
    tables.revisions = table_of("revisions", [("team/app", image, NOW, False)])
    alter(fs, layer)
    (finding,) = verify(fs, tables).findings
    assert (finding.affected_tags, finding.push) == ((), (f"team/app@{image}",))


def test_a_blob_that_went_meanwhile_is_a_finding_if_something_needs_it(fs: Made) -> None:
    """Nothing is to be removed for it. One that nothing needs was collected."""
    needed, spare = add(fs, b"needed"), add(fs, b"spare")
    tables = tables_of(fs, [], [("team/app", "v1", needed)])
    for digest in (needed, spare):
        fs.rm_file(layout.blob_path(digest))
    found = verify(fs, tables)
    (finding,) = found.findings
    assert (finding.code, finding.remove, finding.push) == ("blob_missing", (), ("team/app:v1",))
    assert found.gone == [spare]


def test_a_blob_that_was_not_there_is_a_finding(fs: Made) -> None:
    """Of those that are asked for, and whatever the share of blobs that is compared."""
    image, layer, child = add(fs, b"image"), layout.digest(b"lost"), layout.digest(b"lost child")
    tables = tables_of(fs, [(image, layer), (image, child)], [("team/app", "v1", image)])
    columns = [None] * 3
    problems = [("error", code, None, None, digest, *columns) for code, digest in
                (("blob_missing", layer), ("child_missing", child), ("size_mismatch", image))]  # fmt: skip
    tables.problems = table_of("problems", problems)
    found = verify(fs, tables, sample=1e-9)
    detail, tags = "it is needed, and not stored", ("team/app:v1",)
    assert found.findings == [
        Finding("blob_missing", digest, detail, tags, (), tags) for digest in sorted((layer, child))
    ]
    assert [each.digest for each in verify(fs, tables, digests=[image, layer]).findings] == [layer]
    assert verify(fs, tables, digests=[image]).findings == []


def test_a_blob_that_cannot_be_read_is_a_finding(fs: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the others are compared; a server that is gone ends the run."""
    bad, good = add(fs, b"bad"), add(fs, b"good")
    tables = tables_of(fs)
    error: OSError = PermissionError(13, "permission denied")

    def cat_file(path: str, *args: Any, **kwargs: Any) -> bytes:
        if path == layout.blob_path(bad):
            raise error
        return MemoryFileSystem.cat_file(fs, path, *args, **kwargs)

    monkeypatch.setattr(fs, "cat_file", cat_file)
    found = verify(fs, tables)
    assert [(each.digest, each.code, each.detail) for each in found.findings] == [
        (bad, "blob_unreadable", "the blob cannot be read: permission denied")
    ]
    assert (found.blobs, good in {each.digest for each in found.findings}) == (2, False)
    error = ConnectionRefusedError(111, "connection refused")
    with pytest.raises(ConnectionRefusedError):
        verify(fs, tables)


def test_bytes_that_came_wrong_once_are_read_once_more(fs: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that flips a bit damages no blob; nor does a filesystem that checks digests itself."""
    digest = add(fs, b"good")
    for wrong in (b"wrong", DigestMismatchError(5, "the blob is damaged")):
        answers = [wrong]

        def cat_file(path: str, *args: Any, answers: list[Any] = answers, **kwargs: Any) -> bytes:
            answer = answers.pop() if answers else MemoryFileSystem.cat_file(fs, path, *args, **kwargs)
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(fs, "cat_file", cat_file)
        found = verify(fs, tables_of(fs))
        assert (found.findings, found.blobs) == ([], 1)
    assert digest


def test_nothing_is_said_of_algorithms_that_are_not_known(fs: Made) -> None:
    """They are counted, and are no problem."""
    tables = tables_of(fs)
    unknown = ["blake3:abcd", "shake_128:abcd", "md5:abcd"]
    tables.blobs = table_of("blobs", [(digest, 10, NOW, *(None,) * 7) for digest in unknown])
    found = verify(fs, tables)
    assert (found.unknown, found.findings, found.blobs) == (sorted(unknown), [], 0)


def test_only_the_blobs_that_are_asked_for_are_read(fs: Made) -> None:
    """Such as an image's."""
    first, _ = add(fs, b"first"), add(fs, b"second")
    verify(fs, tables_of(fs), digests=[first])
    assert set(fs.read) == {layout.blob_path(first)}


def test_a_sample_is_the_same_each_time(fs: Made) -> None:
    """Of about the share that is asked for; another seed gives another one."""
    for number in range(1000):
        add(fs, b"%d" % number)
    tables = tables_of(fs)
    chosen = []
    for seed in ("", "", "other"):
        fs.read.clear()
        count = verify(fs, tables, sample=0.1, seed=seed).blobs
        assert 60 < count < 140
        assert count == len(set(fs.read))
        chosen.append(set(fs.read))
    assert chosen[0] == chosen[1] != chosen[2]
    for share in (0.0, 1.1, -1.0):
        with pytest.raises(ValueError, match="is no share"):
            verify(fs, tables, sample=share)


def test_blobs_are_read_side_by_side(fs: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at a time as there are threads, and no more."""
    monkeypatch.setattr(module, "SMALL_BYTES", 0)
    for number in range(12):
        add(fs, b"blob %d" % number)
    tables = tables_of(fs)
    together = threading.Barrier(3, timeout=20)

    def cat_file(path: str, *args: Any, **kwargs: Any) -> bytes:
        together.wait()
        return MemoryFileSystem.cat_file(fs, path, *args, **kwargs)

    monkeypatch.setattr(fs, "cat_file", cat_file)
    assert verify(fs, tables, threads=3).blobs == 12


# Going on


def test_a_run_goes_on_where_the_last_one_was(fs: Made, tmp_path: Path) -> None:
    """What was good is not read again; what was bad is, since it may have been mended, and so is what is another."""
    good, bad, other = add(fs, b"good"), add(fs, b"bad"), add(fs, b"other")
    alter(fs, bad)
    tables, state = tables_of(fs), str(tmp_path / "state")
    assert [each.digest for each in verify(fs, tables, resume=state).findings] == [bad]
    fs.read.clear()
    found = verify(fs, tables, resume=state)
    assert ([each.digest for each in found.findings], found.blobs, found.resumed) == ([bad], 1, 2)
    assert set(fs.read) == {layout.blob_path(bad)}
    add(fs, b"bad")
    assert verify(fs, tables, resume=state).findings == []
    assert verify(fs, tables, resume=state).resumed == 3
    times = [NOW if digest == good else NOW.replace(hour=13) for digest in tables.blobs["digest"].to_pylist()]
    tables.blobs = tables.blobs.set_column(2, SCHEMAS["blobs"].field("modified"), [times])
    assert verify(fs, tables, resume=state).resumed == 1
    assert other


def test_a_state_file_that_is_cut_anywhere_is_gone_on_with(fs: Made, tmp_path: Path) -> None:
    """A line that was being written when the process was killed counts for nothing; whole ones count."""
    for number in range(3):
        add(fs, b"blob %d" % number)
    tables, state = tables_of(fs), tmp_path / "state"
    verify(fs, tables, resume=str(state))
    text = state.read_bytes()
    lines = text.splitlines(keepends=True)
    for size in range(len(text)):
        state.write_bytes(text[:size])
        found = verify(fs, tables, resume=str(state))
        whole = max(text[:size].count(b"\n") - 1, 0)
        assert (found.resumed, found.blobs, found.findings) == (whole, 3 - whole, [])
        assert sorted(state.read_bytes().splitlines(keepends=True)) == sorted(lines)


def test_a_file_of_something_else_is_left_as_it_is(fs: Made, tmp_path: Path) -> None:
    """Of another registry, or none of ours: the error says what to do."""
    add(fs, b"blob")
    tables, state = tables_of(fs), tmp_path / "state"
    verify(fs, tables, resume=str(state))
    other = state.read_text().replace("docker", "other")
    for text, problem in ((other, "is of another registry"), ("notes\n", "was not written"), ("notes", "was not")):
        state.write_text(text)
        with pytest.raises(ValueError, match=f"{problem}.*name another file, or remove it"):
            verify(fs, tables, resume=str(state))
        assert state.read_text() == text


KILLED = """
import os, sys
from tests.unit.registry.test_verify import Made, add, tables_of
from registry_s3fs.registry import verify as module

module.SMALL_BYTES = 0
fs = Made(skip_instance_cache=True)
for number in range(40):
    add(fs, b"blob %d" % number)
left = [int(sys.argv[2])]

def progress(count, size):
    left[0] -= count
    if not left[0]:
        os.kill(os.getpid(), 9)

print(module.verify(fs, tables_of(fs), resume=sys.argv[1], threads=4, progress=progress).resumed)
"""


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle, twice: what was done by then is not done again."""
    state = tmp_path / "state"

    def run(most: int) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", KILLED, str(state), str(most)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)

    assert run(15).returncode == -signal.SIGKILL
    assert run(15).returncode == -signal.SIGKILL
    done = run(1000)
    assert done.returncode == 0, done.stderr
    assert 30 <= int(done.stdout) < 40

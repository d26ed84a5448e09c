"""The command as a whole: options, help, exit statuses, what it imports."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec.config
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import registry_s3fs
from registry_s3fs.cli import main as command
from tests.unit.cli.conftest import Run
from tests.unit.cli.sample import Sample

COMMANDS = (
    *("repos", "tags", "layers", "inspect", "tree", "history", "freed", "gc", "check", "verify"),
    *("uploads", "uploads list", "uploads abort", "inventory"),
    *("ls", "find", "cat", "stat", "du", "cp", "get", "put", "rm", "completion"),
)


def test_common_options_stand_before_the_command_or_behind_it(run: Run, bucket: list[str]) -> None:
    """Or on both sides."""
    before, behind = bucket[:4], bucket[4:]
    said = [
        run(*words).out
        for words in (
            ["ls", *bucket, "-q", "/top"],
            [*bucket, "-q", "ls", "/top"],
            [*before, "ls", "/top", "-q", *behind],
        )
    ]
    assert said == ["/top/a\n/top/f\n".replace("/top/a", "/top/a/")] * 3


def test_words_may_stand_on_both_sides_of_an_option(run: Run, folder: Path) -> None:
    """As people write them."""
    done = run("find", f"file://{folder}/a/b", "--name", "[cf]", f"file://{folder}/f")
    assert (done.status, done.lines) == (0, [f"{folder}/a/b/c", f"{folder}/f"])


@pytest.mark.parametrize("name", [*COMMANDS, ""])
def test_every_help_tells_how_secrets_go_and_what_the_status_means(run: Run, name: str) -> None:
    """And ends with status 0."""
    done = run(*name.split(), "--help")
    assert done.status == 0
    assert done.out.startswith(f"usage: registry-s3fs {name}".strip())
    for word in ("--secret-from-env", "AWS_SECRET_ACCESS_KEY", "--config", "3 problems found", "130 interrupted"):
        assert word in done.out, word


def test_the_version(run: Run) -> None:
    """It is the package's."""
    assert run("--version").out.strip() == registry_s3fs.__version__


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nothing"],
        ["ls"],
        ["ls", "--nothing", "memory://"],
        ["ls", "memory://", "--nothing"],
        ["cp", "memory://", "memory://", "--recursive", "memory://"],
        ["ls", "--format", "xml", "memory://"],
        ["ls", "--sort", "colour", "memory://"],
        ["ls", "-o", "region", "memory://"],
        ["ls", "-o", "secretkey=hunter2", "memory://"],
        ["ls", "--secret-from-env", "NO_SUCH_VARIABLE", "memory://"],
        ["ls", "--limit", "-1", "memory://"],
        ["find", "--older-than", "soon", "memory://"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(run: Run, words: list[str]) -> None:
    """With the usage and a sentence on standard error."""
    done = run(*words)
    assert (done.status, done.out) == (2, "")
    assert "usage: registry-s3fs" in done.err
    assert "hunter2" not in done.err


def test_a_column_that_is_not_there_is_answered_with_the_closest(run: Run) -> None:
    """Or with all that there are."""
    assert "did you mean modified?" in run("ls", "memory://", "--sort", "modifed").err
    assert "size, modified, name" in run("ls", "memory://", "--sort", "qqq").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ls", "/"], "bucket: required"),
        (["ls", "registrys3://b/x", "-o", "regio=x"], "did you mean 'region'?"),
        (
            ["ls", "registrys3://bbb/x", "-o", "region=us-east-1", "-o", 'config_kwargs={"a": 1}'],
            "config_kwargs: 'a' is no",
        ),
        (["ls", "nosuch://x"], "nosuch"),
        (["ls", "--config", "/no/such.yml", "/"], "/no/such.yml"),
    ],
)
def test_an_error_is_status_1_and_one_line(run: Run, words: list[str], told: str) -> None:
    """On standard error, beginning with the program's name."""
    done = run(*words)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("registry-s3fs: ")
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_a_message_cannot_command_the_terminal(run: Run) -> None:
    """A name within it is a stranger's, too."""
    assert "\x1b" not in run("ls", "memory://a\x1b[2Jb").err


def test_a_warning_is_one_line_that_cannot_command_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says whose it is, and the command goes on."""

    def warn(*args: object) -> None:
        logging.getLogger("registry_s3fs").warning("%s: odd", "a\x1b[2Jb")

    monkeypatch.setattr("registry_s3fs.cli.files._listed", lambda found: warn() or [])
    done = run("ls", "memory://")
    assert (done.status, done.err) == (0, "registry-s3fs: warning: a\\x1b[2Jb: odd\n")
    assert logging.getLogger("registry_s3fs").handlers == []


def test_ctrl_c_is_status_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a plain word."""

    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("registry_s3fs.cli.files.place", interrupt)
    done = run("ls", "memory://")
    assert (done.status, done.err) == (130, "registry-s3fs: interrupted\n")


def test_a_reader_that_goes_away_is_no_traceback(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As with ``| head``: status 1, and not a word."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        errors = io.StringIO()
        monkeypatch.setattr("sys.stderr", errors)
        assert command.main(["find", f"file://{folder}"]) == 1
    assert errors.getvalue() == ""


def test_a_full_disk_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Output that could not be written is not lost without a word."""
    with open("/dev/full", "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        errors = io.StringIO()
        monkeypatch.setattr("sys.stderr", errors)
        assert command.main(["find", f"file://{folder}"]) == 1
        monkeypatch.undo()
        with suppress(OSError):
            stream.close()
    assert "No space left" in errors.getvalue()


def imported(*words: object) -> set[str]:
    """Give the packages that a run of the command imports."""
    code = (
        "import sys; from registry_s3fs.cli.main import main; status = main(sys.argv[1:]); "
        "print(status, *{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True)
    status, *names = done.stderr.splitlines()[-1].split()
    assert status == "0", done.stderr
    return set(names)


def test_help_imports_next_to_nothing() -> None:
    """Not even fsspec: it is there at once."""
    assert imported("--help") & {"boto3", "botocore", "fsspec", "pyarrow", "pandas", "numpy", "rich", "yaml"} == set()


def test_files_are_listed_without_what_tables_need(folder: Path) -> None:
    """Neither pyarrow nor pandas; nor rich, without a terminal; nor boto3, where nothing is in S3."""
    assert imported("ls", f"file://{folder}") & {"boto3", "pyarrow", "pandas", "numpy", "rich"} == set()


def test_importing_the_package_imports_nothing_else() -> None:
    """Its names come when they are asked for, and all are there."""
    code = (
        "import sys, registry_s3fs; print(*{'boto3', 'botocore', 'fsspec', 'yaml'} & set(sys.modules)); "
        "assert set(registry_s3fs.__all__) <= set(dir(registry_s3fs)); "
        "assert all(getattr(registry_s3fs, name) for name in registry_s3fs.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    with pytest.raises(AttributeError, match="nothing"):
        registry_s3fs.nothing  # noqa: B018  # the access is what is tried


def test_a_module_of_the_package_is_an_attribute() -> None:
    """As it is where modules are imported at once."""
    code = "import registry_s3fs; print(registry_s3fs.errors.FileExpired is registry_s3fs.FileExpired)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "True\n"


def test_credentials_come_by_a_variable_of_the_environment(
    run: Run, options: dict[str, Any], fs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the registry's configuration are used with --config, and any other is named."""
    fs.pipe("/f", b"")
    monkeypatch.setenv("K", options["accesskey"])
    monkeypatch.setenv("S", options["secretkey"])
    rest = [f"-o{name}={value}" for name, value in options.items() if name not in ("accesskey", "secretkey")]
    done = run("ls", "-q", "/", *rest, "--secret-from-env", "accesskey=K", "--secret-from-env", "S")
    assert (done.status, done.out, done.err) == (0, "/f\n", "")


def test_fsspecs_configuration_names_the_registry(
    run: Run, options: dict[str, Any], fs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `FSSPEC_REGISTRYS3_CONFIG` does, so that no word of the command need name it."""
    fs.pipe("/docker/registry/v2/repositories/team/app/_layers/x", b"")
    (tmp_path / "config.yml").write_text(json.dumps({"storage": {"s3": options}}))
    monkeypatch.setitem(fsspec.config.conf, "registrys3", {"config": str(tmp_path / "config.yml")})
    assert run("repos", "-q").lines == ["team/app"]
    monkeypatch.setitem(fsspec.config.conf, "registrys3", {"region": "us-east-1"})
    assert "no registry is named" in run("repos").err


def test_the_configuration_of_a_registry_in_a_folder(
    run: Run, sample_in_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its storage is `filesystem`; a variable may name another folder, as for the registry."""
    config = tmp_path / "config.yml"
    config.write_text(f"storage: {{filesystem: {{rootdirectory: {sample_in_folder}}}, delete: {{enabled: true}}}}")
    assert run("repos", "-q", "--config", config).lines == ["math", "team/app", "team/tools"]
    assert run("find", "--config", config, "--name", "startedat", "/docker/registry/v2/repositories/math").lines
    config.write_text("storage: filesystem")
    monkeypatch.setenv("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", str(sample_in_folder))
    assert run("tags", "-q", "team/tools", "--config", config).lines == ["1.0"]


def test_a_package_that_is_not_installed_is_named_with_what_brings_it(
    run: Run, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the tables need pyarrow; names alone do without it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow" or "registry.inv" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run("repos", sample.url)
    assert (done.status, done.out) == (1, "")
    assert "pip install 'registry-s3fs[registry]'" in done.err
    assert len(done.err.splitlines()) == 1


def test_an_exception_of_a_filesystems_library_is_one_line(
    run: Run, sample: Sample, memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named by its class. A traceback could show a signature."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("refused: https://x/?X-Amz-Signature=0123456789abcdef")

    monkeypatch.setattr(MemoryFileSystem, "ls", refuse)
    done = run("repos", sample.url)
    assert (done.status, done.err) == (
        1, "registry-s3fs: RuntimeError: refused: https://x/?X-Amz-Signature=***\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "said"), [(">&-", b"registry-s3fs: standard output is closed\n"), ("2>&-", b""), (">&- 2>&-", b"")]
)
def test_streams_may_be_closed(folder: Path, closed: str, said: bytes) -> None:
    """As cron's and daemons' are: nothing is done of which nobody would read, and no message goes astray."""
    command = f'exec "$0" -m registry_s3fs rm --yes "file://{folder}/f" {closed}'
    done = subprocess.run(["/bin/sh", "-c", command, sys.executable], capture_output=True, check=False)
    has_output = ">&-" not in closed.split()
    assert (done.returncode, done.stderr) == (0 if has_output else 1, said)
    assert (folder / "f").exists() == (not has_output)
    assert (b"deleted: 1 file" in done.stdout) == has_output


def test_a_closed_input_is_told(run: Run, bucket: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it should be read."""
    monkeypatch.setattr(sys, "stdin", None)
    done = run("put", *bucket, "-", "/new")
    assert (done.status, "standard input is closed" in done.err) == (1, True)

"""The command as a process of its own: secrets, pipes, terminals, exit statuses."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from registry_s3fs import RegistryS3FileSystem
from tests.libraries import library

COMMAND = (sys.executable, "-m", "registry_s3fs")
Given = list[str]


@pytest.fixture
def given(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Given:
    """The options of the bucket. Its secret is in the environment."""
    monkeypatch.setenv("THE_SECRET", options["secretkey"])
    rest = [f"-o{name}={value}" for name, value in options.items() if name != "secretkey"]
    return [*rest, "--secret-from-env", "THE_SECRET"]


def run(*words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False, **how)


def on_a_terminal(*words: str, columns: int = 100) -> tuple[int, str]:
    """Run the command with a terminal as its standard output and error; give its status, and what is shown."""
    terminal, its = pty.openpty()
    environ = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, *words], stdin=its, stdout=its, stderr=its, env=environ) as child:
        os.close(its)
        shown = b""
        while select.select([terminal], [], [], 60)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # Linux's word for the end
                break
            if not data:
                break
            shown += data
    os.close(terminal)
    return child.returncode, shown.decode()


@pytest.mark.promise("Commands")
def test_no_secret_is_in_the_list_of_processes(fs: RegistryS3FileSystem, given: Given, options: dict[str, Any]) -> None:
    """A secret comes by the environment, a `config.yml` or `--secret-from-env`, and never stands in the list of
    processes. On the command line it is refused.
    """
    fs.pipe_file("/large", bytes(4 << 20))
    with subprocess.Popen([*COMMAND, "cat", "/large", *given], stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.read(1) == b"\0"  # it works, and waits for its reader
        listed = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(child.pid)], capture_output=True, text=True)
        child.stdout.read()
    assert "cat /large" in listed.stdout
    assert options["secretkey"] not in listed.stdout
    refused = run("ls", "/", *given, "-o", f"secretkey={options['secretkey']}")
    assert refused.returncode == 2
    assert options["secretkey"] not in refused.stderr


def test_credentials_come_by_boto3s_own_variables(
    fs: RegistryS3FileSystem, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or by the registry's configuration."""
    fs.pipe_file("/f", b"x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", options["accesskey"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", options["secretkey"])
    rest = [f"-o{name}={value}" for name, value in options.items() if name not in ("accesskey", "secretkey")]
    assert run("cat", "/f", *rest).stdout == "x"


def test_a_registrys_configuration_is_enough(
    fs: RegistryS3FileSystem, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the secret in the registry's own variable."""
    fs.pipe_file("/f", b"x")
    block = {name: value for name, value in options.items() if name != "secretkey"}
    (tmp_path / "config.yml").write_text(json.dumps({"version": 0.1, "storage": {"s3": block}}))
    monkeypatch.setenv("REGISTRY_STORAGE_S3_SECRETKEY", options["secretkey"])
    assert run("--config", str(tmp_path / "config.yml"), "cat", "/f").stdout == "x"


def test_a_reader_that_has_enough_ends_the_command(fs: RegistryS3FileSystem, given: Given) -> None:
    """As with ``| head -1``: status 1, nothing on standard error, no traceback at the end of the interpreter."""
    fs.pipe({f"/d/{number:05}": b"" for number in range(100)})
    fs.pipe_file("/large", bytes(4 << 20))
    for words in (["find", "/d"], ["cat", "/large"], ["ls", "--json", "/d"]):
        with subprocess.Popen([*COMMAND, *words, *given], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            assert child.stdout
            assert child.stderr
            child.stdout.close()
            assert child.stderr.read() == b""
        assert child.returncode == 1, words


def test_bytes_go_through_pipes_as_they_are(fs: RegistryS3FileSystem, given: Given) -> None:
    """Into `put`, and out of `cat`."""
    data = bytes(range(256)) * 1000
    put = subprocess.run([*COMMAND, "put", "-", "/piped", *given], input=data, capture_output=True, check=True)
    assert (put.stdout, put.stderr) == (b"", b"")
    assert fs.cat_file("/piped") == data
    cat = subprocess.run([*COMMAND, "cat", "/piped", *given], capture_output=True, check=True)
    assert (cat.stdout, cat.stderr) == (data, b"")


def test_names_of_any_bytes_and_terminals_of_any_encoding(tmp_path: Path) -> None:
    """A name that is no text goes to xargs as it is; what an encoding lacks is an escape."""
    name = "gr\u00f6\u00dfe-\udcff"
    (tmp_path / name).write_bytes(b"")
    found = subprocess.run([*COMMAND, "find", "-0", f"file://{tmp_path}"], capture_output=True, check=True).stdout
    assert found == os.fsencode(tmp_path / name) + b"\0"
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run("find", "--format", "tree", f"file://{tmp_path}", env=ascii_only)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr\\xf6\\xdfe-\\udcff" in done.stdout


@pytest.mark.promise("Commands")
def test_a_terminal_gets_units_and_programs_get_bytes(fs: RegistryS3FileSystem, given: Given) -> None:
    """On a terminal sizes are in KiB, MiB and GiB; with `--bytes`, in a pipe and in JSON they are in bytes."""
    fs.pipe_file("/d/f", bytes(3 << 20))
    assert on_a_terminal("ls", "/d", *given)[1].startswith("3.0 MiB  ")
    assert on_a_terminal("ls", "--bytes", "/d", *given)[1].startswith("3145728  ")
    assert run("ls", "/d", *given).stdout.startswith("3145728  ")


@pytest.mark.promise("Commands")
def test_names_cannot_command_a_terminal(tmp_path: Path) -> None:
    """Names from the bucket are shown with escapes in the place of control characters, line breaks and marks of
    direction, in messages, too.
    """
    (tmp_path / "a\x1b]0;gotcha\x07b\nc").write_bytes(b"")
    url = f"file://{tmp_path}"
    for words in (
        ["ls"],
        ["find"],
        ["find", "-l"],
        ["rm", "-r"],
        ["stat", f"{url}/*"],
        ["rm", f"{url}/\x1b]0;gotcha\x07"],
    ):
        _, shown = on_a_terminal(*words, *([] if "://" in words[-1] else [url]))
        assert "gotcha" in shown, words
        assert "\x1b" not in shown, words
        assert "\x07" not in shown, words


@pytest.mark.promise("Commands")
def test_progress_is_shown_on_a_terminal_alone(fs: RegistryS3FileSystem, given: Given, tmp_path: Path) -> None:
    """Progress goes to standard error, and only where that is a terminal; not with `-q`, and not without rich."""
    library("rich")
    fs.pipe({f"/d/{number}": bytes(1 << 20) for number in range(3)})
    status, shown = on_a_terminal("get", "-r", "/d", str(tmp_path / "a"), *given)
    assert (status, "files" in shown) == (0, True)
    assert on_a_terminal("get", "-q", "-r", "/d", str(tmp_path / "b"), *given) == (0, "")
    done = run("get", "-r", "/d", str(tmp_path / "c"), *given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    code = (
        "import sys; sys.modules['rich'] = None; from registry_s3fs.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "get", "-r", "/d", str(tmp_path / "d"), *given], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == ["0", "1", "2"]


def test_a_missing_bucket_or_denied_request_is_one_line(given: Given) -> None:
    """With what to do, and no traceback."""
    done = run("ls", "/", *given, "-obucket=no-such-bucket")
    assert done.returncode == 1
    assert done.stderr.startswith("registry-s3fs: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.promise("Commands")
def test_the_command_starts_at_once(given: Given) -> None:
    """The command's help takes a fraction of a second, as it imports nothing that it does not need."""
    before = os.times()
    assert run("--help").returncode == 0
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < 0.5

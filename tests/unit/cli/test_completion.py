"""The script by which a shell completes the command's words, tried in the shell itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.libraries import library
from tests.unit.cli.conftest import Run

ASK = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p registry-s3fs | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when TAB is pressed behind these words."""


@pytest.fixture
def script(run: Run, tmp_path: Path) -> Path:
    """The script for bash."""
    library("shtab")
    if not shutil.which("bash"):
        pytest.skip("bash is not installed: apt-get install bash")
    path = tmp_path / "completion"
    path.write_text(run("completion", "bash").out)
    return path


@pytest.mark.promise("Commands")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["inven"], ["inventory"]),
        (["uploads", "ab"], ["abort"]),
        (["repos", "--so"], ["--sort"]),
        (["gc", "--dry"], ["--dry-run"]),
        (["repos", "--format", "j"], ["json", "jsonl"]),
        (["--config", "c.yml", "verif"], ["verify"]),
    ],
)
def test_bash_completes_commands_options_and_their_values(
    script: Path, tmp_path: Path, words: list[str], completed: list[str]
) -> None:
    """Bash completes commands, options and the values of options, with the script that `completion bash` prints."""
    assert _completed(script, tmp_path, *words) == completed


def test_bash_completes_files(script: Path, tmp_path: Path) -> None:
    """Behind an option that takes one, and where a word may be one."""
    (tmp_path / "config.yml").touch()
    for words in (["ls", "--config"], ["put"], ["inventory"]):
        assert _completed(script, tmp_path, *words, "conf") == ["config.yml"]


def _completed(script: Path, folder: Path, *words: str) -> list[str]:
    command = ["bash", "--norc", "-c", ASK, "bash", str(script), "registry-s3fs", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder, timeout=30)
    return done.stdout.split()


@pytest.mark.promise("Commands")
def test_every_shell_that_shtab_knows_has_a_script(run: Run) -> None:
    """`completion` takes every shell that the installed shtab knows, zsh, fish and tcsh among them."""
    shells = library("shtab").SUPPORTED_SHELLS
    assert {"bash", "zsh", "fish", "tcsh"} <= set(shells)
    for shell in shells:
        done = run("completion", shell)
        assert done.status == 0
        assert all(name in done.out for name in ("inventory", "report", "uploads"))
        if shell in ("zsh", "fish") and shutil.which(shell):
            subprocess.run([shell, "-n"], input=done.out, text=True, check=True, timeout=30)


def test_an_unknown_shell_is_told_those_that_there_are(run: Run) -> None:
    """As wrong usage."""
    library("shtab")
    done = run("completion", "cmd")
    assert (done.status, done.out) == (2, "")
    assert all(shell in done.err for shell in ("bash", "zsh", "fish", "tcsh"))


def test_what_brings_shtab_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    done = run("completion", "bash")
    assert (done.status, done.out) == (1, "")
    assert "pip install 'registry-s3fs[completion]'" in done.err

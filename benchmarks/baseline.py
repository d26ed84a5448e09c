"""An earlier commit of this repository as one more peer, in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from benchmarks.peers import baseline_name

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / ".venv"
START = "import sys; sys.path.append(sys.argv[1]); from benchmarks.measure import main; main()"
"""Measures with these benchmarks, which come after the environment's packages, so that its `registry_s3fs` is used."""


class BaselineError(Exception):
    """The commit does not exist, or cannot be installed."""


@dataclass(frozen=True)
class Baseline:
    """A commit whose package is installed."""

    commit: str
    folder: Path
    """Its virtual environment."""

    @property
    def name(self) -> str:
        """The peer's name in the tables."""
        return baseline_name(self.commit)

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def command(self) -> list[str]:
        """Measure with what is installed there: neither PYTHONPATH nor the current folder is looked at."""
        return [str(self.python), "-I", "-c", START, str(ROOT)]


def prepare(commit: str, repository: Path = ROOT, environments: Path = ENVIRONMENTS) -> Baseline:
    """Install a commit beside dependencies in the versions that are installed here, or use what was made before.

    Raises:
        BaselineError: there is no such commit, or it cannot be installed; with the reason.
    """
    full = _run("git", "-C", str(repository), "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}")
    baseline = Baseline(full, environments / f"baseline-{full}")
    made_with, constraints = baseline.folder / "constraints.txt", installed_versions()
    if not (made_with.exists() and made_with.read_text() == constraints):
        print(f"installing {baseline.name} in {baseline.folder}", file=sys.stderr)
        venv.create(baseline.folder, clear=True, symlinks=True)
        install(baseline, repository, constraints)
        made_with.write_text(constraints)
    return baseline


def install(baseline: Baseline, repository: Path, constraints: str) -> None:
    source, wanted = baseline.folder / "source.tar.gz", baseline.folder / "wanted.txt"
    wanted.write_text(constraints)
    _run("git", "-C", str(repository), "archive", "--prefix=source/", f"--output={source}", baseline.commit)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(baseline.python))
    _run(*pip, "install", "--quiet", "--constraint", str(wanted), str(source))


def installed_versions() -> str:
    """As constraints for pip. What is compared is left out."""
    versions = {each.name: each.version for each in distributions() if each.name != "registry-s3fs"}
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def describe(baseline: Baseline, repository: Path = ROOT) -> str:
    """The commit, its day and its subject, as a line of a report."""
    return _run("git", "-C", str(repository), "show", "--no-patch", "--format=%h of %cs: %s", baseline.commit)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BaselineError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()

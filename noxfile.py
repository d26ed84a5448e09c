"""The Pythons and dependencies that are tried: ``make matrix``. Each run that passes is a row of docs/compatibility.md.

``make matrix MATRIX='-s boto3 -- 1.40.42'`` runs one session, and of that one version.
"""

from __future__ import annotations

from pathlib import Path

import nox

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
MIDDLE = "3.12"
"""The Python on which releases of one dependency are tried."""
BOTO3 = ("1.37.24", "1.39.0", "1.40.42", "1.42.19", "1.42.80", "1.43.38", "1.43.106")
"""The last release of each quarter, from that of the lower bound to the last whole one."""
FSSPEC = ("2024.12.0", "2025.12.0")
"""The last release of each year, from that of the lower bound to the last whole one; other runs have the newest."""
REPORT = Path("build") / "matrix.xml"
QUICK = (
    *("tests/unit/config", "tests/unit/s3", "tests/unit/filesystem/test_core.py", "tests/unit/driver"),
    *("tests/conformance/test_abstract.py", "tests/integration/test_reading.py", "tests/integration/test_writing.py"),
    *(
        "tests/integration/test_attributes.py",
        "tests/integration/test_roles.py",
        "tests/integration/test_credentials.py",
    ),
)
"""What shows whether boto3, fsspec or Python do otherwise than before, in a minute or two. Warnings are errors."""

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False


def tried(session: nox.Session, what: str) -> None:
    """Run the tests, and write down what they ran on."""
    REPORT.parent.mkdir(exist_ok=True)
    session.run("python", "-m", "pytest", "-q", "-n", "3", "--dist", "worksteal", f"--junitxml={REPORT}", *QUICK)
    session.run("python", "docs/make_compatibility.py", what, str(REPORT))


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """Everything is the newest there is."""
    session.install("-e", ".[test-core,crt]")
    tried(session, "newest")


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The oldest dependencies that setup.cfg allows, on the oldest Python."""
    bounds = [line.strip().replace(" >= ", "==") for line in _required()]
    session.install("-e", ".[test-core]", "pandas < 3", *bounds)
    tried(session, "lowest bounds")


@nox.session(python=MIDDLE)
def boto3(session: nox.Session) -> None:
    """One release of boto3 a quarter."""
    session.install("-e", ".[test-core,crt]")
    for release in session.posargs or BOTO3:
        session.install(f"boto3=={release}")
        tried(session, f"boto3 {release}")


@nox.session(python=MIDDLE)
def fsspec(session: nox.Session) -> None:
    """One release of fsspec a year."""
    session.install("-e", ".[test-core,crt]", "pandas < 3")  # pandas 3 would ask for a newer fsspec
    for release in session.posargs or FSSPEC:
        session.install(f"fsspec=={release}")
        tried(session, f"fsspec {release}")


def _required() -> list[str]:
    lines = Path("setup.cfg").read_text().split("install_requires =\n")[1].split("\n\n")[0].split("\n")
    return [line for line in lines if not line.startswith("#")]

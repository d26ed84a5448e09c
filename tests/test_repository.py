"""The repository itself: its documents and its code agree, and nothing grows too large to hold in mind."""

from __future__ import annotations

import ast
import re
from configparser import ConfigParser
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
MODULES = sorted((HERE / "registry_s3fs").glob("*.py"))
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 45


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_of_the_documents_exists(document: str) -> None:
    """Whoever follows them word for word meets no missing target."""
    targets = set(re.findall(r"^([a-z]+):", (HERE / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b(?=`|\n)", (HERE / document).read_text()))
    assert named
    assert named <= targets


def test_every_link_of_the_documents_leads_somewhere() -> None:
    """Relative links name files that are there."""
    for document in (*HERE.glob("*.md"), *HERE.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), (document.name, target)


def test_every_promise_has_its_test() -> None:
    """Each row of docs/promises.md names one that is there."""
    rows = re.findall(
        r"^\| (?!\*\*|promise|---)(.+) \| (.*) \|$", (HERE / "docs" / "promises.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 100
    for promise, test in rows:
        found = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", test)
        assert found, promise
        assert f"def {found[2]}(" in (HERE / found[1]).read_text(), test


def test_the_architecture_page_names_every_module() -> None:
    """Each file of the package has its line, and no line is left of one that is gone."""
    page = (HERE / "docs" / "architecture.md").read_text()
    named = {
        name for row in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+\.py)`", row)
    }
    assert named == {path.name for path in MODULES} - {"__init__.py", "__main__.py"}


def test_every_module_has_its_import_layer() -> None:
    """A new module is placed before it can import what it likes."""
    config = ConfigParser()
    config.read(HERE / "setup.cfg")
    layers = set(re.findall(r"\w+", config["importlinter:contract:layers"]["layers"]))
    assert layers == {path.stem for path in MODULES} - {"__init__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_files_and_functions_are_short(path: Path) -> None:
    """At most 450 lines a file, and 45 a function without its docstring."""
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
            assert lines <= MAX_FUNCTION_LINES, node.name


def test_the_dependencies_have_lower_bounds_and_no_upper_ones() -> None:
    """Nothing of ours fights a user's boto3."""
    config = ConfigParser()
    config.read(HERE / "setup.cfg")
    needed = config["options"]["install_requires"].split("\n")
    assert sorted(re.split(" >= ", line)[0] for line in needed if line and "#" not in line) == [
        "PyYAML",
        "boto3",
        "fsspec",
    ]
    assert all(re.fullmatch(r"\w+ >= [\d.]+", line) for line in needed if line and "#" not in line)

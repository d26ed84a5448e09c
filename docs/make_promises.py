"""Write docs/promises.md from the tests' docstrings: `make promises`.

A test that holds a promise is marked with the page's heading, as in `@pytest.mark.promise("Reading")`. The first
paragraph of its docstring is the promise. No test is imported for it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).with_name("promises.md")
TESTS = PAGE.parents[1] / "tests"
HEADINGS = (
    "Whole or not at all",
    "Files that nobody closed",
    "Writes whose answer is lost or odd",
    "Reading",
    "Writing",
    "Paths and names",
    "Listing",
    "Copying, moving and deleting",
    "Local files",
    "Errors",
    "Configuration",
    "Secrets and credentials",
    "boto3",
    "Odd stores and odd answers",
    "Processes and threads",
    "The storage driver",
    "Registry contents",
    "Images and artifacts as files",
    "Commands",
    "Other libraries",
)
INTRODUCTION = """\
# Promises

What you may rely on. Each promise is the docstring of a test that would fail if the promise were broken, and what
follows it in brackets is that test's file. Where several tests hold a promise, this page has the plainest one. `make
promises` writes the page. [Clients](clients.md) has the calls that were tried with other libraries.
"""


def page() -> str:
    """Return the text of the page."""
    lines: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    for path in sorted(TESTS.rglob("test_*.py"), key=_for_everyone_first):
        for heading, promise in _promises(path):
            lines[heading].append(f"- {promise} [{path.stem}](../{path.relative_to(TESTS.parent).as_posix()})")
    sections = [f"## {heading}\n\n" + "\n".join(promises) + "\n" for heading, promises in lines.items()]
    return "\n".join([INTRODUCTION, *sections])


def _for_everyone_first(path: Path) -> tuple[bool, Path]:
    return "clients" in path.parts, path


def _promises(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (heading := _heading(node)):
            paragraph = (ast.get_docstring(node) or "").partition("\n\n")[0]
            yield heading, " ".join(paragraph.split())


def _heading(test: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what the test's mark says, or nothing where it has none."""
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
            return str(ast.literal_eval(decorator.args[0]))
    return ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

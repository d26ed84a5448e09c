"""The notebooks of examples/ run, and print what is stored in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat: Any = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from tests.documents import notebooks  # noqa: E402  # needs what may not be installed
from tests.documents.pages import masked  # noqa: E402  # the same
from tests.thoroughly import thorough  # noqa: E402  # the same


@pytest.mark.promise("Other libraries")
@pytest.mark.parametrize("path", [notebooks.PATHS[0], *thorough(*notebooks.PATHS[1:])], ids=lambda path: path.stem)
def test_the_notebooks_run_and_print_what_is_stored_in_them(path: Path) -> None:
    """The notebooks of `examples/` run, and their cells print what is stored in them, but for sizes and times."""
    stored = nbformat.read(path, as_version=4)
    for library in ("s3fs", "duckdb", "pandas", "pyarrow"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    assert [masked(text) for text in notebooks.printed(notebooks.run(path))] == [
        masked(text) for text in notebooks.printed(stored)
    ]


def test_there_are_notebooks_with_what_they_print() -> None:
    """Each has cells that print something."""
    assert len(notebooks.PATHS) >= 3
    for path in notebooks.PATHS:
        assert any(notebooks.printed(nbformat.read(path, as_version=4)))

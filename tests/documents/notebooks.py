"""The notebooks of examples/, run: `python -m tests.documents.notebooks` stores what their cells print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"
PATHS = sorted(EXAMPLES.glob("*.ipynb"))


def run(path: Path) -> Any:
    """Run a notebook in a kernel of its own, in its folder, and give it with what its cells print.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def printed(notebook: Any) -> list[str]:
    """Give what each cell of code prints or shows, as text."""
    return ["".join(map(_text, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def _text(output: Any) -> str:
    return str(output.text if output.output_type == "stream" else output.data["text/plain"])


if __name__ == "__main__":
    for each in PATHS:
        nbformat.write(run(each), each)

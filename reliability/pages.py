"""Results that are kept in a file, and their place in docs/reliability.md."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "reliability.md"


def inserted(page: str, name: str, text: str) -> str:
    """A page with what stands between a section's markers replaced.

    >>> marked = begin("odd answers") + " old <!-- end of odd answers --> after"
    >>> inserted(marked, "odd answers", "new").removeprefix(begin("odd answers"))
    '\\n\\nnew\\n\\n<!-- end of odd answers --> after'
    """
    end = f"<!-- end of {name} -->"
    pattern = re.compile(f"{re.escape(begin(name))}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page lacks the lines {begin(name)} and {end}")
    return pattern.sub(lambda _: f"{begin(name)}\n\n{text}\n\n{end}", page)


def begin(name: str) -> str:
    """The marker before a section."""
    return f"<!-- {name}: written by `python -m reliability` -->"


def write(name: str, text: str) -> None:
    """Put a section into the page."""
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")

"""docs/commands.md, whose samples are what the commands print."""

from __future__ import annotations

from tests.unit.cli import commands_page


def test_the_samples_of_the_page_are_what_the_commands_print() -> None:
    """Word for word; only the age of an upload is another each day."""
    text = commands_page.PAGE.read_text()
    assert commands_page.page(text) == text
    assert text.count("$ registry-s3fs ") > 12

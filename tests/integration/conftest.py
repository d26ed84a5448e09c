"""What the tests that ask servers share."""

from __future__ import annotations

import pytest

from tests import pauses


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between two tries of a request is tested where it is made."""
    pauses.shorten(monkeypatch)

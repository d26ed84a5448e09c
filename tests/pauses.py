"""Retries without their waiting, which would be minutes of a run in all."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from registry_s3fs.s3 import retry
from registry_s3fs.threads import cancellation

SHARE = 0.05


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have botocore not wait between its tries, and this package a twentieth of what it would."""
    pause = cancellation.pause
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None}))
    shorter = SimpleNamespace(**{**vars(cancellation), "pause": lambda seconds: pause(seconds * SHARE)})
    monkeypatch.setattr(retry, "cancellation", shorter)

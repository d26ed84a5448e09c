"""What a test asks of boto3's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from registry_s3fs import RegistryS3FileSystem
from registry_s3fs.client import fast_lane


def listen(fs: RegistryS3FileSystem, event: str, handler: Callable[..., Any]) -> None:
    """Have a handler called for a filesystem's requests, all of which are boto3's from now on."""
    fast_lane(fs.parameters)._open = False
    fs.bucket._client.meta.events.register(event, handler)

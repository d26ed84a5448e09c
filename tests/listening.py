"""What a test asks of boto3's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from registry_s3fs import RegistryS3FileSystem


def listen(fs: RegistryS3FileSystem, event: str, handler: Callable[..., Any]) -> None:
    """Have a handler called for a filesystem's requests, all of which are boto3's from now on."""
    fs.bucket.client.meta.events.register(event, handler)

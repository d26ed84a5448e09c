"""What of a file is read."""

from __future__ import annotations

from typing import NamedTuple


class ReadOptions(NamedTuple):
    """What of a file is read, as `Downloads.cat_file` takes it."""

    start: int | None = None
    end: int | None = None
    version_id: str = ""
    verify: bool | None = None


WHOLE = ReadOptions()

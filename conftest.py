"""What of the package can be collected here."""

from __future__ import annotations

from importlib.util import find_spec

# It needs universal_pathlib, which only the extra `clients` brings.
collect_ignore = [] if find_spec("upath") else ["registry_s3fs/upath.py"]

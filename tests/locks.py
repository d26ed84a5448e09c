"""The package's locks, for tests that hold all of them."""

from __future__ import annotations

import gc
import threading
from typing import Any

from registry_s3fs.s3.client import CLIENTS

KINDS = (type(threading.Lock()), type(threading.RLock()))


def package_locks() -> list[Any]:
    """Every lock that an object of one of the package's classes has."""
    gc.unfreeze()  # what is frozen is in no list of objects
    made = [each for each in gc.get_objects() if str(type(each).__module__).startswith("registry_s3fs.")]
    assert any(each is CLIENTS for each in made)
    fields = [field for each in made for field in getattr(each, "__dict__", {}).values()]
    return list({id(field): field for field in fields if isinstance(field, KINDS)}.values())

"""What of the package can be collected here, and what a run of the tests says first."""

from __future__ import annotations

import gc
import signal
from importlib.util import find_spec

from testbed import servers

NEEDED = {
    "registry_s3fs/upath.py": "upath",
    "registry_s3fs/registry/dask_tables.py": "dask",
    "registry_s3fs/registry/dask_workers.py": "distributed",
}
"""Modules that cannot be imported without a library that only the extra `clients` brings."""

collect_ignore = [module for module, library in NEEDED.items() if not find_spec(library)]


def pytest_configure() -> None:
    """Take signals as they usually are: nohup(1), or a shell that runs this in the background, lets them be ignored."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_finish() -> None:
    """Spare each garbage collection what stays to the end, which was a tenth of the time: libraries and the tests."""
    gc.freeze()


def pytest_report_header() -> list[str]:
    """Name what is missing, so that whoever waits can install it; tests that need it are skipped by the same words."""
    missing = servers.not_installed()
    return ["left out, as programs are missing:", *(f"  {each}" for each in missing)] if missing else []

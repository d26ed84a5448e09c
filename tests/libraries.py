"""The libraries that some tests are about. A test without its library is skipped, with the line that installs it."""

from __future__ import annotations

from typing import Any

import pytest


def library(module: str) -> Any:
    """Import a module of an optional library, or skip the test, or the file of tests, that asks for it."""
    package = module.partition(".")[0]
    name = {"upath": "universal_pathlib", "dask": "'dask[dataframe]'"}.get(package, package)
    return pytest.importorskip(module, reason=f"{name} is not installed: pip install {name}")

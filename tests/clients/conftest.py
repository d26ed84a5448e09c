"""What the tests of other libraries share: one small table, and a cluster of dask's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas
import pytest

from tests.libraries import library


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """A client of two processes of dask.distributed, which take seconds to start."""
    distributed = library("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as connected,
    ):
        yield connected


@pytest.fixture
def frame() -> pandas.DataFrame:
    """Text beyond ASCII, numbers, and a column to partition by."""
    return pandas.DataFrame({"name": ["a", "é", "c", "d"], "value": [1, 2, 3, 4], "year": [2025, 2025, 2026, 2026]})

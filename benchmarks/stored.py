"""What a bucket holds before a workload, and what must be there after it."""

from __future__ import annotations

from benchmarks import data
from benchmarks.endpoints import Endpoint
from benchmarks.profiles import Sizes
from benchmarks.workloads import Case, Workload, as_written, expect, files_of

COMPARED = 50
"""Of many small objects that were written, so many are read back."""


def fill(endpoint: Endpoint, sizes: Sizes) -> None:
    """Store what is read."""
    endpoint.store_large(data.LARGE, sizes.large_bytes)
    endpoint.store_large(data.COPY_SOURCE, sizes.copy_bytes)
    endpoint.store(data.small(sizes.small, sizes.small_bytes))
    for folder in data.FOLDERS:
        endpoint.store_files(files_of(sizes, folder))
    endpoint.store_flat(data.FLAT, sizes.flat)
    endpoint.store_tree(data.TREE, sizes.tree, sizes.repositories)
    endpoint.store_tree(data.WALKED, sizes.tree, sizes.repositories)


def check_stored(endpoint: Endpoint, case: Case, workload: Workload, *, is_kept: bool) -> None:
    """Raise `WrongResultError` where something else is stored. Where bodies are not kept, sizes decide."""
    for key, size in workload.written(case).items():
        right = data.matches(endpoint.read(key), size) if is_kept else endpoint.size(key) == size
        expect(right, f"{key} does not hold the {size} bytes")
    if workload.files_written:
        _check_files(endpoint, case, workload.files_written, is_kept=is_kept)
    if workload.small_written:
        _check_small(endpoint, case)
    if workload.deletes:
        left = [key for key in endpoint.keys(data.DOOMED) if not key.endswith("/")]  # pyarrow leaves a folder's marker
        expect(not left, f"{len(left)} objects are still there")


def _check_files(endpoint: Endpoint, case: Case, folder: str, *, is_kept: bool) -> None:
    for key, size in files_of(case.sizes, folder).items():
        found = as_written(key)
        if is_kept:
            expect(b"".join(endpoint.read(found)) == data.file_content(key, size), f"{found} holds other bytes")
        else:
            expect(endpoint.size(found) == size, f"{found} does not hold {size} bytes")


def _check_small(endpoint: Endpoint, case: Case) -> None:
    sizes, written = case.sizes, endpoint.keys(data.WRITTEN)
    expect(len(written) == sizes.small, f"{len(written)} objects instead of {sizes.small}")
    for number in range(0, sizes.small, max(1, sizes.small // COMPARED)):
        right = data.content(number * sizes.small_bytes, sizes.small_bytes)
        expect(b"".join(endpoint.read(written[number])) == right, f"{written[number]} holds other bytes")

"""Work side by side in processes of bounded memory; one that dies, or whose work does not end, is replaced."""

from __future__ import annotations

import multiprocessing
import os
import queue
import resource
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_BYTES = 4 * 1024**3
"""Of a process. A call that takes more fails, and does not take the machine with it."""


def spread(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int,
    *,
    lost: Callable[[Item], Result],
    is_spent: Callable[[Result], bool],
) -> Iterator[Result]:
    """The results of all items, in order.

    `lost` gives the result of an item whose process has died. A process is replaced after a result that `is_spent`,
    such as one of a call that still runs.
    """
    free: queue.SimpleQueue[ProcessPoolExecutor] = queue.SimpleQueue()

    def one(item: Item) -> Result:
        process = free.get()
        try:
            result = process.submit(work, item).result()
            is_over = is_spent(result)
        except BrokenProcessPool:
            result, is_over = lost(item), True
        if is_over:
            process.shutdown(wait=False)
            process = _process()
        free.put(process)
        return result

    for _ in range(processes):
        free.put(_process())
    with ThreadPoolExecutor(processes) as threads:
        yield from threads.map(one, items)
    for _ in range(processes):
        free.get().shutdown()


def _process() -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["reliability.odd_runner", "reliability.fuzz"])
    return ProcessPoolExecutor(1, mp_context=context, initializer=_begin)


def _begin() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    os.nice(5)  # whoever starts this has the machine first

"""Work spread over the processors: how many there are, and processes that end with who began them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

__all__ = ["pool", "processors"]


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def pool(processes: int, begin: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of fresh processes, each of which calls ``begin`` first; what has not begun ends with it.

    A process that is killed raises :class:`~concurrent.futures.process.BrokenProcessPool` in whoever waits.
    """
    # A forked process would share the locks and threads of this one, whatever state they are in.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(begin,))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _begin(begin: Callable[[], None] | None) -> None:
    # Ctrl-C reaches the whole process group; who began the work ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if begin is not None:
        begin()

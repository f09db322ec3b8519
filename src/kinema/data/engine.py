"""The seam between work and machines: independent tasks in, results out as they are done. A cluster is one more entry."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..core.errors import UserError

Task = tuple[Any, ...]


def run(function: Callable[..., Any], tasks: Sequence[Task], *, workers: int = 1, on: str = "local") -> Iterator[Any]:
    """function(*task) of every task, in the order in which they are done.

    `function` lives at the top of a module, so that another process can import it. A task's error ends the run and is
    raised here. Raises UserError for an engine that is not known.
    """
    if on not in ENGINES:
        raise UserError(f"there is no engine named {on!r} to run on; there is {', '.join(ENGINES)}")
    if workers < 1:
        raise UserError(f"workers must be at least 1, got {workers}")
    return ENGINES[on](function, tasks, workers)


def cpus() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _local(function: Callable[..., Any], tasks: Sequence[Task], workers: int) -> Iterator[Any]:
    if workers == 1 or len(tasks) == 1:
        yield from (function(*task) for task in tasks)
        return
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # forked children of a process with threads may hang
    pool = ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_start_worker)
    try:
        for future in as_completed([pool.submit(function, *task) for task in tasks]):
            yield future.result()
        pool.shutdown()
    except BrokenProcessPool:
        raise UserError("a worker process died, perhaps for want of memory: try again with fewer workers") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        ours = set(multiprocessing.active_children()) - before
        for child in ours:
            child.terminate()
        for child in ours:
            child.join()


def _start_worker() -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent, even where it was killed and could not say so."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


ENGINES: dict[str, Callable[[Callable[..., Any], Sequence[Task], int], Iterator[Any]]] = {"local": _local}

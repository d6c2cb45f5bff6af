"""Tasks in processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import TYPE_CHECKING, Any

import psutil
from pebble import ProcessExpired, ProcessPool

from gatewright.explore.engine import TASK_MEMORY, Result, WorkerDied
from gatewright.system import processes

if TYPE_CHECKING:
    from collections.abc import Callable

# What leaks in a process that converts one model after the other has an end.
_TASKS_PER_PROCESS = 25


class LocalEngine:
    """Tasks in processes of their own, as many at a time as cores and memory allow.

    A process takes one task after the other, because importing TensorFlow takes longer than many a
    task. If this process ends, however it ends, the others do, too.

    Args:
        jobs: tasks at a time, at most; by default one per core.
        memory: what a task takes, in bytes.
    """

    def __init__(self, jobs: int | None = None, memory: int = TASK_MEMORY) -> None:
        self._wanted = jobs or usable_cores()
        self._workers = min(self._wanted, max(1, psutil.virtual_memory().available // memory))
        self._pool = self._new_pool()

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self._workers

    @property
    def short_of_memory(self) -> bool:
        """Whether memory, not the number of cores or jobs, limits the workers."""
        return self._workers < self._wanted

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Have a task run when a worker is free; see `Engine.submit`."""
        result: Future[Result] = Future()
        try:
            task = self._pool.schedule(_work, (function, *arguments))
        except RuntimeError:  # the pool gives up when a process dies while none has a task
            self._pool = self._new_pool()
            task = self._pool.schedule(_work, (function, *arguments))
        task.add_done_callback(lambda done: _hand_over(done, result))
        return result

    def close(self) -> None:
        """End every task, and whatever they started."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _new_pool(self) -> ProcessPool:
        # Processes start afresh: a fork of a process with threads may hang.
        return ProcessPool(
            self._workers, _TASKS_PER_PROCESS, _become_worker, context=get_context("spawn")
        )


def usable_cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hand_over(done: Future[Result], result: Future[Result]) -> None:
    """Pass on what a task of the pool gave, in the terms of `Engine`."""
    if done.cancelled():
        result.cancel()
        return
    error = done.exception()
    if isinstance(error, ProcessExpired):
        error = WorkerDied(f"its process died ({_ending(error.exitcode)})")
    elif isinstance(error, BrokenProcessPool):
        error = WorkerDied("the processes of the search died")
    if error is not None:
        result.set_exception(error)
    else:
        result.set_result(done.result())


def _ending(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed; out of memory perhaps"
    return f"signal {-status}" if status < 0 else f"status {status}"


_working = False


def _become_worker() -> None:
    """Leave the keyboard to the process that started us, do as it says, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    processes.stop()
    os._exit(1)


def _end(*_: object) -> None:
    processes.stop()
    if not _working:
        os._exit(1)
    raise KeyboardInterrupt  # undoes what is half done; then _work ends this process


def _work(function: Callable[..., Result], *arguments: Any) -> Result:
    global _working
    _working = True
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        os._exit(1)
    finally:
        _working = False

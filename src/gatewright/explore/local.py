"""Runs tasks in processes on this machine."""

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

# A new process after so many tasks limits memory leaks.
_TASKS_PER_PROCESS = 25


class LocalEngine:
    """Runs tasks in child processes, as many in parallel as cores and memory allow.

    A process runs many tasks one after another, because importing TensorFlow takes longer than many
    tasks. The child processes end with this process, however it ends.

    Args:
        jobs: Most parallel tasks; None for one per core.
        memory: Memory of a task in bytes.
    """

    def __init__(self, jobs: int | None = None, memory: int = TASK_MEMORY) -> None:
        self._wanted = jobs or usable_cores()
        self._workers = min(self._wanted, max(1, psutil.virtual_memory().available // memory))
        self._pool = self._new_pool()

    @property
    def workers(self) -> int:
        """The number of tasks that run in parallel."""
        return self._workers

    @property
    def short_of_memory(self) -> bool:
        """Whether memory limits the number of workers, and not cores or jobs."""
        return self._workers < self._wanted

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Run a task as soon as a worker is free; see `Engine.submit`."""
        result: Future[Result] = Future()
        try:
            task = self._pool.schedule(_work, (function, *arguments))
        except RuntimeError:  # the pool stops if a process dies while no task runs
            self._pool = self._new_pool()
            task = self._pool.schedule(_work, (function, *arguments))
        task.add_done_callback(lambda done: _hand_over(done, result))
        return result

    def close(self) -> None:
        """End all tasks, and the processes that they started."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def _new_pool(self) -> ProcessPool:
        # Spawn and don't fork: a fork of a process with threads may hang.
        return ProcessPool(
            self._workers, _TASKS_PER_PROCESS, _become_worker, context=get_context("spawn")
        )


def usable_cores() -> int:
    """The number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _hand_over(done: Future[Result], result: Future[Result]) -> None:
    """Copy the result or the error of the pool's future to one that behaves as in `Engine`."""
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
    """Ignore Ctrl+C, which the parent handles; end on SIGTERM, and when the parent ends."""
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
    raise KeyboardInterrupt  # lets the task clean up; then _work ends this process


def _work(function: Callable[..., Result], *arguments: Any) -> Result:
    global _working
    _working = True
    try:
        return function(*arguments)
    except KeyboardInterrupt:
        os._exit(1)
    finally:
        _working = False

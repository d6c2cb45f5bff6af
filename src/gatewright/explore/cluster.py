"""Tasks on a Ray cluster."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from gatewright.errors import InputError
from gatewright.explore.engine import TASK_MEMORY, Result, WorkerDied

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_CONNECTING = 5  # seconds that a cluster has to answer
_ENDING = 5  # seconds that interrupted tasks have to clean up


class ClusterEngine:
    """Tasks on a Ray cluster, each with a core and its memory to itself.

    Args:
        address: of an existing cluster, "HOST:PORT" or "auto"; by default one is started on this
            machine, and ends with the engine. Every machine of a cluster needs this version of
            Gatewright, and the folders of store and model under the same paths.
        jobs: tasks at a time, at most; by default as many as the cluster has cores.
        memory: what a task takes, in bytes; the cluster runs no more of them than fit.

    Raises:
        InputError: if Ray is not installed, or there is no cluster at the address.
    """

    def __init__(
        self, address: str | None = None, jobs: int | None = None, memory: int = TASK_MEMORY
    ) -> None:
        self._ray = _import_ray()
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is not None:
            _knock(address)
        try:
            if address is None:
                self._ray.init(address="local", num_cpus=jobs, include_dashboard=False, **quiet)
            else:
                self._ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            reason = str(error).strip().splitlines()[0]
            where = address or "this machine"
            raise InputError(f"no Ray cluster at {where}: {reason}{_hint()}") from None
        found = self._ray.cluster_resources()
        cores, fitting = int(found.get("CPU", 0)), int(found.get("memory", 0) // memory)
        if min(cores, fitting) < 1:
            self._ray.shutdown()
            raise InputError(
                f"the Ray cluster has {cores} cores and room for {fitting} tasks of "
                f"{memory >> 20:,} MiB; a search needs one of each"
            )
        self._workers = min(cores, fitting, jobs or cores)
        # A death is the task's own failure; it is not tried elsewhere behind our back.
        self._remote = self._ray.remote(num_cpus=1, memory=memory, max_retries=0)(_attempt)
        self._threads = ThreadPoolExecutor(self._workers, "task")
        self._running: set[Any] = set()

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self._workers

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Have a task run when a worker is free; see `Engine.submit`."""
        return self._threads.submit(self._run, function, arguments)

    def close(self) -> None:
        """End every task, and the cluster if it was started here."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        running = list(self._running)
        for reference in running:
            self._ray.cancel(reference, force=False)  # interrupts it, so that it cleans up
        if running:
            self._ray.wait(running, num_returns=len(running), timeout=_ENDING)
        self._ray.shutdown()

    def _run(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        reference = self._remote.remote(function, arguments)
        self._running.add(reference)
        try:
            result: Result
            result, error = self._ray.get(reference)
        except self._ray.exceptions.RayError as failure:
            lines = str(failure).strip().splitlines()
            if isinstance(failure, self._ray.exceptions.RayTaskError):
                raise WorkerDied(f"its process could not take it ({lines[-1].strip()})") from None
            raise WorkerDied(f"its process died ({lines[0].strip()})") from None
        finally:
            self._running.discard(reference)
        if error is not None:
            raise error
        return result


def _knock(address: str) -> None:
    """Whether something listens at an address; Ray by itself tries for minutes.

    Raises:
        InputError: if not.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():  # "auto", which Ray resolves
        return
    try:
        socket.create_connection((host, int(port)), _CONNECTING).close()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"no Ray cluster at {address}: {reason}") from None


def _hint() -> str:
    """What may be wrong with an address where something listens.

    Ray 2.59 has clusters ask for a token, and finds it by itself only for those on this machine.
    """
    if "RAY_AUTH_MODE" in os.environ:
        return ""
    return "; if it asks for a token, the default of `ray start`, set RAY_AUTH_MODE=token"


def _attempt(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, Exception | None]:
    """The task: its own errors are results, so that what Ray raises is about processes."""
    try:
        return function(*arguments), None
    except Exception as error:
        return None, error


def _import_ray() -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ray
            from ray._private import worker
    except ModuleNotFoundError:
        raise InputError("the engine 'ray' needs Ray: pip install 'gatewright[cluster]'") from None
    # What becomes of tasks is ours to say; Ray has no other way to keep it off standard output.
    worker._worker_logs_enabled = False
    return ray

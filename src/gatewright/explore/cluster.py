"""Runs tasks on a Ray cluster."""

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

_CONNECTING = 5  # seconds for a cluster to answer
_ENDING = 5  # seconds for interrupted tasks to clean up


class ClusterEngine:
    """Runs tasks on a Ray cluster, each with its own core and memory.

    Args:
        address: Address of an existing cluster, "HOST:PORT" or "auto"; None starts one on this
            machine, which ends with the engine. Every machine of a cluster needs this version of
            Gatewright, and the folders of the store and the model under the same paths.
        jobs: Most parallel tasks; None for the number of the cluster's cores.
        memory: Memory of a task in bytes; the cluster only runs as many tasks as fit.

    Raises:
        InputError: if Ray isn't installed, there is no cluster at the address, or it is too small
            for a task.
    """

    def __init__(
        self, address: str | None = None, jobs: int | None = None, memory: int = TASK_MEMORY
    ) -> None:
        self._ray = _import_ray()
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address is not None:
            _check_listening(address)
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
                f"the Ray cluster has {cores} cores and memory for {fitting} tasks of "
                f"{memory >> 20:,} MiB; a search needs at least one of each"
            )
        self._workers = min(cores, fitting, jobs or cores)
        # If a task's process dies, the task has failed: Ray must not retry it.
        self._remote = self._ray.remote(num_cpus=1, memory=memory, max_retries=0)(_attempt)
        self._threads = ThreadPoolExecutor(self._workers, "task")
        self._running: set[Any] = set()

    @property
    def workers(self) -> int:
        """The number of tasks that run in parallel."""
        return self._workers

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Run a task as soon as a worker is free; see `Engine.submit`."""
        return self._threads.submit(self._run, function, arguments)

    def close(self) -> None:
        """End all tasks, and the cluster if this engine started it."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        running = list(self._running)
        for reference in running:
            self._ray.cancel(reference, force=False)  # an interrupted task can clean up
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


def _check_listening(address: str) -> None:
    """Check that something listens at an address: Ray itself would try for minutes.

    Raises:
        InputError: if nothing does.
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
    """A hint for a failed connection to an address where something listens.

    Clusters of Ray 2.59 require a token by default. Ray finds it by itself on this machine only.
    """
    if "RAY_AUTH_MODE" in os.environ:
        return ""
    return "; if it asks for a token, the default of `ray start`, set RAY_AUTH_MODE=token"


def _attempt(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, Exception | None]:
    """Run a task and return its result or its error: Ray then only raises errors of processes."""
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
    # Keep Ray's messages about tasks off standard output; there is no public way.
    worker._worker_logs_enabled = False
    return ray

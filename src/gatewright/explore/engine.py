"""The interface of engines, which run the tasks of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gatewright.errors import GatewrightError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

Result = TypeVar("Result")

#: Memory of a task in bytes: TensorFlow and hls4ml, and one tool for which they wait.
TASK_MEMORY = 2 << 30


class WorkerDied(GatewrightError):
    """The process of a task died before the task ended: it was killed, or out of memory."""


class Engine(Protocol):
    """Runs tasks in other processes, several in parallel."""

    @property
    def workers(self) -> int:
        """The number of tasks that run in parallel."""
        ...

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Run a task as soon as a worker is free.

        Args:
            function: A function at the top level of a module; it runs in another process.
            arguments: Its arguments, which must pickle. The result depends on nothing else.

        Returns:
            A future with the result, or with the error that the task raised; `WorkerDied` if its
            process died, which affects no other task.
        """
        ...

    def close(self) -> None:
        """End all tasks and the processes that they started. Unfinished tasks are lost."""
        ...

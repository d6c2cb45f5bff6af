"""What runs the tasks of a search: an interface that the engines share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from gatewright.errors import GatewrightError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

Result = TypeVar("Result")

#: Memory that a task takes, in bytes: TensorFlow and hls4ml, and one tool that either waits for.
TASK_MEMORY = 2 << 30


class WorkerDied(GatewrightError):
    """The process of a task ended before the task did: killed, or out of memory."""


class Engine(Protocol):
    """Runs tasks in other processes, some at a time."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        ...

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """Have a task run when a worker is free.

        Args:
            function: a function of a module; it runs in another process.
            arguments: what pickles, and what the result is made of alone.

        Returns:
            Its result, or the error that it raised; `WorkerDied` if its process died, which
            touches no other task.
        """
        ...

    def close(self) -> None:
        """End every task, and whatever they started. Tasks that have not ended are lost."""
        ...

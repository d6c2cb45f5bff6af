"""Child processes under limits, which end when this process is interrupted."""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatewright.errors import LimitError, TimeLimitError
from gatewright.system import launcher

# Reentrant, because a signal handler runs on the main thread, which may hold the lock.
_lock = threading.RLock()
_running: set[subprocess.Popen[str]] = set()
_stopping = False

_GB = 1 << 30
# Fraction of the machine's memory; the rest is for the system and for this process.
_SHARE = 0.8
_LEAST_MEMORY = 2 * _GB
_PERIOD = 0.1  # seconds between two checks whether a process was cancelled
# Messages of tools that are out of memory.
_NO_MEMORY = (
    "MemoryError",
    "bad_alloc",
    "out of memory",
    "Out of memory",
    "memory exhausted",
    os.strerror(errno.ENOMEM),
    "Killed signal terminated program",  # from g++, if the kernel killed the compiler proper
)


@functools.cache
def most_memory() -> int:
    """Default memory limit of a child process, in bytes: 80 % of the machine's, at least 2 GB."""
    import psutil

    return max(_LEAST_MEMORY, int(_SHARE * psutil.virtual_memory().total))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a child process.

    Attributes:
        what: Name of the process in messages.
        seconds: Wall time, in s; then the process is killed, with all processes that it started.
        memory: Address space of each process, in bytes; None for `most_memory()`.
        file: Size of the largest file that may be written, in bytes; None for no limit.
        stack: What the stack must have room for, in bytes, if the system allows that much.
        cancelled: When it is set, the process is killed.
        network: Whether the network is available. It always is if the system can't close it (see
            `network_can_be_closed`).
    """

    what: str
    seconds: float
    memory: int | None = None
    file: int | None = None
    stack: int = 0
    cancelled: threading.Event | None = None
    network: bool = False

    @property
    def bytes(self) -> int:
        """Limit on the address space, in bytes."""
        return most_memory() if self.memory is None else self.memory

    def command(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command that runs `command` under these limits, except that on wall time.

        It is killed when the thread that starts it ends in any way.
        """
        # In case this process fails to end it: the processor time if all processors are busy.
        cpu = math.ceil(self.seconds) * (os.cpu_count() or 1) + 1
        limits = (os.getpid(), self.bytes, cpu, self.file or 0, self.stack, int(self.network))
        # A bare interpreter starts in a few milliseconds; `preexec_fn` is not safe with threads.
        return [sys.executable, "-I", "-S", launcher.__file__, *map(str, limits), *command]


@functools.cache
def network_can_be_closed() -> bool:
    """Whether this user can start a process without network on this system."""
    try:
        ours = str(Path("/proc/self/ns/net").readlink())
    except OSError:  # not Linux
        return False
    code = "import os; print(os.readlink('/proc/self/ns/net'))"
    limits = Limits(what="a look at the network", seconds=60)
    done = run([sys.executable, "-I", "-S", "-c", code], limits=limits)
    return done.returncode == 0 and done.stdout.strip() != ours


@contextlib.contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process; it is waited for at the end of the block, and killed if the block fails.

    Args:
        command: program and arguments.
        options: as for `subprocess.Popen`.

    Raises:
        KeyboardInterrupt: if `stop` was called, before or meanwhile.
    """
    text = {"encoding": "utf-8", "errors": "replace"}  # whatever the user's locale is
    options = {"stdin": subprocess.DEVNULL, **text, **options}
    with _lock:
        if _stopping:
            raise KeyboardInterrupt
        # In a process group of its own, so that processes that it starts are stopped with it.
        process = subprocess.Popen(command, process_group=0, **options)
        _running.add(process)
    try:
        yield process
    except BaseException:
        _signal(process, signal.SIGKILL)
        raise
    finally:
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        with _lock:
            _running.discard(process)
    if _stopping:
        raise KeyboardInterrupt


def run(
    command: Sequence[str | Path],
    *,
    input_text: str | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. The caller must check the exit status.

    Args:
        command: program and arguments.
        input_text: text for its standard input.
        limits: its limits; none if None.
        options: as for `subprocess.Popen`; output is captured unless they redirect it.

    Raises:
        LimitError: if it exceeds its limit on time, or fails with captured output that says that
            it is out of memory.
        CancelledError: if it was cancelled.
        KeyboardInterrupt: if `stop` was called, before or meanwhile.
    """
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input_text is not None:
        captured["stdin"] = subprocess.PIPE
    limited = command if limits is None else limits.command(command)
    with started(limited, **captured | options) as process:
        output, errors = _ended(process, input_text, limits)
    if limits is not None and process.returncode:
        check_memory(limits, errors or "")
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _ended(
    process: subprocess.Popen[str], input_text: str | None, limits: Limits | None
) -> tuple[str, str]:
    """The output of a process that ends within its limits."""
    if limits is None:
        return process.communicate(input_text)
    end = time.monotonic() + limits.seconds
    while True:
        left = max(0.0, end - time.monotonic())
        wait = left if limits.cancelled is None else min(left, _PERIOD)
        try:
            return process.communicate(input_text, wait)
        except subprocess.TimeoutExpired:
            input_text = None  # already passed on
            if limits.cancelled is not None and limits.cancelled.is_set():
                raise CancelledError(limits.what) from None
            if time.monotonic() >= end:
                raise TimeLimitError(
                    f"{limits.what}: ended after {limits.seconds:.3g} seconds, its time limit"
                ) from None


def check_memory(limits: Limits, errors: str) -> None:
    """Check whether a failed process was out of memory, by its output.

    Raises:
        LimitError: if it was.
    """
    if any(sign in errors for sign in _NO_MEMORY):
        raise LimitError(
            f"{limits.what}: it needed more memory than its limit, {limits.bytes / _GB:.3g} GB"
        )


def complaint(errors: str) -> str:
    """The line of a tool's standard error that best explains why it failed.

    That is a line on a full disk, else the first error, else the first line.
    """
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    for sign in (os.strerror(errno.ENOSPC), "error", ""):
        for line in lines:
            if sign in line:
                return line
    return "no message"


def stop() -> None:
    """End all running processes, and start no more; a second call kills the remaining ones."""
    global _stopping
    with _lock:
        number = signal.SIGKILL if _stopping else signal.SIGTERM
        _stopping = True
        for process in _running:
            _signal(process, number)


def stopping() -> bool:
    """Whether `stop` was called."""
    return _stopping


def _signal(process: subprocess.Popen[str], number: int) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

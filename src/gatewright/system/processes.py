"""Child processes that end when this one is interrupted, and that keep within limits."""

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

# Reentrant: a signal's handler runs on the main thread, which may hold it.
_lock = threading.RLock()
_running: set[subprocess.Popen[str]] = set()
_stopping = False

_GB = 1 << 30
# Of the machine's memory; the rest is the system's, and our own.
_SHARE = 0.8
_LEAST_MEMORY = 2 * _GB
_PERIOD = 0.1  # seconds between two looks at whether a process was cancelled
# How tools say that they got no memory.
_NO_MEMORY = (
    "MemoryError",
    "bad_alloc",
    "out of memory",
    "Out of memory",
    "memory exhausted",
    os.strerror(errno.ENOMEM),
    "Killed signal terminated program",  # g++, of the compiler proper that the kernel has killed
)


@functools.cache
def most_memory() -> int:
    """Bytes that one child process may ask for: 80 % of the machine's memory, at least 2 GB."""
    import psutil

    return max(_LEAST_MEMORY, int(_SHARE * psutil.virtual_memory().total))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child process may use.

    Attributes:
        what: How messages name the process.
        seconds: Wall time; when it is over the process is killed, with all that it started.
        memory: Bytes of address space, of each process; None for `most_memory()`.
        file: Bytes of the largest file that may be written; None for any.
        cancelled: Once it is set the process is killed, and nobody waits for it.
        network: Whether the network stays within reach. Where the system doesn't let us close it
            (see `network_can_be_closed`), it stays.
    """

    what: str
    seconds: float
    memory: int | None = None
    file: int | None = None
    cancelled: threading.Event | None = None
    network: bool = False

    @property
    def bytes(self) -> int:
        """Bytes of address space."""
        return most_memory() if self.memory is None else self.memory

    def command(self, command: Sequence[str | Path]) -> list[str | Path]:
        """The command that runs `command` within these limits, but for the wall time.

        It ends with the thread that starts it, however that ends.
        """
        # If our own clock fails to end it: with all processors at work it would take this long.
        cpu = math.ceil(self.seconds) * (os.cpu_count() or 1) + 1
        limits = (os.getpid(), self.bytes, cpu, self.file or 0, int(self.network))
        # A bare interpreter starts in a few milliseconds. No `preexec_fn`: we have threads.
        return [sys.executable, "-I", "-S", launcher.__file__, *map(str, limits), *command]


@functools.cache
def network_can_be_closed() -> bool:
    """Whether this system lets us start a process that has no network, as the user that we are."""
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
    """A process that is waited for at the end of the block, and killed if the block fails.

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
        # In a group of its own, so that what it starts in turn is stopped with it.
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
    """Run a command to its end; whatever status it ends with is the caller's to judge.

    Args:
        command: program and arguments.
        input_text: written to its standard input.
        limits: what it may use; anything if None.
        options: as for `subprocess.Popen`; unless they say where output goes, it is captured.

    Raises:
        LimitError: if it needs more time than the limits say, or failed and said, in what was
            captured, that it got no memory.
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
    """What a process has put out when it ends within its limits."""
    if limits is None:
        return process.communicate(input_text)
    end = time.monotonic() + limits.seconds
    while True:
        left = max(0.0, end - time.monotonic())
        wait = left if limits.cancelled is None else min(left, _PERIOD)
        try:
            return process.communicate(input_text, wait)
        except subprocess.TimeoutExpired:
            input_text = None  # it was taken
            if limits.cancelled is not None and limits.cancelled.is_set():
                raise CancelledError(limits.what) from None
            if time.monotonic() >= end:
                raise TimeLimitError(
                    f"{limits.what}: ended after {limits.seconds:.3g} seconds, its limit of time"
                ) from None


def check_memory(limits: Limits, errors: str) -> None:
    """Tell from what a failed process said whether its limit of memory was the reason.

    Raises:
        LimitError: if it was.
    """
    if any(sign in errors for sign in _NO_MEMORY):
        raise LimitError(
            f"{limits.what}: it needed more memory than its limit, {limits.bytes / _GB:.3g} GB"
        )


def complaint(errors: str) -> str:
    """The line of what a tool wrote on standard error that says best why it failed.

    A full disk goes before the errors that follow from it, these before all else.
    """
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    for sign in (os.strerror(errno.ENOSPC), "error", ""):
        for line in lines:
            if sign in line:
                return line
    return "no message"


def stop() -> None:
    """End every running process, and start no more; a second call kills what is left."""
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

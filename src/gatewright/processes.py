"""Child processes that end when this one is interrupted."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Reentrant: a signal's handler runs on the main thread, which may hold it.
_lock = threading.RLock()
_running: set[subprocess.Popen[str]] = set()
_stopping = False


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
    command: Sequence[str | Path], *, input_text: str | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whatever status it ends with is the caller's to judge.

    Args:
        command: program and arguments.
        input_text: written to its standard input.
        options: as for `subprocess.Popen`; unless they say where output goes, it is captured.

    Raises:
        KeyboardInterrupt: if `stop` was called, before or meanwhile.
    """
    captured = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input_text is not None:
        captured["stdin"] = subprocess.PIPE
    with started(command, **captured | options) as process:
        output, errors = process.communicate(input_text)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def complaint(errors: str) -> str:
    """The line of what a tool wrote on standard error that says best why it failed.

    A full disk goes before the errors that follow from it, these before all else.
    """
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    for sign in (os.strerror(errno.ENOSPC), "error", ""):
        for line in lines:
            if sign in line:
                return line
    return "it says nothing"


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

"""Runs the steps of recipes in a child process."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Self

from gatewright.compress.code import WORKER
from gatewright.errors import InputError
from gatewright.system import processes

#: Called with a step's name, the number of epochs done, and the total number of epochs.
Progress = Callable[[str, int, int], None]

_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # The same arithmetic on every x86-64 machine, as far as TensorFlow allows.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
# After so many steps a new process is started, because TensorFlow frees little memory.
_MOST_STEPS = 60


class Worker:
    """Runs steps one after another in a child process, which starts with the first step.

    TensorFlow's settings are global, and importing it takes longer than many steps.

    Args:
        model: Name of the model, for messages.
        loads: Everything that the process loads once. A process runs steps for the same value only.
        progress: Called after each epoch.
    """

    def __init__(self, model: str, loads: Hashable, progress: Progress | None) -> None:
        self._model, self._loads, self._progress = model, loads, progress
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            _keep_or_close(self._process)

    def start(self) -> _Process:
        """Start the process if it isn't running, so that it loads in the background; return it."""
        if self._process is None:
            self._process = _take(self._loads) or _Process(self._loads)
        return self._process

    def do(self, request: dict[str, Any], folder: Path) -> dict[str, Any]:
        """Run a step.

        Args:
            request: The step's request.
            folder: Receives the step's files.

        Returns:
            What the step measured.

        Raises:
            InputError: if the request is refused, or the step fails.
        """
        what = f"{self._model}: step '{request['step']}'"
        process = self.start()
        end = process.ask(request | {"output_dir": str(folder)}, self._tell(request))
        if end is None:
            reason, log = process.last_words()
            failure = InputError(f"{what} failed: {reason} (in {request['model_file']})")
            failure.add_note(log)
            raise failure
        if "refused" in end:
            raise InputError(f"{what}: {end['refused']}")
        measured: dict[str, Any] = end["measured"]
        return measured

    def _tell(self, request: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
        def tell(message: dict[str, Any]) -> None:
            if "epoch" in message and self._progress is not None:
                epochs = request["training"]["epochs"]
                self._progress(request["step"], message["epoch"], epochs)

        return tell


def keep_processes() -> None:
    """From now on, keep one idle child process for the next recipe until this process ends.

    For processes that run many recipes. An idle process holds half a GiB of memory.
    """
    global _keeping
    if not _keeping:
        _keeping = True
        atexit.register(_close_spare)


class _Process:
    """A child process that runs steps."""

    def __init__(self, loads: Hashable) -> None:
        self.loads = loads
        self._requests = 0
        self._busy = False
        self._open = contextlib.ExitStack()
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed with the process
        self._open.enter_context(self._errors)
        self._process: subprocess.Popen[str] = self._open.enter_context(
            processes.started(
                [sys.executable, "-m", WORKER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=os.environ | _ENVIRONMENT,
            )
        )

    @property
    def ready(self) -> bool:
        """Whether it can run another step."""
        return not self._busy and self._requests < _MOST_STEPS and self._process.poll() is None

    def ask(
        self, request: dict[str, Any], tell: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any] | None:
        """Send a request and return the last message of its answer; None if the process ended.

        Args:
            request: The request.
            tell: Called with every other message.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._requests += 1
        self._busy = True
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            message: dict[str, Any] = json.loads(line) if line.startswith('{"') else {}
            if "refused" in message or "measured" in message:
                self._busy = False
                return message
            tell(message)
        return None

    def last_words(self) -> tuple[str, str]:
        """Why it ended, in one line, and everything that it wrote to standard error."""
        status = self._process.wait()
        self._errors.seek(0)
        log = self._errors.read()
        said = [line.strip() for line in log.splitlines() if line.strip()]
        return (said[-1] if said else f"its process ended with status {status}"), log

    def close(self) -> None:
        """End the process: at once if it is still busy, else by closing its input."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._busy:
            self._open.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        else:
            self._open.close()


_lock = threading.Lock()
_keeping = False
_spare: _Process | None = None


def _take(loads: Hashable) -> _Process | None:
    """Take the idle process if it loads the same; if it loads something else, end it."""
    global _spare
    with _lock:
        there, _spare = _spare, None
    if there is None or (there.loads == loads and there.ready):
        return there
    there.close()
    return None


def _keep_or_close(process: _Process) -> None:
    """Keep a process for the next recipe, or end it."""
    global _spare
    with _lock:
        unwanted: _Process | None = process
        if _keeping and process.ready:
            unwanted, _spare = _spare, process
    if unwanted is not None:
        unwanted.close()


def _close_spare() -> None:
    _take(object())

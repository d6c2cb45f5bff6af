"""The independent reference: hls4ml's C++, compiled and called without hls4ml.

This code was generated from a model, so it runs only in a process of its own, under limits, and
only if it was built by this user. A library from elsewhere is not used, but compiled again.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatewright.emulation import emulation_worker
from gatewright.emulation.build import LIBRARY, SECONDS, compile_emulation
from gatewright.emulation.description import EMULATION, Description, EmulatedTensor
from gatewright.errors import InputError, TimeLimitError
from gatewright.system import built, processes
from gatewright.wall.cpp import check_weights

__all__ = [
    "EMULATION",
    "LIBRARY",
    "SECONDS",
    "Description",
    "EmulatedTensor",
    "Emulation",
    "compile_emulation",
]

#: Time limit for one sample, in s; the largest networks need a few.
_SECONDS = 60
#: Largest size of messages, in bytes.
_MESSAGES = 1 << 20


class Emulation:
    """The C++ emulation of an HLS project, compiled at first use.

    Inputs and outputs are float64, which is exact for types of up to 53 bits; the C++ casts inputs
    to the input's type.

    Attributes:
        inputs: The inputs, in the order that `predict` takes them.
        outputs: The outputs, in the order that `predict` returns them.
        layers: The layers that `trace` returns, in the order of the network.
    """

    def __init__(self, directory: str | Path, cancelled: threading.Event | None = None) -> None:
        """Find the emulation of an HLS project directory that `write_hls` wrote.

        Args:
            directory: The HLS project.
            cancelled: When it is set, running processes are killed, and calls raise CancelledError.

        Raises:
            InputError: if there is none.
        """
        self._directory = Path(directory).resolve()
        self._library = self._directory / "firmware" / LIBRARY
        description = Description.read(self._directory)
        self.project = description.project
        self.inputs, self.outputs = description.inputs, description.outputs
        self.layers = description.layers
        self._cancelled = cancelled
        check_weights(self._directory, self.project)

    @property
    def is_compiled(self) -> bool:
        """Whether a library exists that was built by this user."""
        return built.is_ours(self._library)

    def compile(self, seconds: float = SECONDS) -> None:
        """Compile it, unless it is compiled.

        Args:
            seconds: Limit on the wall time of the compiler, in s.

        Raises:
            LimitError: if the compiler exceeds its limits on time or memory.
            InputError: as `compile_emulation`.
        """
        if not self.is_compiled:
            compile_emulation(self._directory, seconds=seconds, cancelled=self._cancelled)

    def predict(self, inputs: ArrayLike | Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
        """Run samples through the network.

        Args:
            inputs: One array of shape (samples, *shape) per input; or the array itself if there is
                one input.

        Returns:
            One float64 array of shape (samples, *shape) per output, in the order of `outputs`.

        Raises:
            InputError: if the number or shape of the arrays is wrong, or a value is not finite; or
                if the C++ can't be compiled, fails, or exceeds its limits on time and memory.
        """
        return self._run(self._check(inputs), ())

    def trace(
        self, inputs: ArrayLike | Sequence[ArrayLike]
    ) -> tuple[list[NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Run samples through the network, and return the outputs of all layers as well.

        Args:
            inputs: As for `predict`.

        Returns:
            The result of `predict`, and a float64 array of shape (samples, *shape) by layer.

        Raises:
            InputError: as for `predict`.
        """
        found = self._run(self._check(inputs), self.layers)
        number = len(self.outputs)
        names = [tensor.name for tensor in self.layers]
        return found[:number], dict(zip(names, found[number:], strict=True))

    def time(self, inputs: ArrayLike | Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Wall time of the C++ call for each sample.

        Args:
            inputs: As for `predict`.

        Returns:
            Times in s, float64 of shape (samples,).

        Raises:
            InputError: as for `predict`.
        """
        return self._run(self._check(inputs), (), timed=True)[-1]

    def _check(self, inputs: Any) -> list[NDArray[np.float64]]:
        single = len(self.inputs) == 1 and not (
            isinstance(inputs, list | tuple) and len(inputs) == 1 and np.ndim(inputs[0]) > 0
        )
        arrays = [inputs] if single else list(inputs)
        if len(arrays) != len(self.inputs):
            raise InputError(
                f"{len(arrays)} input arrays, but the model has {len(self.inputs)} inputs"
            )
        checked = []
        for array, tensor in zip(arrays, self.inputs, strict=True):
            values = np.ascontiguousarray(array, np.float64)
            if values.ndim == 0 or values.size != len(values) * tensor.size:
                raise InputError(
                    f"input '{tensor.name}': shape {values.shape}; wanted (samples, "
                    f"{', '.join(map(str, tensor.shape))})"
                )
            if not np.isfinite(values).all():
                raise InputError(f"input '{tensor.name}': a value is NaN or infinite")
            checked.append(values.reshape(len(values), tensor.size))
        if len({len(values) for values in checked}) > 1:
            raise InputError("the input arrays differ in their number of samples")
        return checked

    def _run(
        self,
        arrays: list[NDArray[np.float64]],
        layers: tuple[EmulatedTensor, ...],
        *,
        timed: bool = False,
    ) -> list[NDArray[np.float64]]:
        """Outputs, then results of `layers`, each of shape (samples, *shape), then any times."""
        samples = len(arrays[0])
        shapes = [tensor.shape for tensor in (*self.inputs, *self.outputs, *layers)]
        shapes += [()] if timed else []
        if samples == 0:
            return [np.zeros((0, *shape)) for shape in shapes[len(arrays) :]]
        self.compile()
        job = {
            "library": str(self._library),
            "top": f"{self.project}_double",
            "inputs": [tensor.size for tensor in self.inputs],
            "outputs": [tensor.size for tensor in self.outputs],
            "layers": [(tensor.name, tensor.size) for tensor in layers],
            "samples": samples,
            "seconds": _SECONDS,
            "timed": timed,
        }
        # The layout in the worker: the number of finished samples, then the arrays.
        size = 8 * (1 + samples * sum(map(math.prod, shapes)))
        descriptor = os.memfd_create("emulation")
        try:
            os.truncate(descriptor, size)
            memory = mmap.mmap(descriptor, size)
            every = []
            offset = 8
            for shape in shapes:
                flat = np.frombuffer(memory, np.float64, samples * math.prod(shape), offset)
                every.append(flat.reshape(samples, *shape))
                offset += flat.nbytes
            for target, values in zip(every, arrays, strict=False):
                target[...] = values.reshape(target.shape)
            self._work(job, descriptor, memory)
        except (MemoryError, OSError) as error:
            raise InputError(
                f"{self._directory}: the C++ emulation of {samples} samples needs "
                f"{size / 1e9:.3g} GB, which are not available ({error})"
            ) from None
        finally:
            os.close(descriptor)
        return every[len(arrays) :]

    def _work(self, job: dict[str, Any], descriptor: int, memory: mmap.mmap) -> None:
        """Run a job in a process, which writes its results into the memory."""
        what = f"{self._directory}: the C++ emulation"
        samples = job["samples"]
        limits = processes.Limits(
            what=what,
            seconds=_SECONDS * (samples + 1),
            file=_MESSAGES,
            cancelled=self._cancelled,
        )
        command = [sys.executable, "-I", "-S", emulation_worker.__file__, str(descriptor)]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as messages:
            done = processes.run(
                command,
                input_text=json.dumps(job),
                limits=limits,
                pass_fds=[descriptor],
                stdout=subprocess.DEVNULL,
                stderr=messages,
            )
            messages.seek(0)
            errors = messages.read()
        finished = int.from_bytes(memory[:8], sys.byteorder)
        if done.returncode == 0 and finished == samples:
            return
        if done.returncode == emulation_worker.CANNOT_LOAD:
            raise InputError(f"{what} can't be loaded; convert again ({errors.strip()})")
        processes.check_memory(limits, errors)
        where = f"at sample {finished} of {samples}"
        if done.returncode == -signal.SIGALRM:
            raise TimeLimitError(f"{what} was ended {where}, after {_SECONDS} seconds, its limit")
        if done.returncode < 0:
            name = signal.Signals(-done.returncode).name
            raise InputError(f"{what} crashed {where} ({name})")
        raise InputError(f"{what} ended itself {where}, with status {done.returncode}")

"""The independent reference: hls4ml's C++, compiled, called without hls4ml."""

from __future__ import annotations

import ctypes
import itertools
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gatewright.errors import InputError

EMULATION = "emulation.json"
LIBRARY = "emulation.so"

# hls4ml's unrolled layers keep every product on the stack.
_STACK_BYTES = 1 << 28
# The library keeps its tables, weights and traces in variables of its own; threads take turns.
_lock = threading.Lock()


@dataclass(frozen=True)
class EmulatedTensor:
    """A tensor of the emulation: its name, its shape without the batch, its fixed-point type."""

    name: str
    shape: tuple[int, ...]
    type: str

    @property
    def size(self) -> int:
        """Elements of one sample."""
        return int(np.prod(self.shape, dtype=np.int64))


_loads = itertools.count()


def _respelled(path: Path) -> str:
    """The path in a spelling of its own for each call.

    The loader takes a library for the one that it has already where the spelling is the same, even
    if the file was replaced meanwhile; where only the file is the same it shares it.
    """
    marks = "".join("./" if digit == "1" else "/" for digit in f"{next(_loads):b}")
    return f"{path.parent}/{marks}{path.name}"


class _TraceData(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_void_p))


class Emulation:
    """The compiled C++ emulation of an HLS project.

    Values go in and come out as float64, which holds every value of a type of up to 53 bits; the
    C++ casts inputs to the input's type.

    Attributes:
        inputs: The inputs, in the order that `predict` takes them.
        outputs: The outputs, in the order that `predict` returns them.
        layers: The layers that `trace` returns, in the order that the data flows.
    """

    def __init__(self, directory: str | Path) -> None:
        """Load the emulation of an HLS project directory that `write_hls` wrote.

        Raises:
            InputError: if there is none, or it can't be loaded.
        """
        directory = Path(directory).resolve()
        library = directory / "firmware" / LIBRARY
        try:
            description = json.loads((directory / EMULATION).read_text())
            self.project = str(description["project"])
            self.inputs, self.outputs, self.layers = (
                tuple(
                    EmulatedTensor(t["name"], tuple(t["shape"]), t["type"])
                    for t in description[key]
                )
                for key in ("inputs", "outputs", "layers")
            )
            # The library ends the process if its weights aren't there.
            source = (library.parent / f"{self.project}.cpp").read_text()
            for name in re.findall(r'load_\w+_from_txt<.*"(\w+\.txt)"', source):
                (library.parent / "weights" / name).stat()
            self._library = ctypes.CDLL(_respelled(library))
            self._top = self._library[f"{self.project}_double"]
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{directory}: no C++ emulation here; convert again ({error})"
            ) from None
        self._top.restype = None
        self._top.argtypes = [ctypes.c_void_p] * (len(self.inputs) + len(self.outputs))

    def predict(self, inputs: ArrayLike | Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
        """Run samples through the network.

        Args:
            inputs: One array of shape (samples, *shape) per input, or the array where there is one.

        Returns:
            One float64 array of shape (samples, *shape) per output, in the order of `outputs`.

        Raises:
            InputError: if number or shape of the arrays is wrong, or a value is not finite.
        """
        arrays = self._check(inputs)
        results = self._allocate(self.outputs, len(arrays[0]))
        self._run(lambda: self._loop(arrays, results))
        return results

    def trace(
        self, inputs: ArrayLike | Sequence[ArrayLike]
    ) -> tuple[list[NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
        """Run samples through the network and keep what every layer puts out.

        Args:
            inputs: As for `predict`.

        Returns:
            What `predict` returns, and by layer a float64 array of shape (samples, *shape).
        """
        arrays = self._check(inputs)
        samples = len(arrays[0])
        results = self._allocate(self.outputs, samples)
        flat = {tensor.name: np.zeros((samples, tensor.size)) for tensor in self.layers}

        def run() -> None:
            self._library.allocate_trace_storage(ctypes.c_size_t(8))
            try:
                found = (_TraceData * len(self.layers))()
                self._library.collect_trace_output(found)
                copies = []
                for item in found:
                    trace = flat[item.name.decode()]
                    pointer = ctypes.cast(item.data, ctypes.POINTER(ctypes.c_double))
                    copies.append((trace, np.ctypeslib.as_array(pointer, (trace.shape[1],))))

                def keep(sample: int) -> None:
                    for trace, current in copies:
                        trace[sample] = current

                self._loop(arrays, results, keep)
            finally:
                self._library.free_trace_storage()

        self._run(run)
        return results, {
            tensor.name: flat[tensor.name].reshape(samples, *tensor.shape) for tensor in self.layers
        }

    def _check(self, inputs: Any) -> list[NDArray[np.float64]]:
        single = len(self.inputs) == 1 and not (
            isinstance(inputs, list | tuple) and len(inputs) == 1 and np.ndim(inputs[0]) > 0
        )
        arrays = [inputs] if single else list(inputs)
        if len(arrays) != len(self.inputs):
            raise InputError(f"{len(arrays)} input arrays; the model has {len(self.inputs)} inputs")
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

    @staticmethod
    def _allocate(tensors: Sequence[EmulatedTensor], samples: int) -> list[NDArray[np.float64]]:
        return [np.zeros((samples, *tensor.shape)) for tensor in tensors]

    def _loop(
        self,
        arrays: list[NDArray[np.float64]],
        results: list[NDArray[np.float64]],
        after: Callable[[int], None] | None = None,
    ) -> None:
        """Call the C++ once a sample, with pointers into the arrays."""
        pointers = [
            [array.ctypes.data + sample * array.strides[0] for sample in range(len(array))]
            for array in (*arrays, *results)
        ]
        top = self._top
        for sample, addresses in enumerate(zip(*pointers, strict=True)):
            top(*addresses)
            if after is not None:
                after(sample)

    def _run(self, body: Callable[[], None]) -> None:
        """Run `body` on a thread with a stack that is large enough, one at a time."""
        failure: list[BaseException] = []

        def guarded() -> None:
            try:
                body()
            except BaseException as error:
                failure.append(error)

        with _lock:
            previous = threading.stack_size(_STACK_BYTES)
            try:
                thread = threading.Thread(target=guarded)
                thread.start()
            finally:
                threading.stack_size(previous)
            thread.join()
        if failure:
            raise failure[0]

"""Compares golden outputs with hls4ml's C++, which is compiled and run in parallel."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from gatewright.emulation import Emulation
from gatewright.errors import LimitError, TimeLimitError
from gatewright.fixed import to_float
from gatewright.flow.compare import (
    difference_of,
    differing_in_any,
    differing_vectors,
)
from gatewright.results.verification import Difference, LayerCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Tensor

    Values = NDArray[np.int64]
    Floats = NDArray[np.float64]

#: Number of vectors that are compared at every layer. Outputs are compared for all vectors.
TRACED: Final = 1000

_NAMES = ("C++ emulation", "NumPy golden")


@dataclass(frozen=True)
class Agreement:
    """The comparison of golden outputs with hls4ml's C++.

    Attributes:
        missing: Why there was no comparison; None if there was one.
        mismatches: The number of vectors whose outputs differ; None without a comparison.
        layers: For each traced layer the numbers of compared and of differing vectors.
        difference: The first difference in the order of the network; None if there is none.
    """

    missing: str | None = None
    mismatches: int | None = None
    layers: tuple[LayerCheck, ...] = ()
    difference: Difference | None = None


class Emulated:
    """Runs hls4ml's C++ on samples in a separate thread, which ends with this context.

    Args:
        hls: The HLS project.
        design: The design of the same network.
        words: Raw words for each input of the design, int64 (samples, *shape).
        seconds: Limit of time for the compiler.

    Raises:
        InputError: if there is no such project.
    """

    def __init__(self, hls: Path, design: Design, words: Sequence[Values], seconds: float) -> None:
        self._design, self._seconds = design, seconds
        self._cancelled = threading.Event()
        self._emulation = Emulation(hls, self._cancelled)
        self._inputs = [
            to_float(word, tensor.type.frac)
            for word, tensor in zip(words, design.inputs, strict=True)
        ]
        self._pool = ThreadPoolExecutor(1)
        self._outputs: list[Values] = []
        self._layers: dict[str, Values] = {}
        self._work: Future[str | None] = self._pool.submit(self._run)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cancelled.set()
        self._pool.shutdown()

    @property
    def done(self) -> bool:
        """Whether the C++ has finished, so that `against` doesn't wait."""
        return self._work.done()

    def check(self) -> None:
        """Raise the error of the C++ if it has failed already; as `against` would."""
        if self.done:
            self._work.result()

    def against(self, expected: Mapping[str, Values]) -> Agreement:
        """Wait for the C++, and compare.

        Args:
            expected: Golden values by tensor, int64 (samples, *shape).

        Raises:
            InputError: if the C++ can't be compiled or fails, unless it exceeds a limit.
        """
        missing = self._work.result()
        if missing is not None:
            return Agreement(missing)
        design, difference, layers = self._design, None, []
        for kernel in design.kernels:
            if kernel.layer not in self._layers:
                continue
            name, got = design.called(kernel.layer), expected[kernel.output.name][:TRACED]
            reference = self._layers[kernel.layer]
            wrong = len(differing_vectors(reference, got))
            layers.append(LayerCheck(name=name, vectors=len(got), mismatches=wrong))
            difference = difference or difference_of(name, kernel.output, reference, got, *_NAMES)
        outputs = [expected[tensor.name] for tensor in design.outputs]
        for tensor, reference, got in zip(design.outputs, self._outputs, outputs, strict=True):
            name = _producer(design, tensor)
            difference = difference or difference_of(name, tensor, reference, got, *_NAMES)
        mismatches = len(differing_in_any(self._outputs, outputs))
        return Agreement(None, mismatches, tuple(layers), difference)

    def _run(self) -> str | None:
        """Compile the C++ and run it. Returns the limit that was exceeded, in words, or None."""
        try:
            self._emulation.compile(self._seconds)
        except TimeLimitError as error:
            return f"{error}; --emulation-limit gives it more"
        except LimitError as error:
            return str(error)
        try:
            first, traced = self._emulation.trace([values[:TRACED] for values in self._inputs])
            rest = self._emulation.predict([values[TRACED:] for values in self._inputs])
        except LimitError as error:
            return str(error)
        kernels = {kernel.layer: kernel.output for kernel in self._design.kernels}
        self._layers = {
            layer: _words(values, kernels[layer])
            for layer, values in traced.items()
            if layer in kernels
        }
        self._outputs = [
            _words(np.concatenate(parts), tensor)
            for *parts, tensor in zip(first, rest, self._design.outputs, strict=True)
        ]
        return None


def _words(values: Floats, tensor: Tensor) -> Values:
    scaled = np.asarray(values, np.float64).reshape(-1, *tensor.shape) * 2.0**tensor.type.frac
    return np.rint(scaled).astype(np.int64)


def _producer(design: Design, tensor: Tensor) -> str:
    layers = (k.layer for k in design.kernels if k.output.name == tensor.name)
    return design.called(next(layers, tensor.name))

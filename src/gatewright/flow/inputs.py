"""The samples that a design is simulated with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import from_float
from gatewright.kernels import Embedding
from gatewright.parsing.samples import read_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Tensor

    Values = NDArray[np.int64]

_COPIES = 2  # of each value, one of them in another type
_EXACT = 2.0**53  # integers up to here are floats


def random_inputs(design: Design, samples: int, seed: int) -> list[Values]:
    """Random words of the inputs' types, (samples, *shape) each; the first three are extremes.

    Of the others every second vector takes the type's whole range. Sums of such words saturate
    what follows, which hides most errors; so the rest have a magnitude drawn per vector, and of
    them every second one is mostly zeros. What indexes a table stays within it.
    """
    _require_memory(design, samples)
    rng = np.random.default_rng(seed)
    result = []
    for tensor in design.inputs:
        low, high = tensor.type.lowest, _highest(design, tensor)
        words = rng.integers(low, high, (samples, *tensor.shape), np.int64, endpoint=True)
        small, sparse = words[1::2], words[3::4]
        each = (-1, *[1] * len(tensor.shape))
        small >>= rng.integers(0, tensor.type.width, len(small)).reshape(each)
        density = rng.random(len(sparse)).reshape(each) / 4
        sparse[rng.random(sparse.shape) > density] = 0
        for vector, value in enumerate((0, low, high)[:samples]):
            words[vector] = value
        result.append(words)
    return result


def _require_memory(design: Design, samples: int) -> None:
    """Check that the values of all tensors, which golden outputs are compared with, find room.

    Raises:
        InputError: if they don't.
    """
    elements = sum(tensor.size for tensor in (*design.inputs, *(k.output for k in design.kernels)))
    wanted = _COPIES * np.dtype(np.int64).itemsize * elements * samples
    free = psutil.virtual_memory().available
    if wanted > free:
        raise InputError(
            f"{samples:,} samples take about {_amount(wanted)} of memory, and {_amount(free)} are "
            "free; give fewer --samples, or a shorter file of --inputs"
        )


def _amount(size: int) -> str:
    return f"{size / (1 << 30):,.1f} GiB"


def _highest(design: Design, tensor: Tensor) -> int:
    """The greatest word that an input may be: the C++ reads tables beyond their end."""
    tables = [k.table for k in design.readers(tensor) if isinstance(k, Embedding)]
    return min([tensor.type.max, *(len(table) - 1 for table in tables)])


@dataclass(frozen=True)
class Given:
    """Samples of a file.

    Attributes:
        words: Raw words, (samples, *shape) per input.
        values: The numbers of the file that they were cast from, float64.
    """

    words: list[Values]
    values: list[NDArray[np.float64]]


def read_inputs(path: Path, design: Design) -> Given:
    """Samples from a `.npy` or `.npz` file.

    Raises:
        InputError: if the file can't be read or doesn't fit the model's inputs.
    """
    arrays = read_arrays(path, alone=design.inputs[0].name)
    for tensor in design.inputs:
        label = design.labels.get(tensor.name)
        if label in arrays:  # the model's own name of it
            arrays[tensor.name] = arrays.pop(label)
    missing = [tensor.name for tensor in design.inputs if tensor.name not in arrays]
    if missing:
        names = (design.labels.get(tensor.name, tensor.name) for tensor in design.inputs)
        raise InputError(
            f"{path}: no array for input '{design.labels.get(missing[0], missing[0])}'; the "
            f"model's inputs are {', '.join(names)}"
        )
    counts = [len(np.atleast_1d(arrays[tensor.name])) for tensor in design.inputs]
    _require_memory(design, max(counts))
    values = [_values(path, tensor, arrays[tensor.name]) for tensor in design.inputs]
    result = [_words(path, *each) for each in zip(design.inputs, values, strict=True)]
    for tensor, words in zip(design.inputs, result, strict=True):
        highest = _highest(design, tensor)
        if words.max() > highest:
            raise InputError(
                f"{path}: input '{tensor.name}' indexes a table of {highest + 1} entries, "
                f"but holds {words.max()}"
            )
    if len({len(words) for words in result}) != 1:
        raise InputError(f"{path}: the inputs have different numbers of samples")
    return Given(result, values)


def _values(path: Path, tensor: Tensor, array: NDArray[Any]) -> NDArray[np.float64]:
    if array.ndim == 0 or array[:1].size != tensor.size or len(array) == 0:
        raise InputError(
            f"{path}: input '{tensor.name}' has shape {array.shape}, "
            f"should be (samples, {', '.join(map(str, tensor.shape))})"
        )
    if array.dtype.kind == "b" or array.dtype.itemsize > 8:
        raise InputError(
            f"{path}: input '{tensor.name}' holds {array.dtype}; should be integers or floats of "
            "up to 64 bits"
        )
    values = array.astype(np.float64)
    if array.dtype.kind in "iu" and (np.abs(values) > _EXACT).any():
        raise InputError(f"{path}: input '{tensor.name}' holds integers beyond 2^53")
    return values.reshape(len(array), *tensor.shape)


def _words(path: Path, tensor: Tensor, values: NDArray[np.float64]) -> Values:
    try:
        return from_float(values, tensor.type)
    except UnsupportedError as error:
        raise UnsupportedError(f"{path}: input '{tensor.name}': {error}") from None

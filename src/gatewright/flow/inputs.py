"""Samples for simulating a design: random words, or from a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import from_float
from gatewright.kernels import Embedding, GarNet
from gatewright.parsing.samples import read_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Tensor

    Values = NDArray[np.int64]

_COPIES = 2  # of each value in memory, one of them in another type
_EXACT = 2.0**53  # floats hold all integers up to here


def random_inputs(design: Design, samples: int, seed: int) -> list[Values]:
    """Random words of the inputs' types, int64 (samples, *shape) for each input.

    The first three vectors are zeros, least and greatest words. Of the others, every second one
    uses the whole range of the type. Sums of such words saturate later layers, which hides most
    errors. So the rest have a random magnitude for each vector, and every second of these is mostly
    zeros. Words that index a table stay within it, and numbers that divide are not zero.

    Args:
        design: The design.
        samples: The number of vectors.
        seed: The seed of the random numbers.

    Raises:
        InputError: if there isn't enough memory.
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
        result.append(np.maximum(words, _lowest(design, tensor)))
    return result


def _require_memory(design: Design, samples: int) -> None:
    """Check that the values of all tensors fit into memory: golden outputs need them.

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
    """The greatest word of an input. It limits indices: the C++ would read beyond a table's end."""
    tables = [k.table for k in design.readers(tensor) if isinstance(k, Embedding)]
    return min([tensor.type.max, *(len(table) - 1 for table in tables)])


def _lowest(design: Design, tensor: Tensor) -> int:
    """The least word of an input. It limits numbers of vertices: a mean of none is not a number."""
    counts = [k.inputs[1] for k in design.readers(tensor) if isinstance(k, GarNet) and k.by_count]
    return 1 if tensor in counts else tensor.type.lowest


@dataclass(frozen=True)
class Given:
    """Samples of a file.

    Attributes:
        words: Raw words, int64 (samples, *shape) for each input.
        values: The values in the file, float64, of the same shapes.
    """

    words: list[Values]
    values: list[NDArray[np.float64]]


def read_inputs(path: Path, design: Design) -> Given:
    """Read samples from a `.npy` or `.npz` file.

    Raises:
        InputError: if the file can't be read, doesn't fit the model's inputs, or needs too much
            memory.
        UnsupportedError: if an input's type is too wide for a cast from floats.
    """
    arrays = read_arrays(path, alone=design.inputs[0].name)
    for tensor in design.inputs:
        label = design.labels.get(tensor.name)
        if label in arrays:  # the model's own name of the input
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

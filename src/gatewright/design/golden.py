"""The golden outputs in Python: exact integers, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design


def run(design: Design, inputs: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """Compute the values of all tensors of a design.

    Args:
        design: the model.
        inputs: per design input, raw values of shape (batch, *shape), int64.

    Returns:
        Raw values by tensor name, each of shape (batch, *shape), int64.

    Raises:
        InputError: if an input's shape is not the tensor's.
    """
    values: dict[str, NDArray[np.int64]] = {}
    for tensor, value in zip(design.inputs, inputs, strict=True):
        if value.shape[1:] != tensor.shape:
            raise InputError(
                f"input '{tensor.name}' has shape {value.shape[1:]} per sample, "
                f"the model takes {tensor.shape}"
            )
        values[tensor.name] = value
    for kernel in design.kernels:
        values[kernel.output.name] = kernel.golden(*(values[t.name] for t in kernel.inputs))
    return values

"""Ranges of a design's weights and activations, compared with their types."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np

from gatewright.fixed import FixedType
from gatewright.kernels.weighted import Weighted
from gatewright.results.ranges import TypeRange

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from gatewright.design.dataflow import Design
    from gatewright.kernels import Kernel

#: Samples whose accumulators are computed again for their ranges: golden outputs hold none.
ACCUMULATED: Final = 1000


def weight_ranges(design: Design) -> tuple[TypeRange, ...]:
    """The ranges of all arrays of a design that have a type, layer by layer."""
    return tuple(
        range_of(design.called(kernel.layer), role, kind, values)
        for kernel in design.kernels
        for role, kind, values in _stored(kernel)
        if values.size
    )


def activation_ranges(
    design: Design, values: Mapping[str, NDArray[np.int64]]
) -> tuple[TypeRange, ...]:
    """The ranges of a design's inputs, of its layers' accumulators and of their results.

    Accumulators are those of layers that sum products, over the first `ACCUMULATED` samples.

    Args:
        design: The design.
        values: Raw values by tensor's name, int64 (batch, *shape), as `golden.run` returns them.
    """
    held = [(tensor.name, "input", tensor.type, values[tensor.name]) for tensor in design.inputs]
    for kernel in design.kernels:
        name, output = design.called(kernel.layer), kernel.output
        if isinstance(kernel, Weighted):
            given = [values[tensor.name][:ACCUMULATED] for tensor in kernel.inputs]
            held.append((name, "accumulator", kernel.accum, kernel.accumulated(*given)))
        held.append((name, "result", output.type, values[output.name]))
    return tuple(range_of(*each) for each in held if each[-1].size)


def range_of(layer: str, role: str, kind: FixedType, raw: NDArray[np.int64]) -> TypeRange:
    """The range of values with a type.

    Args:
        layer: The layer that they belong to.
        role: What they are in that layer.
        kind: Their type.
        raw: The values in units of 2^-frac of the type, int64 of any shape, not empty.
    """
    least, greatest = int(raw.min()), int(raw.max())
    used = int(np.bitwise_or.reduce(raw, axis=None)) & ((1 << kind.width) - 1)
    low = kind.width if used == 0 else (used & -used).bit_length() - 1
    reach = max(max(0, greatest).bit_length(), max(0, -least - 1).bit_length())
    needed = reach + (1 if kind.signed else 0)
    return TypeRange(
        layer=layer,
        role=role,
        type=str(kind),
        values=raw.size,
        least=least * 2.0**-kind.frac,
        greatest=greatest * 2.0**-kind.frac,
        at_limits=int(np.count_nonzero((raw == kind.max) | (kind.signed & (raw == kind.lowest)))),
        unused_high=max(0, kind.width - needed),
        unused_low=low,
    )


def _stored(kernel: Kernel) -> Iterator[tuple[str, FixedType, NDArray[np.int64]]]:
    """The arrays of a kernel that have a type, as field `weights` has field `weight_type`."""
    held = {item.name: getattr(kernel, item.name) for item in fields(kernel)}
    for name, values in held.items():
        role = name if f"{name}_type" in held else name.removesuffix("s")
        kind = held.get(f"{role}_type")
        if isinstance(values, np.ndarray) and isinstance(kind, FixedType):
            yield role, kind, values

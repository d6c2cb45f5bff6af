"""Rewrites merges of more than two tensors, or of several shapes, as hls4ml lacks these."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Final

from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import Shape, shape_of

_ELEMENTWISE: Final = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")


def repeat_before_merging(network: Network, io: str) -> Network:
    """The network with tensors repeated before a merge in which Keras broadcasts them.

    hls4ml's C++ for io_parallel repeats a tensor as a whole. This is right if the axes of size 1
    come first. Its C++ for io_stream doesn't broadcast.
    """

    def rule(parts: Parts) -> None:
        target = shape_of(parts.layer, parts.given)
        inputs = []
        for name, shape in zip(parts.layer.inputs, parts.given, strict=True):
            full = (1,) * (len(target) - len(shape)) + shape
            if full == target or (io == "parallel" and _is_tail(full, target, parts.given)):
                inputs.append(name)
                continue
            inputs.append(_repeated(parts, name, full, target))
        if tuple(inputs) != parts.layer.inputs:
            parts.note("elements are repeated before the merge, where Keras broadcasts")
            parts.keep(*inputs)

    return rewritten(network, rule, _ELEMENTWISE, io)


def _is_tail(full: Shape, target: Shape, given: list[Shape]) -> bool:
    """Whether repeating a tensor as a whole is right, and another input has the result's shape."""
    used = itertools.dropwhile(lambda sizes: sizes[0] == 1, zip(full, target, strict=True))
    return target in given and all(size == wanted for size, wanted in used)


def _repeated(parts: Parts, name: str, shape: Shape, target: Shape) -> str:
    """Repeat a tensor along each axis of size 1, as up-sampling of a matrix's rows."""
    spread = [size != wanted for size, wanted in zip(shape, target, strict=True)]
    axis = len(shape)
    current = list(shape)
    while axis:
        axis -= 1
        if not spread[axis]:
            continue
        after = axis + 1
        while axis and spread[axis - 1]:
            axis -= 1
        times = math.prod(target[axis:after])
        rows = math.prod(current[:axis]), math.prod(current[after:])
        if parts.shape(name) != rows:
            name = parts.add("Reshape", "rows", name, target_shape=rows)
        name = parts.add("UpSampling1D", "repeated", name, size=times)
        current[axis:after] = target[axis:after]
    if parts.shape(name) != target:
        name = parts.add("Reshape", "whole", name, target_shape=target)
    return name


def merge_by_two(network: Network) -> Network:
    """The network with merges of more than two tensors split into merges of two."""

    def rule(parts: Parts) -> None:
        kind, count = parts.layer.kind, len(parts.layer.inputs)
        arguments: Mapping[str, Any] = parts.layer.arguments
        if count < 3:
            return
        step = "Add" if kind == "Average" else kind
        parts.note(f"{kind} of {count} tensors as {count - 1} of two")
        result, *rest = parts.layer.inputs
        for name in rest[:-1]:
            result = parts.add(step, "two", result, name, **arguments)
        if kind == "Average":
            total = parts.add(step, "sum", result, rest[-1])
            parts.affine("", total, 1 / count, 0)
        else:
            parts.keep(result, rest[-1])

    return rewritten(network, rule, (*_ELEMENTWISE, "Concatenate"))

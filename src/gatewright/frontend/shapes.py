"""Shapes of layers' results, computed from a network by Keras' rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewright.errors import InputError
from gatewright.frontend.network import Layer, Network

#: Sizes of a tensor, without the batch.
Shape = tuple[int, ...]
Arguments = Mapping[str, Any]

_CHANNELS_FIRST = "channels_first"


def shapes_of(network: Network) -> dict[str, Shape]:
    """The shape of every layer's result, by the layer's name, without the batch.

    Raises:
        InputError: if a layer can't read tensors of the shapes of its inputs.
    """
    shapes: dict[str, Shape] = {}
    for layer in network.layers:
        given = [shapes[name] for name in layer.inputs]
        try:
            shapes[layer.name] = shape_of(layer, given)
        except (ValueError, IndexError):
            sizes = " and ".join(" x ".join(map(str, shape)) for shape in given)
            raise InputError(
                f"{network.origin}: layer '{layer.name}': a {layer.kind} can't read a tensor of "
                f"{sizes}"
            ) from None
    return shapes


def shape_of(layer: Layer, given: Sequence[Shape]) -> Shape:
    """The shape of a layer's result, without the batch.

    Args:
        layer: The layer.
        given: The shapes of its inputs, without the batch.

    Raises:
        ValueError, IndexError: if the layer can't read tensors of these shapes.
    """
    rule = _RULES.get(layer.kind.removeprefix("Q"), _RULES.get(layer.kind))
    steps = {shape[: layer.over] for shape in given} or {()}
    if len(steps) > 1 or any(len(shape) <= layer.over for shape in given):
        raise ValueError(f"{given} for a layer on each step")
    own = [shape[layer.over :] for shape in given]
    return (*steps.pop(), *(own[0] if rule is None else rule(layer.arguments, own)))


@dataclass(frozen=True)
class Einsum:
    """The axes of an equation, each with a name; the first of the input is the batch's.

    Attributes:
        reads: Of the input.
        weights: Of the weights.
        gives: Of the result.
        dots: Those that an ellipsis stands for.
    """

    reads: tuple[str, ...]
    weights: tuple[str, ...]
    gives: tuple[str, ...]
    dots: tuple[str, ...]


def einsum_of(equation: str, rank: int) -> Einsum:
    """The axes of the equation of an EinsumDense, such as "abc,cd->abd" or "...x,xy->...y".

    Args:
        equation: As Keras takes it.
        rank: Axes of the input, without the batch's.

    Raises:
        ValueError: if the input has another number of axes.
    """
    operands, _, result = equation.partition("->")
    first, _, second = operands.partition(",")
    more = rank + 1 - len(first.replace("...", ""))
    if more < 0 or ("..." not in first and more):
        raise ValueError(f"{rank + 1} axes for '{first}'")
    dots = tuple(f"axis {number}" for number in range(more))

    def axes(text: str) -> tuple[str, ...]:
        before, ellipsis, after = text.partition("...")
        return (*before, *(dots if ellipsis else ()), *after)

    return Einsum(axes(first), tuple(second), axes(result), dots)


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """The number of zeros that Keras adds before and after an axis for `padding="same"`.

    Source: the rule of TensorFlow, tf.nn, "Notes on padding".
    """
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def window_count(size: int, window: int, stride: int, padding: str) -> int:
    """The number of windows along an axis, which is the size of the result.

    Any padding but "valid" counts as "same". Source as for `same_padding`.
    """
    return -(-size // stride) if padding != "valid" else (size - window) // stride + 1


def _split(a: Arguments, shape: Shape, axes: int) -> tuple[Shape, int]:
    """The sizes of the axes over which a window moves, and the number of channels."""
    if len(shape) != axes + 1:
        raise ValueError
    first = a.get("data_format") == _CHANNELS_FIRST
    return (shape[1:], shape[0]) if first else (shape[:-1], shape[-1])


def _joined(a: Arguments, sizes: Sequence[int], channels: int) -> Shape:
    first = a.get("data_format") == _CHANNELS_FIRST
    return (channels, *sizes) if first else (*sizes, channels)


def _moved(a: Arguments, sizes: Shape, windows: Sequence[int], strides: Sequence[int]) -> Shape:
    dilation = a.get("dilation_rate", (1,) * len(sizes))
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, windows, strict=True)]
    counts = [
        window_count(n, k, s, a["padding"]) for n, k, s in zip(sizes, reach, strides, strict=True)
    ]
    return tuple(counts)


def _conv(a: Arguments, given: Sequence[Shape]) -> Shape:
    sizes, _ = _split(a, given[0], len(a["kernel_size"]))
    return _joined(a, _moved(a, sizes, a["kernel_size"], a["strides"]), a["filters"])


def transposed_size(
    size: int, window: int, stride: int, dilation: int, padding: str, more: int | None
) -> int:
    """The size of an axis of a transposed convolution's result.

    Args:
        size: Of the input.
        window: Of the kernel.
        stride: Of the result.
        dilation: Of the kernel.
        padding: "valid" or "same".
        more: Keras' `output_padding`; None if it isn't given.

    Source: Keras, `deconv_output_length`.
    """
    reach = dilation * (window - 1) + 1
    if more is not None:
        return (size - 1) * stride + reach - (2 * (reach // 2) if padding == "same" else 0) + more
    return size * stride + (max(reach - stride, 0) if padding == "valid" else 0)


def _transposed(a: Arguments, given: Sequence[Shape]) -> Shape:
    sizes, _ = _split(a, given[0], len(a["kernel_size"]))
    more = a["output_padding"] or (None,) * len(sizes)
    moved = [
        transposed_size(n, k, s, d, a["padding"], m)
        for n, k, s, d, m in zip(
            sizes, a["kernel_size"], a["strides"], a["dilation_rate"], more, strict=True
        )
    ]
    return _joined(a, moved, a["filters"])


def _depthwise(a: Arguments, given: Sequence[Shape]) -> Shape:
    sizes, channels = _split(a, given[0], len(a["kernel_size"]))
    moved = _moved(a, sizes, a["kernel_size"], a["strides"])
    return _joined(a, moved, channels * a["depth_multiplier"])


def _pooling(a: Arguments, given: Sequence[Shape]) -> Shape:
    sizes, channels = _split(a, given[0], len(a["pool_size"]))
    return _joined(a, _moved(a, sizes, a["pool_size"], a["strides"] or a["pool_size"]), channels)


def _global_pooling(axes: int) -> Callable[[Arguments, Sequence[Shape]], Shape]:
    def rule(a: Arguments, given: Sequence[Shape]) -> Shape:
        _, channels = _split(a, given[0], axes)
        return _joined(a, (1,) * axes, channels) if a["keepdims"] else (channels,)

    return rule


def _around(key: str, axes: int, sign: int) -> Callable[[Arguments, Sequence[Shape]], Shape]:
    def rule(a: Arguments, given: Sequence[Shape]) -> Shape:
        sizes, channels = _split(a, given[0], axes)
        sides = [sum(a[key][2 * axis : 2 * axis + 2]) for axis in range(axes)]
        moved = [n + sign * side for n, side in zip(sizes, sides, strict=True)]
        return _joined(a, moved, channels)

    return rule


def _upsampling(axes: int) -> Callable[[Arguments, Sequence[Shape]], Shape]:
    def rule(a: Arguments, given: Sequence[Shape]) -> Shape:
        sizes, channels = _split(a, given[0], axes)
        factors = a["size"] if isinstance(a["size"], tuple) else (a["size"],) * axes
        return _joined(a, [n * f for n, f in zip(sizes, factors, strict=True)], channels)

    return rule


def _reshape(a: Arguments, given: Sequence[Shape]) -> Shape:
    target: Shape = a["target_shape"]
    if -1 not in target:
        return target
    rest = math.prod(size for size in target if size != -1)
    if target.count(-1) > 1 or not rest or math.prod(given[0]) % rest:
        raise ValueError
    return tuple(math.prod(given[0]) // rest if size == -1 else size for size in target)


def _concatenate(a: Arguments, given: Sequence[Shape]) -> Shape:
    rank = len(given[0])
    axis = (a["axis"] if a["axis"] < 0 else a["axis"] - 1) % rank
    if any(len(shape) != rank for shape in given):
        raise ValueError
    shape = list(given[0])
    shape[axis] = sum(each[axis] for each in given)
    return tuple(shape)


def _broadcast(a: Arguments, given: Sequence[Shape]) -> Shape:
    rank = max(len(shape) for shape in given)
    padded = [(1,) * (rank - len(shape)) + shape for shape in given]
    return tuple(max(sizes) for sizes in zip(*padded, strict=True))


def _dot(a: Arguments, given: Sequence[Shape]) -> Shape:
    axes = a["axes"] if len(a["axes"]) == 2 else a["axes"] * 2
    first, second = (
        [n for i, n in enumerate(shape) if i != (axis - 1 if axis > 0 else len(shape) + axis)]
        for shape, axis in zip(given, axes, strict=True)
    )
    return (*first, *second) or (1,)


def _products(a: Arguments, given: Sequence[Shape]) -> Shape:
    operands, _, result = a["equation"].partition("->")
    sizes: dict[str, int] = {}
    for axes, shape in zip(operands.split(","), given, strict=True):
        for axis, size in zip(axes, shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise ValueError(f"{size} for axis '{axis}'")
    return tuple(sizes[axis] for axis in result)


def _einsum(a: Arguments, given: Sequence[Shape]) -> Shape:
    einsum = einsum_of(a["equation"], len(given[0]))
    sizes = dict(zip(einsum.reads[1:], given[0], strict=True))
    # The shape that is asked for leaves out the batch, and what an ellipsis stands for.
    named = [axis for axis in einsum.gives[1:] if axis not in einsum.dots]
    asked = dict(zip(named, a["output_shape"], strict=True))
    found = []
    for axis in einsum.gives[1:]:
        size = asked.get(axis)
        extent = sizes.get(axis, size)
        if extent is None or (size is not None and size != extent):
            raise ValueError(f"{extent} for axis '{axis}'")
        found.append(extent)
    return tuple(found)


def _garnet(a: Arguments, given: Sequence[Shape]) -> Shape:
    vertices, _ = given[0]
    # A second input is the number of vertices; layers with other inputs are refused by name.
    if a["input_format"] == "xn" and [math.prod(each) for each in given[1:]] != [1]:
        raise ValueError
    sizes = [a[f"n_{what}"] for what in ("filters", "aggregators", "propagate")]
    if isinstance(sizes[0], tuple):  # of a stack
        sizes = [each[-1] for each in zip(*sizes, strict=True)]
    return (sizes[0],) if a["collapse"] else (vertices, sizes[0])


def _recurrent(a: Arguments, given: Sequence[Shape]) -> Shape:
    return (given[0][0], a["units"]) if a["return_sequences"] else (a["units"],)


_RULES: Mapping[str, Callable[[Arguments, Sequence[Shape]], Shape]] = {
    "InputLayer": lambda a, given: a["shape"],
    **{
        kind: lambda a, given: (*given[0][:-1], a["units"])
        for kind in ("Dense", "BinaryDense", "TernaryDense")
    },
    "EinsumDense": _einsum,
    "Einsum": _products,
    **dict.fromkeys(
        ("Conv1D", "Conv2D", "Conv2DBatchnorm", "SeparableConv1D", "SeparableConv2D"), _conv
    ),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **{f"{which}Pooling{n}D": _pooling for which in ("Average", "Max") for n in (1, 2)},
    **{
        f"Global{which}Pooling{n}D": _global_pooling(n)
        for which in ("Average", "Max")
        for n in (1, 2)
    },
    **{f"ZeroPadding{n}D": _around("padding", n, 1) for n in (1, 2)},
    **{f"Cropping{n}D": _around("cropping", n, -1) for n in (1, 2)},
    **{f"UpSampling{n}D": _upsampling(n) for n in (1, 2)},
    "Flatten": lambda a, given: (math.prod(given[0]),),
    "Reshape": _reshape,
    "Permute": lambda a, given: tuple(given[0][axis - 1] for axis in a["dims"]),
    "RepeatVector": lambda a, given: (a["n"], *given[0]),
    "Embedding": lambda a, given: (*given[0], a["output_dim"]),
    "Concatenate": _concatenate,
    "Dot": _dot,
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"), _broadcast),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU"), _recurrent),
    **dict.fromkeys(("GarNet", "GarNetStack"), _garnet),
}

"""Transposed convolutions as convolutions whose channels become pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.fixed import FixedType
from gatewright.frontend.network import Network, Object
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.passes.weight_quantizers import quantized
from gatewright.frontend.precision import exact_type
from gatewright.frontend.shapes import shape_of

#: Most pixels along an axis that a kernel, dilated, reaches over.
MOST_REACH: Final = 1024
_KINDS: Final = ("Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose")
#: The function of slices along the last axis, which comes when pixels are where they belong.
_OF_SLICES: Final = "softmax"


def reword(network: Network) -> Network:
    """The network without transposed convolutions, which hls4ml lacks.

    With strides s, element s m + p of the result is a sum over neighbours of input element m, with
    weights that depend on p alone. So a convolution with s times the filters computes it, and its
    channels are then written as pixels (the sub-pixel convolution of Shi et al., arXiv:1609.07009).

    Raises:
        UnsupportedError: if a quantizer gives weights that no fixed-point type holds, channels are
            in groups, or a kernel is too large.
    """

    def rule(parts: Parts) -> None:
        arguments: Any = parts.layer.arguments
        if arguments["groups"] != 1:
            raise UnsupportedError(
                f"{network.origin}: layer '{parts.layer.name}': groups={arguments['groups']} is "
                f"not supported in a {parts.layer.kind}; use groups=1"
            )
        reach = [
            rate * (size - 1) + 1
            for rate, size in zip(arguments["dilation_rate"], arguments["kernel_size"], strict=True)
        ]
        if max(reach) > MOST_REACH:
            raise UnsupportedError(
                f"{network.origin}: layer '{parts.layer.name}': its kernel reaches over "
                f"{max(reach)} pixels; at most {MOST_REACH} are supported"
            )
        *sizes, _ = parts.given[0]
        *results, filters = shape_of(parts.layer, parts.given)
        axes = [
            _Axis.of(*each, same=arguments["padding"] == "same")
            for each in zip(
                sizes,
                results,
                arguments["kernel_size"],
                arguments["strides"],
                arguments["dilation_rate"],
                strict=True,
            )
        ]
        strides = [axis.stride for axis in axes]
        parts.note(
            f"transposed convolution as a convolution with {math.prod(strides)} times the filters, "
            "whose channels become pixels"
        )
        weights, types = _weights(network, parts)
        weights["kernel"] = _phases(weights["kernel"], axes)
        if "bias" in weights:
            weights["bias"] = np.tile(weights["bias"], math.prod(strides))
        source = parts.source
        sides = [side for axis in axes for side in axis.zeros]
        if any(sides):
            source = parts.add(f"ZeroPadding{len(axes)}D", "pad", source, padding=tuple(sides))
        activation = arguments["activation"]
        result = parts.add(
            f"Conv{len(axes)}D",
            "",
            source,
            weights=weights,
            filters=math.prod(strides) * filters,
            kernel_size=tuple(axis.taps for axis in axes),
            use_bias=arguments["use_bias"],
            activation="linear" if activation == _OF_SLICES else activation,
        )
        parts.made[-1] = replace(parts.made[-1], types=MappingProxyType(types))
        result = _as_pixels(parts, result, strides, filters)
        ends = [
            end
            for axis, size in zip(axes, parts.shape(result)[:-1], strict=True)
            for end in (0, size - axis.result)
        ]
        if any(ends):
            result = parts.add(f"Cropping{len(axes)}D", "end", result, cropping=tuple(ends))
        if activation == _OF_SLICES:
            parts.add("Activation", "function", result, activation=activation)

    return rewritten(network, rule, _KINDS)


@dataclass(frozen=True)
class _Axis:
    """An axis of a transposed convolution, as that of a convolution.

    Attributes:
        stride: Elements of the result for each window.
        result: Elements of the result.
        zeros: Zeros before the input, and behind it.
        taps: Size of the window.
        factors: By phase, then by place in the window, the place in the given kernel; None where
            it has none.
    """

    stride: int
    result: int
    zeros: tuple[int, int]
    taps: int
    factors: tuple[tuple[int | None, ...], ...]

    @classmethod
    def of(
        cls, size: int, result: int, window: int, stride: int, dilation: int, *, same: bool
    ) -> _Axis:
        """An axis with the arguments of Keras' layer, and the sizes of its input and result.

        Element t of the result, counted from the first that any input reaches, is the sum of
        x[i] K[j] over t = stride i + dilation j. Keras' result begins at t = `cut`: TensorFlow's
        rule for `padding="same"`, tf.nn, "Notes on padding", applied from the result to the input.
        """
        reach = dilation * (window - 1) + 1
        cut = max((size - 1) * stride + reach - result, 0) // 2 if same else 0
        # Element stride m + p of the result reads x[m - q], for q from `first` to `last`.
        first = -((stride - 1 + cut) // stride)
        last = (reach - 1 - cut) // stride

        def place(phase: int, tap: int) -> int | None:
            steps, rest = divmod(phase + cut + stride * (last - tap), dilation)
            return steps if not rest and 0 <= steps < window else None

        taps = last - first + 1
        factors = tuple(tuple(place(phase, tap) for tap in range(taps)) for phase in range(stride))
        windows = -(-result // stride)
        behind = max(windows - 1 - first - (size - 1), 0)
        return cls(stride, result, (last, behind), taps, factors)


def _phases(kernel: NDArray[Any], axes: Sequence[_Axis]) -> NDArray[Any]:
    """The kernel of the convolution: [*taps, channels, *phases x filters].

    Args:
        kernel: The given one, [*window, filters, channels].
        axes: For each axis of the window.
    """
    for number, axis in enumerate(axes):
        moved = np.moveaxis(kernel, number, 0)
        zero = np.zeros_like(moved[0])
        made = np.array(
            [[zero if at is None else moved[at] for at in places] for places in axis.factors]
        )  # [phases, taps, ...]
        kernel = np.moveaxis(np.moveaxis(made, 1, 1 + number), 0, len(axes) + number)
        # Phases stand behind the window, before filters and channels.
    *_, filters, channels = kernel.shape
    window = kernel.shape[: len(axes)]
    phases = math.prod(axis.stride for axis in axes)
    flat = kernel.reshape(*window, phases * filters, channels)
    return np.ascontiguousarray(np.swapaxes(flat, -1, -2))


def _as_pixels(parts: Parts, source: str, strides: list[int], filters: int) -> str:
    """Write the channels of each pixel, [*strides, filters], as pixels."""
    *sizes, _ = parts.shape(source)
    target = tuple(size * stride for size, stride in zip(sizes, strides, strict=True))
    if len(strides) == 2 and strides[0] > 1 and sizes[1] > 1:
        height, width = sizes
        row = strides[1] * filters
        apart = (height, width, strides[0], row)
        source = parts.add("Reshape", "apart", source, target_shape=apart)
        source = parts.add("Permute", "rows", source, dims=(1, 3, 2, 4))
    if math.prod(strides) == 1:
        return source
    return parts.add("Reshape", "pixels", source, target_shape=(*target, filters))


def _weights(
    network: Network, parts: Parts
) -> tuple[dict[str, NDArray[Any]], dict[str, FixedType]]:
    """The arrays of a layer, quantized, and the types of those that are."""
    arrays = dict(parts.layer.weights)
    types: dict[str, FixedType] = {}
    for name, what in (("kernel", "weight"), ("bias", "bias")):
        quantizer = parts.layer.arguments.get(f"{name}_quantizer")
        if name not in arrays or not isinstance(quantizer, Object):
            continue
        key = f"{name}_quantizer"
        arrays[name] = quantized(network, parts.layer, key, quantizer, arrays[name])
        to = exact_type(arrays[name])
        if to is None:
            raise UnsupportedError(
                f"{network.origin}: layer '{parts.layer.name}': its {key} gives values that need "
                " more than 32 fractional bits; use alpha=1"
            )
        types[what] = to
    return arrays, types

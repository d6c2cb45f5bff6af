"""Layers that are applied to each step of a sequence alike, as layers of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.frontend.kinds import IDENTITY, KINDS
from gatewright.frontend.network import Network
from gatewright.frontend.passes.parts import Parts, rewritten
from gatewright.frontend.shapes import Shape, same_padding, shape_of

#: Layers that treat each element, or each vector along the last axis, alike.
_EACH_ELEMENT: Final = (
    *IDENTITY,
    *("Dense", "QDense", "Activation", "QActivation", "ReLU", "LeakyReLU", "ELU"),
    *("ThresholdedReLU", "Rescaling", "Embedding", "FixedPointQuantizer", "UnaryLUT"),
    *("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"),
)
#: Layers with an argument `axis`, which names axes of their input.
_ALONG_AXES: Final = (
    *("BatchNormalization", "QBatchNormalization", "LayerNormalization", "Softmax", "Concatenate"),
)
#: Arguments with a number for each axis along which a window moves, and those of one row.
_OF_ONE_ROW: Final = {
    **dict.fromkeys(("kernel_size", "strides", "dilation_rate", "pool_size", "size"), (1,)),
    **dict.fromkeys(("padding", "cropping"), (0, 0)),
    "output_padding": (0,),
}
_KERNELS: Final = ("kernel", "depthwise_kernel", "pointwise_kernel")


def reword(network: Network) -> Network:
    """The network without TimeDistributed: steps become the rows of an image, or parts of them.

    Windows of one row slide along each step alike. Windows of images slide over the images of all
    steps on top of each other, and the rows in which they reach into the next image are cropped.

    Raises:
        UnsupportedError: if a layer has no such form.
    """
    if not any(layer.over for layer in network.layers):
        return network

    def rule(parts: Parts) -> None:
        layer = parts.layer
        if not layer.over:
            return
        where = f"{network.origin}: layer '{layer.label or layer.name}'"
        if layer.kind in _EACH_ELEMENT:
            parts.keep(over=0)
            return
        if layer.arguments.get("data_format") == "channels_first":
            raise UnsupportedError(
                f"{where} is a TimeDistributed {layer.kind} with channels_first; use channels_last"
            )
        form = _FORMS.get(layer.kind)
        if form is None:
            raise UnsupportedError(
                f"{where} is a TimeDistributed {layer.kind}, which is not supported; apply it to "
                "each step by a layer of its own"
            )
        form(parts, where)

    return rewritten(network, rule, tuple(KINDS))


def _steps(parts: Parts) -> int:
    """Steps of all axes that the layer is distributed over."""
    return math.prod(parts.given[0][: parts.layer.over])


def _result(parts: Parts) -> Shape:
    """The shape of the layer's result."""
    return shape_of(parts.layer, parts.given)


def _own(parts: Parts) -> Shape:
    """The shape that the layer reads of each step."""
    return parts.given[0][parts.layer.over :]


def _reshaped(parts: Parts, what: str, source: str, shape: Shape) -> str:
    """A tensor in another shape; itself if it has that."""
    if parts.shape(source) == shape:
        return source
    return parts.add("Reshape", what, source, target_shape=shape)


def _finish(parts: Parts, source: str) -> None:
    """Give the result its shape."""
    _reshaped(parts, "steps", source, _result(parts))


# Layers that move elements


def _reshape(parts: Parts, where: str) -> None:
    parts.add("Reshape", "", parts.source, target_shape=_result(parts))


def _permute(parts: Parts, where: str) -> None:
    over = parts.layer.over
    dims: Any = parts.layer.arguments["dims"]
    parts.keep(over=0, dims=(*range(1, over + 1), *(over + axis for axis in dims)))


def _repeat(parts: Parts, where: str) -> None:
    times, row = parts.layer.arguments["n"], _own(parts)
    source = _reshaped(parts, "row", parts.source, (_steps(parts), 1, *row))
    _finish(parts, parts.add("UpSampling2D", "", source, size=(1, times)))


def _along_axes(parts: Parts, where: str) -> None:
    """Axes that are counted from the first come after those of the steps."""
    over = parts.layer.over
    given: Any = parts.layer.arguments["axis"]
    if isinstance(given, tuple):
        axis: Any = tuple(each if each < 0 else each + over for each in given)
    else:
        axis = given if given < 0 else given + over
    parts.keep(over=0, axis=axis)


def _slopes(parts: Parts, where: str) -> None:
    """A slope for each element of a step is shared by the steps."""
    over = parts.layer.over
    shared: Any = parts.layer.arguments["shared_axes"] or ()
    alpha = parts.layer.weights["alpha"]
    parts.keep(
        over=0,
        shared_axes=(*range(1, over + 1), *(axis + over for axis in shared)),
        weights={"alpha": alpha.reshape((1,) * over + alpha.shape)},
    )


# Windows along a sequence


def _of_one_row(kind: str) -> Callable[[Parts, str], None]:
    """Windows along a sequence as windows of one row, each step being a row."""

    def form(parts: Parts, where: str) -> None:
        layer = parts.layer
        source = _reshaped(parts, "rows", parts.source, (_steps(parts), *_own(parts)))
        arguments: dict[str, Any] = dict(layer.arguments)
        if arguments.get("padding") == "causal":
            before = arguments["dilation_rate"][0] * (arguments["kernel_size"][0] - 1)
            source = parts.add("ZeroPadding2D", "pad", source, padding=(0, 0, before, 0))
            arguments["padding"] = "valid"
        for key, row in _OF_ONE_ROW.items():
            value = arguments.get(key)
            if value is not None and not isinstance(value, str):
                arguments[key] = (*row, *(value if isinstance(value, tuple) else (value,)))
        arrays = {
            name: array[np.newaxis] if name in _KERNELS else array
            for name, array in layer.weights.items()
        }
        known = KINDS[kind].arguments
        parts.note(f"a TimeDistributed {layer.kind} as a {kind} of one row")
        arguments = {key: value for key, value in arguments.items() if key in known}
        _finish(parts, parts.add(kind, "", source, weights=arrays, **arguments))

    return form


def _global(which: str) -> Callable[[Parts, str], None]:
    """A pooling of all pixels of a step."""

    def form(parts: Parts, where: str) -> None:
        *pixels, channels = _own(parts)
        size = math.prod(pixels)
        source = _reshaped(parts, "rows", parts.source, (_steps(parts), size, channels))
        parts.note(f"a TimeDistributed {parts.layer.kind} as a {which}Pooling2D of one row")
        _finish(parts, parts.add(f"{which}Pooling2D", "", source, pool_size=(1, size)))

    return form


# Windows of images


def _padded_images(
    parts: Parts, source: str, sides: tuple[int, int, int, int], shape: Shape
) -> tuple[str, Shape]:
    """Images of all steps with zeros around each, or cropped at sides that are negative.

    Args:
        parts: The layer.
        source: The images, in any shape.
        sides: Rows above and below, columns left and right.
        shape: Steps, and the height, the width and the channels of each image.

    Returns:
        The images of all steps on top of each other, and the shape of each with the steps.
    """
    steps, height, width, channels = shape
    top, bottom, left, right = sides
    if top or bottom:
        # Each image is a row here, and its rows are columns.
        source = _reshaped(parts, "images", source, (steps, height, width * channels))
        source = _widened(parts, "rows", source, top, bottom)
        height += top + bottom
    source = _reshaped(parts, "stacked", source, (steps * height, width, channels))
    source = _widened(parts, "columns", source, left, right)
    return source, (steps, height, width + left + right, channels)


def _widened(parts: Parts, what: str, source: str, left: int, right: int) -> str:
    """An image with columns of zeros at its sides, or without those that are counted negative."""
    if left > 0 or right > 0:
        sides = (0, 0, max(left, 0), max(right, 0))
        source = parts.add("ZeroPadding2D", f"more_{what}", source, padding=sides)
    if left < 0 or right < 0:
        sides = (0, 0, max(-left, 0), max(-right, 0))
        source = parts.add("Cropping2D", f"fewer_{what}", source, cropping=sides)
    return source


def _images(parts: Parts) -> Shape:
    return (_steps(parts), *_own(parts))


def _around(sign: int, key: str) -> Callable[[Parts, str], None]:
    def form(parts: Parts, where: str) -> None:
        sides: Any = parts.layer.arguments[key]
        top, bottom, left, right = (sign * side for side in sides)
        moved = (top, bottom, left, right)
        source, _ = _padded_images(parts, parts.source, moved, _images(parts))
        parts.note(f"a TimeDistributed {parts.layer.kind} on images on top of each other")
        parts.add("Reshape", "", source, target_shape=_result(parts))

    return form


def _enlarged(parts: Parts, where: str) -> None:
    if parts.layer.arguments["interpolation"] != "nearest":
        raise UnsupportedError(
            f"{where} is a TimeDistributed UpSampling2D that interpolates; use nearest"
        )
    steps, height, width, channels = _images(parts)
    source = _reshaped(parts, "stacked", parts.source, (steps * height, width, channels))
    _finish(parts, parts.keep(source, over=0))


def _windows(key: str) -> Callable[[Parts, str], None]:
    """Windows that slide over images."""

    def form(parts: Parts, where: str) -> None:
        layer, images = parts.layer, _images(parts)
        arguments: Any = layer.arguments
        windows, strides = arguments[key], arguments["strides"] or arguments[key]
        dilation = arguments.get("dilation_rate", (1, 1))
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, windows, strict=True)]
        sizes = zip(images[1:3], reach, strides, strict=True)
        rows, columns = (
            same_padding(*each) if arguments["padding"] == "same" else (0, 0) for each in sizes
        )
        if key == "pool_size" and any((*rows, *columns)):
            raise UnsupportedError(
                f"{where} is a TimeDistributed {layer.kind} whose windows reach over the edges; "
                "use padding='valid'"
            )
        counted = _result(parts)[layer.over]  # rows of windows
        # Windows at a multiple of the stride in each image are so in the images on top of each
        # other if their heights are such multiples.
        needed = (counted - 1) * strides[0] + reach[0]
        height = -(-needed // strides[0]) * strides[0]
        bottom = height - rows[0] - images[1]
        sides = (rows[0], bottom, *columns)
        source, (steps, *_) = _padded_images(parts, parts.source, sides, images)
        # Each image has as many rows of windows as fit its height, the last image as well.
        last = max(reach[0] - strides[0], 0)
        if last:
            source = parts.add("ZeroPadding2D", "end", source, padding=(0, last, 0, 0))
        parts.note(f"a TimeDistributed {layer.kind} on images on top of each other")
        made = parts.keep(source, over=0, padding="valid", strides=strides)
        *_, width, filters = parts.shape(made)
        if (per_image := height // strides[0]) > counted:
            made = _reshaped(parts, "apart", made, (steps, per_image, width * filters))
            cropping = (0, 0, 0, per_image - counted)
            made = parts.add("Cropping2D", "whole", made, cropping=cropping)
        _finish(parts, made)

    return form


_FORMS: Final[dict[str, Callable[[Parts, str], None]]] = {
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    "PReLU": _slopes,
    **dict.fromkeys(_ALONG_AXES, _along_axes),
    **{
        f"{name}1D": _of_one_row(f"{name}2D")
        for name in (
            *("Conv", "QConv", "DepthwiseConv", "SeparableConv", "QSeparableConv"),
            *("MaxPooling", "AveragePooling", "ZeroPadding", "Cropping", "UpSampling"),
        )
    },
    "Conv1DTranspose": _of_one_row("Conv2DTranspose"),
    **{f"Global{which}Pooling{n}D": _global(which) for which in ("Max", "Average") for n in (1, 2)},
    "ZeroPadding2D": _around(1, "padding"),
    "Cropping2D": _around(-1, "cropping"),
    "UpSampling2D": _enlarged,
    **dict.fromkeys(
        (
            *("Conv2D", "QConv2D", "QConv2DBatchnorm", "DepthwiseConv2D", "QDepthwiseConv2D"),
            *("SeparableConv2D", "QSeparableConv2D"),
        ),
        _windows("kernel_size"),
    ),
    **dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), _windows("pool_size")),
}

"""What hls4ml's C++ can't do: one table, checked before a project is written and by lowering.

A limit names the layer classes of hls4ml that it applies to, and checks one layer of a finished
graph. Its reason says what would be right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from gatewright.errors import UnsupportedError
from gatewright.hlsgraph import activation, garnet, image, recurrent, tensor, weights
from gatewright.hlsgraph.families import (
    CONVOLUTIONS,
    DEPTHWISE,
    GLOBAL_POOLINGS,
    IMAGES,
    NORMALIZATIONS,
    PADDINGS,
    POOLINGS,
    RECURRENT,
    WEIGHTED,
    WINDOWS,
)
from gatewright.hlsgraph.layers import Graph, Layer
from gatewright.hlsgraph.precisions import fixed_type, is_exponent, is_sign, is_ternary

#: Layers whose C++ for io_stream accepts beats of any size.
_OF_ANY_BEAT = ("Clone", "Concatenate", "Dense", "Repack", "Reshape")

#: Reason for layers without a kernel.
NOT_BUILT: Final = "not supported yet"
NOT_IN_STREAMS: Final = "hls4ml has no C++ for it in io_stream; use io_parallel"
DOT_OF_VECTORS: Final = "hls4ml has a Dot of vectors only, not of tensors of rank above 1"


def interpolation_reason(algorithm: str) -> str | None:
    """Why an interpolation is not possible; None if it is."""
    if algorithm == "nearest":
        return None
    return f"hls4ml has no C++ for interpolation='{algorithm}'; use interpolation='nearest'"


def recurrent_reason(*names: str) -> str | None:
    """Why functions of a recurrent layer are not possible; None if they are."""
    for name in names:
        if name not in recurrent.FUNCTIONS:
            return (
                f"hls4ml's C++ for recurrent layers has the functions "
                f"{', '.join(recurrent.FUNCTIONS)}, not {name}"
            )
    return None


def garnet_reason(
    vertices: int, collapse: str, *, by_count: bool, is_quantized: bool
) -> str | None:
    """Why a GarNet is not possible; None if it is.

    Args:
        vertices: The number of all vertices.
        collapse: How the vertices' results become one; "" if they stay.
        by_count: Whether it takes means over the vertices that count.
        is_quantized: Whether it quantizes its transforms.
    """
    if vertices & (vertices - 1):
        return f"hls4ml's C++ divides by a power of two, not by its {vertices} vertices"
    if collapse not in ("", "mean"):
        return f"hls4ml has no C++ for collapse='{collapse}'; use 'mean', or None"
    if collapse and by_count:
        return (
            "hls4ml's C++ takes the mean of results over the vertices that count, where its Keras "
            "layer with mean_by_nvert=True adds them up; use mean_by_nvert=False, or collapse=None"
        )
    if is_quantized:
        return (
            "hls4ml makes quantized transforms -1, 0 and 1 whatever their number of bits, which "
            "files don't say; use quantize_transforms=False"
        )
    return None


@dataclass(frozen=True)
class Limit:
    """A limit of hls4ml's C++.

    Attributes:
        kinds: Class names of hls4ml that it applies to; empty for all.
        io: The io type that it applies to, "parallel" or "stream"; "" for both.
        reason: Function that says why a layer is not supported; None if it is.
    """

    kinds: tuple[str, ...]
    io: str
    reason: Callable[[Layer], str | None]

    def concerns(self, layer: Layer) -> bool:
        """Whether it applies to a layer."""
        io = "stream" if layer.streams else "parallel"
        return (not self.kinds or layer.kind in self.kinds) and self.io in ("", io)


def check(graph: Graph) -> None:
    """Refuse layers for which hls4ml has no C++, or C++ that computes something else.

    Raises:
        UnsupportedError: names the layer, the reason and what would be right.
    """
    for layer in graph.layers:
        for limit in LIMITS:
            reason = limit.reason(layer) if limit.concerns(layer) else None
            if reason is not None:
                raise layer.refuse(reason)
    for name in graph.unchanged:
        raise UnsupportedError(f"output '{name}' is an unchanged input; hls4ml has no C++ for it")


def _always(reason: str) -> Callable[[Layer], str | None]:
    return lambda layer: reason


# Types


def _powers_of_two(layer: Layer) -> str | None:
    if not any(is_exponent(each.type.precision) for each in layer.node.weights.values()):
        return None
    return (
        "its weights, or their scale, are powers of two, which hls4ml can't write; leave "
        "--preset hls4ml out, and they are fixed-point numbers"
    )


def _copies(layer: Layer) -> str | None:
    (source,) = layer.operands
    others = [each.type for each in layer.results if each.type != source.type]
    if not others:
        return None
    return (
        f"hls4ml copies a stream of {source.type} as one of {others[0]}; give '{source.name}' the "
        "latter type"
    )


def _padded_signs(layer: Layer) -> str | None:
    if not any(image.pads(layer.node)) or not any(each.is_sign for each in layer.operands):
        return None
    return "pads one-bit values, where 0 stands for -1; pad before the activation"


def _merged_signs(layer: Layer) -> str | None:
    if not any(each.is_sign for each in layer.operands):
        return None
    operation = tensor.operation(layer.node)
    return f"{operation} of one-bit values, where 0 stands for -1; merge before the activation"


def _averaged_signs(layer: Layer) -> str | None:
    if not image.is_average(layer.node) or not layer.operands[0].is_sign:
        return None
    return "hls4ml's C++ averages bits that are signs as if they were 0 and 1"


def _index(layer: Layer) -> str | None:
    to, last = fixed_type(layer.operands[0].precision), tensor.vocabulary(layer.node) - 1
    if to is None or to.max >= last << max(to.frac, 0):
        return None
    bits = max(last.bit_length(), 1)
    return (
        f"its input's type {to} can't hold the index {last}; set "
        f"{layer.node.get_input_node().name}.precision.result=ufixed<{bits},{bits}>"
    )


# Weights


def _no_weights(layer: Layer) -> str | None:
    if weights.strategy(layer.node) != "distributed_arithmetic":
        return None
    return (
        "hls4ml's own distributed arithmetic leaves no weights in its graph; convert with "
        "hls4ml's strategy Latency"
    )


def _depth_multiplier(layer: Layer) -> str | None:
    channels, filters = layer.operands[0].shape[-1], layer.results[0].shape[-1]
    if filters == channels:
        return None
    return (
        f"hls4ml's C++ has a depth multiplier of 1 only, not {filters} filters of {channels} "
        "channels"
    )


def _depthwise_resource(layer: Layer) -> str | None:
    if weights.strategy(layer.node) != "resource":
        return None
    return "hls4ml's C++ for io_parallel has no strategy Resource for it; use Latency or io_stream"


def _weight_count(layer: Layer) -> str | None:
    channels, filters = layer.operands[0].shape[-1], layer.results[0].shape[-1]
    pixels = 1 if layer.kind == "Dense" else int(np.prod(image.window(layer.node)))
    read = pixels * filters * (1 if layer.kind in DEPTHWISE else channels)
    found = layer.node.weights["weight"].data.size
    if found == read:
        return None
    return (
        f"hls4ml left it {found} weights, but its C++ reads {read}; it can't join a depthwise "
        "convolution and a batch normalization: give the former a result type"
    )


def _scale_count(layer: Layer) -> str | None:
    read = weights.scale_count(layer.node, int(np.prod(layer.operands[0].shape)))
    scales, biases = (layer.node.weights[name].data.size for name in ("scale", "bias"))
    if scales == biases == read:
        return None
    return f"{scales} scales and {biases} biases; its C++ reads {read} of each"


_MISCOUNTED = "hls4ml's C++ subtracts the wrong number from its count of agreements"


def _depthwise_signs(layer: Layer) -> str | None:
    several = layer.operands[0].shape[-1] > 1
    return _MISCOUNTED if several and layer.has_sign_operands else None


def _pointwise_signs(layer: Layer) -> str | None:
    at_once = weights.pixels_at_once(layer.node, layer.pixels)
    if at_once == 1 or not layer.has_sign_operands:
        return None
    return f"{_MISCOUNTED}; use a ParallelizationFactor of 1"


# Images


def _channels_first(layer: Layer) -> str | None:
    return None if image.is_channels_last(layer.node) else "only channels_last is supported"


def _dilation(layer: Layer) -> str | None:
    for name, distance in image.dilations(layer.node).items():
        if distance != 1:
            return f"hls4ml's C++ ignores its {name} of {distance}"
    return None


def _padded_stream(layer: Layer) -> str | None:
    if not any(image.pads(layer.node)):
        return None
    return "hls4ml's C++ for io_stream does not pad; use io_parallel"


def _vertical_stride(layer: Layer) -> str | None:
    if image.window(layer.node)[0] > 1 or image.strides(layer.node)[0] == 1:
        return None
    return "hls4ml's C++ for io_stream ignores the vertical stride of a window of height 1"


def _pooling_strides(layer: Layer) -> str | None:
    window, strides = image.window(layer.node), image.strides(layer.node)
    if window == strides:
        return None
    return (
        f"its windows of {window} have strides of {strides}; hls4ml's C++ for io_stream needs "
        "equal ones; use io_parallel"
    )


def _pooling_buffer(layer: Layer) -> str | None:
    if image.buffering(layer.node) == "linebuffer":
        return None
    return "hls4ml's Vitis backend has the implementation LineBuffer only"


def _padded_maximum(layer: Layer) -> str | None:
    to = fixed_type(layer.operands[0].precision)
    is_maximum = image.pooling(layer.node) == "max" and any(image.pads(layer.node))
    if to is None or to.signed or not is_maximum:
        return None
    return (
        "max pooling with padding of unsigned values, which hls4ml pads with a large one; pool "
        "with padding 'valid', or before the activation"
    )


def _interpolation(layer: Layer) -> str | None:
    return interpolation_reason(image.interpolation(layer.node))


def _uneven_resizing(layer: Layer) -> str | None:
    for source, to in zip(layer.operands[0].shape[:-1], layer.results[0].shape[:-1], strict=True):
        factor, pixel = to // source, np.arange(to)
        # The C++ for io_parallel divides by a reciprocal of 16 bits.
        reciprocal = (source << 16) // to + 1
        is_rounded = ((pixel * reciprocal >> 16) != pixel // max(factor, 1)).any()
        if to % source or (not layer.streams and is_rounded):
            return f"its C++ repeats {source} pixels unevenly to make {to}"
    return None


# Layer normalization


def _normalized_signs(layer: Layer) -> str | None:
    if not layer.operands[0].is_sign and not is_sign(layer.node.weights["scale"].type.precision):
        return None
    return "its input or its scale is one bit, where 0 stands for -1; use wider ones"


# Graphs


def _garnet(layer: Layer) -> str | None:
    given = garnet.garnet(layer.node)
    return garnet_reason(
        given.vertices, given.collapse, by_count=given.by_count, is_quantized=given.is_quantized
    )


def _vertex_signs(layer: Layer) -> str | None:
    if not layer.operands[0].is_sign:
        return None
    return "its features are one bit, where 0 stands for -1; use wider ones"


def _vertex_count(layer: Layer) -> str | None:
    to, most = fixed_type(layer.operands[1].precision), garnet.garnet(layer.node).vertices
    if to is not None and not to.signed and to.frac == 0 and to.max >= most:
        return None
    source, bits = garnet.counter(layer.node), most.bit_length()
    return (
        f"the type of its number of vertices, {to or layer.operands[1].precision}, is no unsigned "
        f"integer that holds {most}; set {source.name}.precision.result=ufixed<{bits},{bits}>"
    )


# Tensors


def _flattened(layer: Layer) -> str | None:
    for each in layer.operands:
        if each.beat != each.shape[-1] and layer.kind not in _OF_ANY_BEAT:
            return (
                f"hls4ml's C++ for io_stream reads '{each.name}', which was flattened, in beats "
                "of the wrong size; put it before the Flatten, or use io_parallel"
            )
    return None


def _repacking(layer: Layer) -> str | None:
    less, more = sorted((layer.operands[0].beat, layer.results[0].beat))
    if more % less == 0:
        return None
    return (
        f"reshapes pixels of {less} and {more} values into each other; hls4ml's C++ for io_stream "
        "needs one to divide the other; use io_parallel"
    )


def _transposition(layer: Layer) -> str | None:
    if tensor.permutation(layer.node) != (0, 1):
        return None
    return "hls4ml's C++ for io_stream always swaps the two axes"


def _concatenation(layer: Layer) -> str | None:
    rank = len(layer.results[0].shape)
    return f"hls4ml concatenates tensors of rank up to 3, not {rank}" if rank > 3 else None


def _dot(layer: Layer) -> str | None:
    return DOT_OF_VECTORS if any(len(each.shape) > 1 for each in layer.operands) else None


def _sequences(layer: Layer) -> str | None:
    if len(layer.operands[0].shape) == 1:
        return None
    return "hls4ml's C++ takes one sequence of indices, not several"


def _multiplied_signs(layer: Layer) -> str | None:
    if not any(each.is_sign or is_ternary(each.precision) for each in layer.operands):
        return None
    return "a product of binary or ternary tensors is not supported"


# Layers with a state


def _recurrent(layer: Layer) -> str | None:
    reason = recurrent.unlike_keras(layer.node)
    return None if reason is None else f"hls4ml's C++ does not have {reason}"


def _recurrent_functions(layer: Layer) -> str | None:
    found = recurrent.functions(layer.node)
    return recurrent_reason(found.state, found.gates)


# Activations


def _clipped(layer: Layer) -> str | None:
    function = activation.function(layer.node)
    if function not in ("relu1", "relu6"):
        return None
    return (
        f"hls4ml has no C++ for '{function}' in io_stream; use a quantized_relu with that "
        f"range, or io_parallel"
    )


def _ternary_of_pixels(layer: Layer) -> str | None:
    if weights.is_scaled_by_channel(layer.node) or len(layer.results[0].shape) == 1:
        return None
    return "a ternary activation on a tensor of rank above 1; use io_parallel"


def _softmax_axis(layer: Layer) -> str | None:
    if activation.softmax(layer.node).inner == 1:
        return None
    return "hls4ml's C++ for io_stream has a softmax along the last axis only"


#: In the order in which a layer is checked.
LIMITS: Final[tuple[Limit, ...]] = (
    Limit((), "", _powers_of_two),
    Limit(("Clone",), "", _copies),
    Limit(("Broadcast",), "", _always("hls4ml broadcasts streams for its Vivado backend only")),
    Limit(("Dot",), "stream", _always(NOT_IN_STREAMS)),
    Limit(("Einsum",), "", _multiplied_signs),
    Limit(
        ("TernaryTanh",),
        "",
        _always(
            "hls4ml writes no C++ for it unless a batch normalization comes before it, or its "
            "threshold is not 0.5"
        ),
    ),
    Limit((), "stream", _flattened),
    Limit(IMAGES, "", _channels_first),
    Limit(WINDOWS, "", _dilation),
    Limit(WINDOWS, "stream", _padded_stream),
    Limit((*WINDOWS, *PADDINGS), "", _padded_signs),
    Limit((*CONVOLUTIONS, *DEPTHWISE), "stream", _vertical_stride),
    Limit(WEIGHTED, "", _no_weights),
    Limit(DEPTHWISE, "", _depth_multiplier),
    Limit(DEPTHWISE, "parallel", _depthwise_resource),
    Limit(DEPTHWISE, "", _depthwise_signs),
    Limit(("PointwiseConv1D",), "parallel", _pointwise_signs),
    Limit(WEIGHTED, "", _weight_count),
    Limit(NORMALIZATIONS, "", _scale_count),
    Limit(("LayerNormalization",), "", _normalized_signs),
    Limit(("GarNet",), "stream", _always(NOT_IN_STREAMS)),
    Limit(("GarNet",), "", _garnet),
    Limit(("GarNet",), "", _vertex_signs),
    Limit(("GarNet",), "", _vertex_count),
    Limit(("Pooling2D",), "stream", _pooling_strides),
    Limit(POOLINGS, "stream", _pooling_buffer),
    Limit(POOLINGS, "", _padded_maximum),
    Limit((*POOLINGS, *GLOBAL_POOLINGS), "", _averaged_signs),
    Limit(("Resize",), "", _interpolation),
    Limit(("Resize",), "", _uneven_resizing),
    Limit(("Merge",), "", _merged_signs),
    Limit(("Dot",), "", _dot),
    Limit(("Concatenate",), "", _concatenation),
    Limit(("Repack",), "", _repacking),
    Limit(("Transpose",), "stream", _transposition),
    Limit(("Embedding",), "", _index),
    Limit(("Embedding",), "", _sequences),
    Limit(RECURRENT, "", _recurrent),
    Limit(RECURRENT, "", _recurrent_functions),
    Limit(("Activation",), "stream", _clipped),
    Limit(("BatchNormalizationQuantizedTanh",), "stream", _ternary_of_pixels),
    Limit(("Softmax",), "stream", _softmax_axis),
)

"""From hls4ml's ModelGraph to a Design: the only place that knows hls4ml's attribute names.

The graph is one that hls4ml's Vitis backend has finished: its flow has run, so that every type is
chosen and every layer is the one whose C++ is called. docs/semantics.md states what each means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright import kernels
from gatewright.design import Design
from gatewright.errors import InputError, UnsupportedError, in_own_names
from gatewright.fixed import WORD_BITS, FixedType, Rounding, cast, cast_int, from_float
from gatewright.hlsgraph import printed_values
from gatewright.kernels import Kernel, Tensor, curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: `table_t` of a softmax: hls4ml's template leaves it at that of the struct it derives from.
_LEGACY_TABLE = FixedType(18, 8)


@dataclass(frozen=True)
class _Layer:
    """A node of hls4ml's graph with the tensors it reads and the one it writes.

    Attributes:
        streams: whether the C++ called is that for io_stream.
        beats: elements per beat of each input's stream.
    """

    node: Any
    inputs: tuple[Tensor, ...]
    output: Tensor
    streams: bool
    beats: tuple[int, ...]

    @property
    def name(self) -> str:
        return str(self.node.name)

    @property
    def place(self) -> dict[str, Any]:
        """The fields that every kernel has."""
        return {"layer": self.name, "inputs": self.inputs, "output": self.output}

    @property
    def strategy(self) -> str:
        """The strategy asked for; hls4ml's own may say less, see `frontend`."""
        return str(self.asked("strategy", self.node.get_attr("strategy", "latency"))).lower()

    @property
    def multiplication(self) -> dict[str, Any]:
        """The fields of a kernel that say how it multiplies."""
        pixels = self.output.size // self.output.shape[-1]
        return {
            "strategy": self.strategy,
            "reuse_factor": int(self.asked("reuse_factor", self.node.get_attr("reuse_factor", 1))),
            "parallel": pixels // int(self.node.get_attr("n_partitions", pixels)),
            "multiplier": str(self.asked("multiplier", "auto")),
            "rom_style": str(self.asked("rom_style", "auto")),
        }

    @property
    def ram_style(self) -> dict[str, Any]:
        """The field of a kernel that says where rows of an image stand."""
        return {"ram_style": str(self.asked("ram_style", "auto"))}

    def asked(self, what: str, default: Any) -> Any:
        """What the user asked for, which hls4ml need not know."""
        return self.node.get_attr(f"gatewright_{what}", default)

    def refuse(self, reason: str) -> UnsupportedError:
        return UnsupportedError(f"layer '{self.name}' ({self.node.class_name}): {reason}")

    def attribute(self, name: str, default: Any = None) -> Any:
        value = self.node.get_attr(name, default)
        if value is None:
            raise self.refuse(f"hls4ml left its attribute {name} unset")
        return value

    def type(self, name: str) -> FixedType:
        """The type attribute `name`."""
        return self.fixed(self.attribute(name).precision)

    def fixed(self, precision: Any) -> FixedType:
        """hls4ml's precision as a FixedType."""
        return _fixed(precision, f"layer '{self.name}' ({self.node.class_name})")

    def constant(self, name: str, to: FixedType) -> int:
        """The raw value of a number that the C++ has as a literal."""
        return int(from_float(np.array(float(self.attribute(name))), to))

    def values(self, name: str) -> tuple[NDArray[np.float64], Any]:
        """The values of weights as hls4ml writes them, and their precision."""
        variable = self.node.weights[name]
        values = printed_values(variable)
        if not np.isfinite(values).all():
            raise InputError(f"layer '{self.name}': {name} holds a value that is not a number")
        return values, variable.type.precision

    def weights(self, name: str) -> tuple[NDArray[np.int64], FixedType]:
        """The raw values of weights and their type."""
        values, precision = self.values(name)
        to = self.fixed(precision)
        return from_float(values, to), to

    def factors(self, name: str) -> tuple[NDArray[np.int64], FixedType]:
        """Weights that are multiplied, as numbers: bits that are signs become +1 and -1."""
        raw, to = self.weights(name)
        precision = self.node.weights[name].type.precision
        if _is_sign(precision):
            return 2 * raw - 1, _SIGNS
        if _is_integer(precision) and to == _TERNARY:
            # weight_ternary of nnet_mult.h asks for 0 and -1, and takes anything else for 1.
            return np.where(raw == -2, 1, raw), to
        return raw, to


_TERNARY = FixedType(2, 2, True, Rounding.TRN_ZERO)
_SIGNS = FixedType(2, 2)


def lower(graph: Any) -> Design:
    """The Design of a ModelGraph.

    A tensor has the name of the hls4ml output it is, which is that of its layer; a kernel's `layer`
    is the name under which hls4ml traces the layer.

    Args:
        graph: hls4ml's ModelGraph for its Vitis backend, its flow applied.

    Raises:
        UnsupportedError: if a layer, or what it asks for, can't be built exactly; names the layer
            and the reason.
        InputError: if weights are not numbers.
    """
    labels = _labels(graph)
    with in_own_names(labels):
        return _lower(graph, labels)


def _lower(graph: Any, labels: dict[str, str]) -> Design:
    io_type = graph.config.get_config_value("IOType")
    if io_type not in ("io_parallel", "io_stream"):
        raise UnsupportedError(f"io_type '{io_type}' is not supported; there are {_IO_TYPES}")
    tensors: dict[str, Tensor] = {}
    beats: dict[str, int] = {}
    made: list[Kernel] = []
    for node in graph.get_layers():
        if node.class_name == "Clone":
            _alias(node, tensors, beats)
            continue
        output = _output(node, tensors)
        tensors[output.name] = output
        inputs = () if node.class_name == "Input" else tuple(node.inputs)
        layer = _Layer(
            node,
            tuple(tensors[name] for name in inputs),
            output,
            streams=io_type == "io_stream",
            beats=tuple(beats[name] for name in inputs),
        )
        # The C++ has no stream of its own for a flattened tensor.
        beats[output.name] = layer.beats[0] if node.class_name == "Reshape" else output.shape[-1]
        if node.class_name == "Input":
            continue
        lowering = _LOWERINGS.get(node.class_name)
        if lowering is None:
            raise layer.refuse(_REFUSED.get(node.class_name, "not supported yet"))
        if layer.streams:
            _check_streams(layer)
        made.append(lowering(layer))
    return Design(
        name=str(graph.config.get_project_name()),
        inputs=tuple(tensors[name] for name in graph.inputs),
        outputs=tuple(tensors[name] for name in graph.outputs),
        kernels=tuple(made),
        io=io_type.removeprefix("io_"),
        labels=labels,
    )


def _labels(graph: Any) -> dict[str, str]:
    """What the model calls layers that had to be named otherwise."""
    found = {node.name: node.get_attr("gatewright_label") for node in graph.get_layers()}
    return {name: str(label) for name, label in found.items() if label}


def _alias(node: Any, tensors: dict[str, Tensor], beats: dict[str, int]) -> None:
    """Copies of a stream: other names of the tensor."""
    (source,) = node.inputs
    for name, variable in node.variables.items():
        to = _fixed(variable.type.precision, f"layer '{node.name}' ({node.class_name})")
        if to != tensors[source].type:
            raise UnsupportedError(
                f"layer '{node.name}' ({node.class_name}): hls4ml copies a stream of "
                f"{tensors[source].type} as one of {to}; give '{source}' the latter type"
            )
        tensors[name], beats[name] = tensors[source], beats[source]


def _check_streams(layer: _Layer) -> None:
    """Refuse what hls4ml's C++ for io_stream has not, or gets wrong."""
    kind = layer.node.class_name
    if kind in _WITHOUT_STREAMS:
        raise layer.refuse("hls4ml has no C++ for it in io_stream; use io_parallel")
    flattened = [
        tensor.name
        for tensor, beat in zip(layer.inputs, layer.beats, strict=True)
        if beat != tensor.shape[-1]
    ]
    if flattened and kind not in _OF_ANY_BEAT:
        raise layer.refuse(
            f"hls4ml's C++ for io_stream reads '{flattened[0]}', which was flattened, in beats of "
            "the wrong size; put it before the Flatten"
        )


def _output(node: Any, tensors: dict[str, Tensor]) -> Tensor:
    """The tensor that a node writes."""
    if len(node.outputs) != 1:
        raise UnsupportedError(
            f"layer '{node.name}' ({node.class_name}): has {len(node.outputs)} outputs; "
            "one is supported"
        )
    variable = node.get_output_variable()
    if node.class_name == "Reshape":  # the C++ has no array of its own for it
        to = tensors[node.inputs[0]].type
    else:
        to = _fixed(variable.type.precision, f"layer '{node.name}' ({node.class_name})")
    return Tensor(str(node.outputs[0]), tuple(int(n) for n in variable.shape), to)


def _fixed(precision: Any, where: str) -> FixedType:
    kind = type(precision).__name__.removeprefix("AP")
    if kind not in ("FixedPrecisionType", "IntegerPrecisionType", "XnorPrecisionType"):
        raise UnsupportedError(f"{where}: type {precision} ({kind}) is not a fixed-point type")
    try:
        return FixedType.parse(str(precision))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _is_sign(precision: Any) -> bool:
    """Whether values are bits that stand for -1 and +1."""
    return type(precision).__name__.removeprefix("AP") == "XnorPrecisionType"


def _is_integer(precision: Any) -> bool:
    return type(precision).__name__.removeprefix("AP") == "IntegerPrecisionType"


# Layers that multiply by weights


def _dense(layer: _Layer) -> Kernel:
    """Dense; also pointwise convolutions, which hls4ml makes of Dense on tensors of higher rank."""
    factors = _factors(layer, layer.inputs[0].shape[-1])
    return kernels.Dense(**layer.place, **factors, **layer.multiplication)


def _factors(layer: _Layer, n_in: int) -> dict[str, Any]:
    """The fields of a kernel that multiplies by weights; these of shape (n_in, n_out)."""
    node = layer.node
    if str(layer.attribute("strategy", "latency")).lower() == "distributed_arithmetic":
        raise layer.refuse(
            "hls4ml's own distributed arithmetic leaves no weights in its graph; "
            "convert with hls4ml's strategy Latency"
        )
    weights, weight_type = layer.factors("weight")
    if node.get_attr("_weights_transposed", False):
        weights = np.moveaxis(weights, 0, -1)
    n_out = layer.output.shape[-1]
    if weights.size != n_in * n_out:
        raise layer.refuse(
            f"hls4ml left it {weights.size} weights where its C++ reads {n_in * n_out}; it can't "
            "join a depthwise convolution and a batch normalization: give the former a result type"
        )
    weights = weights.reshape(n_in, n_out)
    bias, bias_type = layer.weights("bias")
    bias = bias.ravel()
    accum = layer.type("accum_t")
    data = node.get_input_variable().type.precision
    weight = node.weights["weight"].type.precision
    if _is_sign(data) and _is_sign(weight):
        accum, bias = _agreements(layer, n_in, bias, bias_type, accum)
        weights, bias = _of_signs(weights, 0, bias, 0, accum)
        weight_type, bias_type = _holding(weights, 0), _holding(bias, 0)
    elif _is_bit(layer.inputs[0].type, data) and str(weight) == "uint<1>":
        raise layer.refuse("one-bit integers on both sides, of which one is a sign and one is not")
    elif _is_sign(data):
        weights, bias = _of_signs(weights, weight_type.frac, bias, bias_type.frac, accum)
        weight_type, bias_type = _holding(weights, accum.frac), _holding(bias, accum.frac)
    return {
        "weights": weights,
        "bias": bias,
        "weight_type": weight_type,
        "bias_type": bias_type,
        "accum": accum,
    }


def _is_bit(to: FixedType, precision: Any) -> bool:
    return _is_integer(precision) and to.width == 1 and not to.signed


def _of_signs(
    weights: NDArray[np.int64],
    weight_frac: int,
    bias: NDArray[np.int64],
    bias_frac: int,
    accum: FixedType,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights and biases for bits 0 and 1 in place of -1 and +1: `data_binary` of nnet_mult.h.

    A product is w or -w in the unit of the accumulator; a bit b so adds -w, and b times the
    difference of the two. The results are in that unit, too.
    """
    wide = FixedType(WORD_BITS, WORD_BITS - accum.frac, True, accum.rounding)
    minus = cast(-weights, weight_frac, wide)
    difference = cast(weights, weight_frac, wide) - minus
    return difference, cast(bias, bias_frac, wide) + minus.sum(axis=0)


def _agreements(
    layer: _Layer, n_in: int, bias: NDArray[np.int64], bias_type: FixedType, accum: FixedType
) -> tuple[FixedType, NDArray[np.int64]]:
    """The type in which `both_binary` and `cast` of nnet_mult.h return agreements, and the biases.

    The C++ adds the bias to the number c of bits that agree and returns twice that less n, which
    is the sum of the products of signs and twice the bias, as an integer just wide enough.
    """
    if (bias % (1 << max(bias_type.frac, 0))).any():
        raise layer.refuse("binary weights on binary inputs can't have a fractional bias")
    bias = cast(bias, bias_type.frac, FixedType(WORD_BITS, WORD_BITS))
    least, most = min(0, int(bias.min())), n_in + max(0, int(bias.max()))
    if accum.frac < 0 or accum.lowest > least << accum.frac or accum.max < most << accum.frac:
        bits = max(-least, most).bit_length() + 1
        raise layer.refuse(
            f"its accumulator {accum} can't count {n_in} agreements; set "
            f"{layer.node.name}.precision.accum='fixed<{bits},{bits}>'"
        )
    width = (n_in - 1).bit_length() + 2
    return FixedType(width, width, True, Rounding.TRN_ZERO), 2 * bias


def _holding(raw: NDArray[np.int64], frac: int) -> FixedType:
    """The narrowest type with `frac` fractional bits that holds raw values."""
    low, high = int(raw.min(initial=0)), int(raw.max(initial=0))
    width = max(high.bit_length(), (~low).bit_length()) + 1
    return FixedType(width, width - frac)


def _check_channels_last(layer: _Layer) -> None:
    if layer.attribute("data_format", "channels_last") != "channels_last":
        raise layer.refuse("only channels_last is supported")


def _sides(layer: _Layer, what: str) -> tuple[int, int, int, int]:
    """Pixels at the top, at the bottom, left and right; a sequence has the latter only."""
    top, bottom = (
        int(layer.attribute(f"{what}_{side}", 0)) if layer.node.class_name[-2:] == "2D" else 0
        for side in ("top", "bottom")
    )
    left, right = (int(layer.attribute(f"{what}_{side}")) for side in ("left", "right"))
    return top, bottom, left, right


def _extent(layer: _Layer, what: str) -> tuple[int, int]:
    """(height, width) of something; a sequence has the latter only."""
    is_image = layer.node.class_name.removesuffix("Batchnorm").endswith("2D")
    height = int(layer.attribute(f"{what}_height")) if is_image else 1
    return height, int(layer.attribute(f"{what}_width"))


def _geometry(layer: _Layer, window: str) -> dict[str, Any]:
    """The fields of a kernel that slides a window."""
    _check_channels_last(layer)
    for name in ("dilation", "dilation_height", "dilation_width"):
        if (dilation := int(layer.node.get_attr(name, 1))) != 1:
            raise layer.refuse(f"hls4ml's C++ ignores its {name} of {dilation}")
    return {
        "window": _extent(layer, window),
        "strides": _extent(layer, "stride"),
        "pads": _sides(layer, "pad"),
        "dilation": (1, 1),
    }


def _convolution_geometry(layer: _Layer) -> dict[str, Any]:
    geometry = _geometry(layer, "filt")
    if layer.streams and any(geometry["pads"]):
        raise layer.refuse("hls4ml's C++ for io_stream does not pad")
    narrow = geometry["window"][0] == 1 and not layer.node.class_name.startswith("Pointwise")
    if layer.streams and narrow and geometry["strides"][0] > 1:
        raise layer.refuse(
            "hls4ml's C++ for io_stream ignores the vertical stride of a window of height 1"
        )
    return geometry


def _conv(layer: _Layer) -> Kernel:
    geometry = _convolution_geometry(layer)
    window, channels = geometry["window"], layer.inputs[0].shape[-1]
    factors = _factors(layer, window[0] * window[1] * channels)
    factors["weights"] = factors["weights"].reshape(*window, channels, -1)
    style = layer.ram_style
    return kernels.Conv(**layer.place, **geometry, **factors, **layer.multiplication, **style)


def _depthwise(layer: _Layer) -> Kernel:
    geometry = _convolution_geometry(layer)
    window, channels = geometry["window"], layer.inputs[0].shape[-1]
    if layer.output.shape[-1] != channels:
        raise layer.refuse(
            f"hls4ml's C++ has a depth multiplier of 1 only, not {layer.output.shape[-1]} filters "
            f"of {channels} channels"
        )
    if not layer.streams and str(layer.attribute("strategy")).lower() == "resource":
        raise layer.refuse(
            "hls4ml's C++ for io_parallel has no strategy Resource for it; use Latency or io_stream"
        )
    if all(map(_is_sign, _operands(layer))) and channels > 1:
        raise layer.refuse("hls4ml's C++ subtracts the wrong number from its count of agreements")
    factors = _factors(layer, window[0] * window[1])
    factors["weights"] = factors["weights"].reshape(*window, channels)
    return kernels.DepthwiseConv(
        **layer.place, **geometry, **factors, **layer.multiplication, **layer.ram_style
    )


def _operands(layer: _Layer) -> tuple[Any, Any]:
    """hls4ml's precisions of the input and of the weights."""
    node = layer.node
    return node.get_input_variable().type.precision, node.weights["weight"].type.precision


def _pointwise(layer: _Layer) -> Kernel:
    batched = layer.node.class_name == "PointwiseConv1D" and not layer.streams
    whole = batched and layer.multiplication["parallel"] > 1
    if whole and all(map(_is_sign, _operands(layer))):
        raise layer.refuse(
            "hls4ml's C++ subtracts the wrong number from its count of agreements; "
            "use a ParallelizationFactor of 1"
        )
    geometry = _convolution_geometry(layer)
    if geometry["strides"] != (1, 1) or any(geometry["pads"]):
        return _conv(layer)
    return _dense(layer)


def _batchnorm(layer: _Layer) -> Kernel:
    n_filt = int(layer.node.get_attr("n_filt", -1))
    entries = layer.inputs[0].size if n_filt == -1 else n_filt
    scale, scale_type = layer.factors("scale")
    bias, bias_type = layer.weights("bias")
    scale, bias = scale.ravel(), bias.ravel()
    if {scale.size, bias.size} != {entries}:
        raise layer.refuse(
            f"{scale.size} scales and {bias.size} biases; its C++ reads {entries} of each"
        )
    data = layer.node.get_input_variable().type.precision
    if _is_sign(data):
        if _is_sign(layer.node.weights["scale"].type.precision):
            raise layer.refuse("a one-bit scale of one-bit inputs is not supported")
        # 2 b - 1 in place of b.
        frac = max(scale_type.frac, bias_type.frac)
        bias = (bias << (frac - bias_type.frac)) - (scale << (frac - scale_type.frac))
        bias_type, scale = _holding(bias, frac), 2 * scale
        scale_type = _holding(scale, scale_type.frac)
    return kernels.BatchNorm(
        **layer.place,
        scale=scale,
        bias=bias,
        scale_type=scale_type,
        bias_type=bias_type,
        **{name: value for name, value in layer.multiplication.items() if name != "parallel"},
    )


def _thresholds(layer: _Layer) -> Kernel:
    names = ("threshold",) if layer.attribute("quantize") == 2 else ("threshold_hi", "threshold_lo")
    limits = []
    for name in names:
        raw, to = layer.weights(name)
        if to != layer.inputs[0].type:
            raise layer.refuse(f"its {name} has the type {to}, its input {layer.inputs[0].type}")
        limits.append(raw.ravel())
    return kernels.Thresholds(**layer.place, thresholds=np.stack(limits))


# Layers that join tensors or move elements


def _merge(layer: _Layer) -> Kernel:
    operation = str(layer.attribute("op")).lower()
    if operation not in kernels.OPERATIONS:
        raise layer.refuse(f"operation '{operation}' is not supported yet")
    return kernels.Merge(**layer.place, operation=operation)


def _dot(layer: _Layer) -> Kernel:
    second = layer.node.get_input_variable(layer.node.inputs[1]).type.precision
    first = layer.node.get_input_variable(layer.node.inputs[0]).type.precision
    ternary = _is_integer(second) and layer.inputs[1].type == _TERNARY
    if _is_sign(first) or _is_sign(second) or ternary:
        raise layer.refuse("a dot product of binary or ternary tensors is not supported")
    return kernels.Dot(**layer.place, accum=layer.type("accum_t"))


def _concatenate(layer: _Layer) -> Kernel:
    axis, rank = int(layer.attribute("axis")), len(layer.output.shape)
    if rank > 3:
        raise layer.refuse(f"hls4ml concatenates tensors of rank up to 3, not {rank}")
    return kernels.Concatenate(**layer.place, axis=axis - 1 if axis > 0 else axis % rank)


def _reshape(layer: _Layer) -> Kernel:
    return kernels.Reshape(**layer.place)


def _repack(layer: _Layer) -> Kernel:
    """A reshape of a stream, which has another number of elements a beat afterwards."""
    (beat,), to = layer.beats, layer.output.shape[-1]
    if max(beat, to) % min(beat, to):
        raise layer.refuse(
            f"hls4ml can't turn beats of {beat} elements into beats of {to}; one must be a "
            "multiple of the other"
        )
    return kernels.Reshape(**layer.place)


def _transpose(layer: _Layer) -> Kernel:
    perm = tuple(int(axis) for axis in layer.attribute("perm"))
    if layer.streams and perm == (0, 1):
        raise layer.refuse("hls4ml's C++ for io_stream swaps two axes whatever is asked for")
    return kernels.Transpose(**layer.place, perm=perm)


# Layers of images


def _pooling(layer: _Layer) -> Kernel:
    geometry = _geometry(layer, "pool")
    if layer.streams:
        if any(geometry["pads"]):
            raise layer.refuse("hls4ml's C++ for io_stream does not pad; use io_parallel")
        if layer.node.class_name == "Pooling2D" and geometry["window"] != geometry["strides"]:
            raise layer.refuse(
                f"its windows of {geometry['window']} have strides of {geometry['strides']}; "
                "hls4ml's C++ for io_stream asks for the same; use io_parallel"
            )
        if str(layer.attribute("implementation", "linebuffer")).lower() != "linebuffer":
            raise layer.refuse("hls4ml's Vitis backend has the implementation LineBuffer only")
    return kernels.Pooling(
        **layer.place,
        **geometry,
        **_reduction(layer),
        **layer.ram_style,
        count_pads=bool(layer.node.get_attr("count_pad", False)),
    )


def _global_pooling(layer: _Layer) -> Kernel:
    _check_channels_last(layer)
    (source,) = layer.inputs
    pixels = source.size // source.shape[-1]
    return kernels.GlobalPooling(**layer.place, **_reduction(layer), divisor=pixels)


def _reduction(layer: _Layer) -> dict[str, Any]:
    """The fields of any pooling."""
    operation = str(layer.attribute("pool_op")).lower()
    if operation not in kernels.POOLINGS:
        raise layer.refuse(f"pooling '{operation}' is not supported yet")
    data = layer.node.get_input_variable().type.precision
    if operation == "average" and _is_sign(data):
        raise layer.refuse("hls4ml's C++ averages bits that are signs as if they were 0 and 1")
    return {
        "operation": operation,
        "accum": layer.type("accum_t"),
        "cast_first": layer.streams,
    }


def _zero_padding(layer: _Layer) -> Kernel:
    _check_channels_last(layer)
    return kernels.ZeroPadding(**layer.place, pads=_sides(layer, "pad"))


def _cropping(layer: _Layer) -> Kernel:
    _check_channels_last(layer)
    return kernels.Cropping(**layer.place, crop=_sides(layer, "crop"))


def _resize(layer: _Layer) -> Kernel:
    _check_channels_last(layer)
    algorithm = str(layer.attribute("algorithm", "nearest"))
    if algorithm != "nearest":
        raise layer.refuse(f"hls4ml has no C++ for the algorithm '{algorithm}'; nearest it has")
    factors = []
    sizes = zip(
        kernels.image_shape(layer.inputs[0])[:2], kernels.image_shape(layer.output)[:2], strict=True
    )
    for source, to in sizes:
        factor, i = to // source, np.arange(to)
        # The C++ for io_parallel divides by a reciprocal of 16 bits.
        ratio = (source << 16) // to + 1
        if to % source or (not layer.streams and ((i * ratio >> 16) != i // factor).any()):
            raise layer.refuse(f"its C++ repeats {source} pixels unevenly where {to} are wanted")
        factors.append(factor)
    return kernels.UpSampling(**layer.place, factors=(factors[0], factors[1]), **layer.ram_style)


def _embedding(layer: _Layer) -> Kernel:
    if len(layer.inputs[0].shape) != 1:
        raise layer.refuse("hls4ml's C++ takes one sequence of indices, not several")
    table, to = layer.weights("embeddings")
    n_out = layer.output.shape[-1]
    return kernels.Embedding(**layer.place, table=table.reshape(-1, n_out), table_type=to)


# Activations


def _activation(layer: _Layer) -> Kernel:
    name = str(layer.attribute("activation")).lower()
    if layer.streams and name in (*_CLIPPED, "ternary_tanh"):
        if name == "ternary_tanh":
            return _streamed_ternary_tanh(layer)
        raise layer.refuse(f"hls4ml has no C++ for '{name}' in io_stream; use io_parallel")
    simple = _SIMPLE.get(name)
    if simple is not None:
        return simple(**layer.place)
    if name in _CLIPPED:
        return kernels.ClippedRelu(**layer.place, limit=_CLIPPED[name])
    if name == "binary_tanh":
        xnor = str(layer.node.get_output_variable().type.precision) == "uint<1>"
        return kernels.BinaryTanh(**layer.place, xnor=xnor)
    if name not in _CURVES and name not in ("elu", "selu"):
        raise layer.refuse(f"activation '{name}' is not supported yet")
    to, size = layer.type("table_t"), int(layer.attribute("table_size"))
    if name == "selu":
        slope: dict[str, Any] = {}
        if layer.streams:
            source = layer.inputs[0].type
            slope = {"slope": int(from_float(np.array(_SELU), source)), "slope_type": source}
        return kernels.Selu(**layer.place, table=curves.selu(size, to), table_type=to, **slope)
    if name == "elu":
        table, one = curves.elu(size, to), FixedType(2, 2)
        return kernels.Elu(**layer.place, table=table, table_type=to, alpha=1, alpha_type=one)
    curve, reach = _CURVES[name]
    return kernels.Lookup(**layer.place, table=curve(size, to), table_type=to, reach=reach)


def _parametrized(layer: _Layer) -> Kernel:
    name = str(layer.attribute("activation")).lower().replace("_", "")
    to = layer.type("param_t")
    parameter = layer.constant("activ_param", to)
    if name == "leakyrelu":
        return kernels.LeakyRelu(**layer.place, alpha=np.array([parameter]), alpha_type=to)
    if name == "thresholdedrelu":
        return kernels.ThresholdedRelu(**layer.place, theta=parameter, theta_type=to)
    if name == "elu":
        table_type = layer.type("table_t")
        table = curves.elu(int(layer.attribute("table_size")), table_type)
        return kernels.Elu(
            **layer.place, table=table, table_type=table_type, alpha=parameter, alpha_type=to
        )
    raise layer.refuse(f"activation '{name}' is not supported yet")


def _prelu(layer: _Layer) -> Kernel:
    alpha, alpha_type = layer.weights("param")
    return kernels.LeakyRelu(**layer.place, alpha=alpha.ravel(), alpha_type=alpha_type)


def _hard(layer: _Layer) -> Kernel:
    name = str(layer.attribute("activation")).lower()
    kind = {"hard_sigmoid": kernels.HardSigmoid, "hard_tanh": kernels.HardTanh}.get(name)
    if kind is None:
        raise layer.refuse(f"activation '{name}' is not supported yet")
    slope_type, shift_type = layer.type("slope_t"), layer.type("shift_t")
    return kind(
        **layer.place,
        slope=layer.constant("slope", slope_type),
        slope_type=slope_type,
        shift=layer.constant("shift", shift_type),
        shift_type=shift_type,
    )


def _streamed_ternary_tanh(layer: _Layer) -> Kernel:
    """For io_stream the C++ gives 1 where x > 1, and -1 where x <= -1."""
    frac = layer.inputs[0].type.frac
    limits = [cast_int(limit, -frac, FixedType(WORD_BITS, WORD_BITS)) for limit in (1, -1)]
    return kernels.Thresholds(**layer.place, thresholds=np.array(limits)[:, None])


def _unary_lut(layer: _Layer) -> Kernel:
    table, _ = layer.weights("table")
    return kernels.UnaryLut(**layer.place, table=table.ravel(), table_type=layer.type("table_t"))


def _softmax(layer: _Layer) -> Kernel:
    node = layer.node
    slices: Any = {name: int(node.get_attr(name, 1)) for name in ("n_outer", "n_inner")}
    implementation = str(layer.attribute("implementation")).lower()
    if layer.streams and slices["n_inner"] != 1:
        raise layer.refuse("hls4ml's C++ for io_stream has a softmax along the last axis only")
    if implementation == "argmax":
        return kernels.Argmax(**layer.place, **slices)
    size = int(layer.attribute("table_size"))
    exp_size = int(node.get_attr("exp_table_size", size))
    inv_size = int(node.get_attr("inv_table_size", size))
    if implementation == "legacy":
        return kernels.SoftmaxLegacy(
            **layer.place,
            **slices,
            exp_table=curves.legacy_exp(exp_size, _LEGACY_TABLE),
            inv_table=curves.legacy_invert(inv_size, _LEGACY_TABLE),
            table_type=_LEGACY_TABLE,
        )
    if implementation not in ("stable", "latency"):
        raise layer.refuse(f"softmax '{implementation}' is not supported yet")
    exp_type, inv_type = layer.type("exp_table_t"), layer.type("inv_table_t")
    inv_input = exp_type
    if layer.attribute("inv_inp_t").name != "model_default_t":
        inv_input = layer.type("inv_inp_t")
    norm = None
    if implementation == "stable":
        source = layer.inputs[0].type
        if "inp_norm_t" in node.attributes:
            norm = layer.type("inp_norm_t")
        else:
            norm = FixedType(source.width - source.signed, source.integer - source.signed, False)
            if source.signed:
                exp_size = min(inv_size, 1 << norm.width)
    return kernels.Softmax(
        **layer.place,
        **slices,
        exp_table=curves.softmax_exp(
            exp_size,
            norm or layer.inputs[0].type,
            exp_type,
            negative=norm is not None,
            scale=float(node.get_attr("exp_scale", 1.0)),
        ),
        exp_type=exp_type,
        inv_table=curves.softmax_invert(inv_size, inv_input, inv_type),
        inv_type=inv_type,
        accum=layer.type("accum_t"),
        inv_input=inv_input,
        norm=norm,
    )


_SIMPLE: dict[str, Callable[..., Kernel]] = {
    "linear": kernels.Linear,
    "relu": kernels.Relu,
    "ternary_tanh": kernels.TernaryTanh,
}
_CLIPPED = {"relu1": 1, "relu6": 6}
#: Tables around zero and the width of the interval they cover.
_CURVES: dict[str, tuple[Callable[[int, FixedType], NDArray[np.int64]], int]] = {
    "sigmoid": (curves.sigmoid, 16),
    "tanh": (curves.tanh, 8),
    "softplus": (curves.softplus, 16),
    "softsign": (curves.softsign, 16),
}
#: The factor of a SELU, as its C++ for io_stream writes it.
_SELU = 1.0507009873554804934193349852946
_IO_TYPES = "io_parallel and io_stream"
_WITHOUT_STREAMS = ("Dot",)
#: Layers whose C++ for io_stream takes beats of any size.
_OF_ANY_BEAT = ("Concatenate", "Dense", "Repack", "Reshape")
#: What hls4ml has under a name, but writes no C++ for.
_REFUSED = {
    "Broadcast": "hls4ml broadcasts streams for its Vivado backend only",
    "TernaryTanh": "hls4ml writes no C++ for it unless a batch normalization comes before it, or "
    "its threshold is not 0.5",
}
#: What makes a kernel of a node, by hls4ml's class name.
_LOWERINGS: dict[str, Callable[[_Layer], Kernel]] = {
    "Activation": _activation,
    "ApplyAlpha": _batchnorm,
    "BatchNormalization": _batchnorm,
    "BatchNormalizationQuantizedTanh": _thresholds,
    "Concatenate": _concatenate,
    "Conv1D": _conv,
    "Conv2D": _conv,
    "Conv2DBatchnorm": _conv,
    "Cropping1D": _cropping,
    "Cropping2D": _cropping,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "Dot": _dot,
    "Embedding": _embedding,
    "GlobalPooling1D": _global_pooling,
    "GlobalPooling2D": _global_pooling,
    "HardActivation": _hard,
    "Merge": _merge,
    "ParametrizedActivation": _parametrized,
    "PointwiseConv1D": _pointwise,
    "PointwiseConv2D": _pointwise,
    "Pooling1D": _pooling,
    "Pooling2D": _pooling,
    "PReLU": _prelu,
    "Repack": _repack,
    "Reshape": _reshape,
    "Resize": _resize,
    "Softmax": _softmax,
    "Transpose": _transpose,
    "UnaryLUT": _unary_lut,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
}

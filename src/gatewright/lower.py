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
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType, Rounding, cast, from_float
from gatewright.hlsgraph import printed_values
from gatewright.kernels import Kernel, Tensor, curves

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: `table_t` of a softmax: hls4ml's template leaves it at that of the struct it derives from.
_LEGACY_TABLE = FixedType(18, 8)


@dataclass(frozen=True)
class _Layer:
    """A node of hls4ml's graph with the tensors it reads and the one it writes."""

    node: Any
    inputs: tuple[Tensor, ...]
    output: Tensor

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
        default = self.node.get_attr("strategy", "latency")
        return str(self.node.get_attr("gatewright_strategy", default)).lower()

    def refuse(self, reason: str) -> UnsupportedError:
        return UnsupportedError(f"layer '{self.name}' ({self.node.class_name}): {reason}")

    def check_reuse(self) -> None:
        reuse = int(self.node.get_attr("reuse_factor", 1) or 1)
        if reuse > 1 and self.node.class_name in _MULTIPLYING:
            raise self.refuse(
                f"reuse factor {reuse} is not supported yet; only 1, fully unrolled, is"
            )

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
        graph: hls4ml's ModelGraph for its Vitis backend and io_parallel, its flow applied.

    Raises:
        UnsupportedError: if a layer, or what it asks for, can't be built exactly; names the layer
            and the reason.
        InputError: if weights are not numbers.
    """
    io_type = graph.config.get_config_value("IOType")
    if io_type != "io_parallel":
        raise UnsupportedError(f"io_type '{io_type}' is not supported yet; use io_parallel")
    tensors: dict[str, Tensor] = {}
    made: list[Kernel] = []
    for node in graph.get_layers():
        output = _output(node, tensors)
        tensors[output.name] = output
        if node.class_name == "Input":
            continue
        layer = _Layer(node, tuple(tensors[name] for name in node.inputs), output)
        lowering = _LOWERINGS.get(node.class_name)
        if lowering is None:
            raise layer.refuse("not supported in io_parallel yet")
        layer.check_reuse()
        made.append(lowering(layer))
    return Design(
        name=str(graph.config.get_project_name()),
        inputs=tuple(tensors[name] for name in graph.inputs),
        outputs=tuple(tensors[name] for name in graph.outputs),
        kernels=tuple(made),
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
    node = layer.node
    if str(layer.attribute("strategy", "latency")).lower() == "distributed_arithmetic":
        raise layer.refuse(
            "hls4ml's own distributed arithmetic leaves no weights in its graph; "
            "convert with hls4ml's strategy Latency"
        )
    weights, weight_type = layer.factors("weight")
    if node.get_attr("_weights_transposed", False):
        weights = np.moveaxis(weights, 0, -1)
    n_in = layer.inputs[0].shape[-1]
    weights = weights.reshape(n_in, -1)
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
    return kernels.Dense(
        **layer.place,
        weights=weights,
        bias=bias,
        weight_type=weight_type,
        bias_type=bias_type,
        accum=accum,
        strategy=layer.strategy,
    )


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
    wide = FixedType(62, 62 - accum.frac, True, accum.rounding)
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
    bias = cast(bias, bias_type.frac, FixedType(62, 62))
    least, most = min(0, int(bias.min())), n_in + max(0, int(bias.max()))
    if accum.frac < 0 or accum.lowest > least << accum.frac or accum.max < most << accum.frac:
        raise layer.refuse(f"its accumulator {accum} can't count {n_in} agreements; widen it")
    width = (n_in - 1).bit_length() + 2
    return FixedType(width, width, True, Rounding.TRN_ZERO), 2 * bias


def _holding(raw: NDArray[np.int64], frac: int) -> FixedType:
    """The narrowest type with `frac` fractional bits that holds raw values."""
    low, high = int(raw.min(initial=0)), int(raw.max(initial=0))
    width = max(high.bit_length(), (~low).bit_length()) + 1
    return FixedType(width, width - frac)


def _pointwise(layer: _Layer) -> Kernel:
    for name, wanted in (
        *((f"stride_{side}", 1) for side in ("width", "height")),
        *((f"pad_{side}", 0) for side in ("left", "right", "top", "bottom")),
    ):
        value = layer.attribute(name, wanted)
        if value != wanted:
            raise layer.refuse(f"{name} of {value}: only {wanted} is supported in io_parallel yet")
    if layer.attribute("data_format", "channels_last") != "channels_last":
        raise layer.refuse("only channels_last is supported")
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
        strategy=layer.strategy,
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
        raise layer.refuse(f"operation '{operation}' is not supported in io_parallel yet")
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


def _transpose(layer: _Layer) -> Kernel:
    perm = tuple(int(axis) for axis in layer.attribute("perm"))
    return kernels.Transpose(**layer.place, perm=perm)


# Activations


def _activation(layer: _Layer) -> Kernel:
    name = str(layer.attribute("activation")).lower()
    simple = _SIMPLE.get(name)
    if simple is not None:
        return simple(**layer.place)
    if name in _CLIPPED:
        return kernels.ClippedRelu(**layer.place, limit=_CLIPPED[name])
    if name == "binary_tanh":
        xnor = str(layer.node.get_output_variable().type.precision) == "uint<1>"
        return kernels.BinaryTanh(**layer.place, xnor=xnor)
    if name not in _CURVES and name not in ("elu", "selu"):
        raise layer.refuse(f"activation '{name}' is not supported in io_parallel yet")
    to, size = layer.type("table_t"), int(layer.attribute("table_size"))
    if name == "selu":
        return kernels.Selu(**layer.place, table=curves.selu(size, to), table_type=to)
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
    raise layer.refuse(f"activation '{name}' is not supported in io_parallel yet")


def _prelu(layer: _Layer) -> Kernel:
    alpha, alpha_type = layer.weights("param")
    return kernels.LeakyRelu(**layer.place, alpha=alpha.ravel(), alpha_type=alpha_type)


def _hard(layer: _Layer) -> Kernel:
    name = str(layer.attribute("activation")).lower()
    kind = {"hard_sigmoid": kernels.HardSigmoid, "hard_tanh": kernels.HardTanh}.get(name)
    if kind is None:
        raise layer.refuse(f"activation '{name}' is not supported in io_parallel yet")
    slope_type, shift_type = layer.type("slope_t"), layer.type("shift_t")
    return kind(
        **layer.place,
        slope=layer.constant("slope", slope_type),
        slope_type=slope_type,
        shift=layer.constant("shift", shift_type),
        shift_type=shift_type,
    )


def _ternary_tanh(layer: _Layer) -> Kernel:
    return kernels.TernaryTanh(**layer.place)


def _unary_lut(layer: _Layer) -> Kernel:
    table, _ = layer.weights("table")
    return kernels.UnaryLut(**layer.place, table=table.ravel(), table_type=layer.type("table_t"))


def _softmax(layer: _Layer) -> Kernel:
    node = layer.node
    slices: Any = {name: int(node.get_attr(name, 1)) for name in ("n_outer", "n_inner")}
    implementation = str(layer.attribute("implementation")).lower()
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
        raise layer.refuse(f"softmax '{implementation}' is not supported in io_parallel yet")
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
_MULTIPLYING = (
    "ApplyAlpha",
    "BatchNormalization",
    "Dense",
    "Dot",
    "PointwiseConv1D",
    "PointwiseConv2D",
)
#: What makes a kernel of a node, by hls4ml's class name.
_LOWERINGS: dict[str, Callable[[_Layer], Kernel]] = {
    "Activation": _activation,
    "ApplyAlpha": _batchnorm,
    "BatchNormalization": _batchnorm,
    "BatchNormalizationQuantizedTanh": _thresholds,
    "Concatenate": _concatenate,
    "Dense": _dense,
    "Dot": _dot,
    "HardActivation": _hard,
    "Merge": _merge,
    "ParametrizedActivation": _parametrized,
    "PointwiseConv1D": _pointwise,
    "PointwiseConv2D": _pointwise,
    "PReLU": _prelu,
    "Reshape": _reshape,
    "Softmax": _softmax,
    "TernaryTanh": _ternary_tanh,
    "Transpose": _transpose,
    "UnaryLUT": _unary_lut,
}

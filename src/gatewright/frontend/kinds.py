"""The table of layers that can be read: their arguments and their arrays.

Each argument of a layer's class is listed here once, with its type. Other settings in a file matter
in training only (`TRAINING`), or are refused. `passes` rewrites layers into those that hls4ml has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.arguments import (
    MAX_RANK,
    Argument,
    extents,
    flag,
    integer,
    integers,
    optional,
    real,
    sides,
    word,
)
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import Object, Value, is_name
from gatewright.frontend.quantizers import quantizer, read_quantizer

#: Extent of an axis of an array: a number; None for any extent; or a name, and then all axes of a
#: layer with that name have the same extent.
Extent = int | str | None
Arguments = Mapping[str, Any]
#: Shapes of arrays by name; None for any shape.
Shapes = dict[str, tuple[Extent, ...] | None]


def _no_arrays(arguments: Arguments) -> Shapes:
    return {}


@dataclass(frozen=True)
class Kind:
    """A class of layers.

    Attributes:
        arguments: By name.
        arrays: Shapes of the layer's arrays by name, in the order in which Keras creates them.
    """

    arguments: Mapping[str, Argument]
    arrays: Callable[[Arguments], Shapes] = _no_arrays


_PRODUCTS: Final = re.compile(r"[a-y]+,[a-y]+->[a-y]+")  # z is the batch
_EQUATION: Final = re.compile(
    r"(?:\.\.\.)?[A-Za-z]{1,8}(?:\.\.\.)?, ?[A-Za-z]{1,8} ?-> ?(?:\.\.\.)?[A-Za-z]{0,8}(?:\.\.\.)?"
)
_LONGEST_EQUATION: Final = 64
#: Most constants that a file can give for the channels of a tensor.
MAX_CHANNELS: Final = 1 << 16

#: Settings that matter in training only, or repeat others.
_TRAINING_ENDINGS: Final = ("_initializer", "_regularizer", "_constraint")
TRAINING: Final = frozenset(
    {
        *(
            "activity_regularizer",
            "adjustment",
            "autocast",
            "batch_size",
            "beta_range",
            "bias_range",
        ),
        *("depthwise_range", "dropout", "ema_freeze_delay", "folding_mode", "fused", "gamma_range"),
        *("implementation", "input_dtype", "input_length", "kernel_range", "l1", "l2"),
        *("momentum", "n_sublayers", "noise_shape", "optional", "pointwise_range", "ragged"),
        "rate",
        *("recurrent_dropout", "renorm", "renorm_clipping", "renorm_momentum", "robust_masking"),
        *("seed", "sparse", "stddev", "supports_masking", "synchronized", "trainable"),
        *("unit_forget_bias", "unroll", "use_cudnn", "virtual_batch_size", "zero_output_for_mask"),
    }
)


def is_training(key: str) -> bool:
    """Whether a setting of a layer matters in training only."""
    return key in TRAINING or key.endswith(_TRAINING_ENDINGS)


#: Layers that do nothing at inference.
IDENTITY: Final = (
    *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
    *("SpatialDropout1D", "SpatialDropout2D"),
)
RECURRENT: Final = ("SimpleRNN", "LSTM", "GRU", "QSimpleRNN", "QLSTM", "QGRU")
#: Layers that contain layers.
NESTED: Final = ("Functional", "Model", "Sequential", "TimeDistributed", "Bidirectional")
#: Layers that only readers make, in the package in which the record of a network has them; a class
#: of that name in another package is something else.
MADE_BY_READERS: Final = ("Reverse", "Einsum")
PACKAGE: Final = "Gatewright"

ACTIVATIONS: Final = (
    *("binary_tanh", "elu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear"),
    *("relu", "relu1", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign"),
    *("tanh", "ternary_tanh"),
)
#: Other names that versions of Keras use, or used, for the same function.
_ALIASES: Final = {"swish": "silu", "hard_swish": "hard_silu"}
#: Functions of Keras that hls4ml has no C++ for.
_LACKED: Final = (
    *("celu", "exponential", "gelu", "glu", "hard_shrink", "log_sigmoid", "log_softmax", "mish"),
    *("soft_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink"),
    "threshold",
)
_MERGES: Final = ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")


def _activation(value: Any) -> Value:
    """Read the name of a function, or a quantizer; null means linear."""
    if value is None:
        return "linear"
    if isinstance(value, str) and _ALIASES.get(value, value) in ACTIVATIONS:
        return _ALIASES.get(value, value)
    if isinstance(value, dict | str) and (found := _quantizer_or_none(value)) is not None:
        return found
    name = value.get("class_name") if isinstance(value, dict) else value
    # For a function of Keras that hls4ml lacks, list all others: the name isn't a typing error.
    others = (
        f"; choose from {', '.join(ACTIVATIONS)}" if name in _LACKED else near(name, ACTIVATIONS)
    )
    raise ValueError(f"an activation that hls4ml has, not '{shown(name)}'{others}")


def _overrides(value: Any) -> Value:
    """Read the types of other layers in HGQ's proxy models: pairs by layer, then by attribute."""
    if value is None or value == {}:
        return None
    layers = value.get("layers") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(layers, dict) or not all(map(is_name, layers)):
        raise ValueError("an object with types by layer")
    return tuple((name, _types(each)) for name, each in layers.items())


def _types(value: Any) -> tuple[Value, ...]:
    if not isinstance(value, dict) or not all(map(is_name, value)):
        raise ValueError("an object with types by layer")
    found: dict[str, Value] = {}
    for key, each in value.items():
        if isinstance(each, str):
            try:
                found[key] = str(FixedType.parse(each))
            except InputError:
                raise ValueError(f"fixed-point types, not '{shown(each)}'") from None
        else:
            found[key] = integer(1)(each)
    return tuple(found.items())


def _scalar(value: Any) -> Value:
    """Read a number; early versions of Keras write an array of one number."""
    if isinstance(value, dict) and value.get("type") == "ndarray":
        value = value.get("value")
    return real()(value)


def _scale(value: Any) -> Value:
    """Read a number, or one for each channel."""
    if isinstance(value, list | tuple) and 0 < len(value) <= MAX_CHANNELS:
        return tuple(real()(each) for each in value)
    return real()(value)


def _quantizer_or_none(value: Any) -> Object | None:
    name = value.get("class_name") if isinstance(value, dict) else value.partition("(")[0].strip()
    is_quantizer = isinstance(name, str) and name.startswith(("quantized_", "stochastic_"))
    if not is_quantizer and name not in ("bernoulli", "binary", "ternary"):
        return None
    return read_quantizer(value)


_ACTIVATION = {"activation": Argument(_activation, "linear")}
_QUANTIZED = Argument(quantizer, None)
_BIAS = {"use_bias": Argument(flag, True)}
_FORMAT = {"data_format": Argument(optional(word("channels_last", "channels_first")), None)}
_PADDING = Argument(word("valid", "same"), "valid")
_EPSILON = Argument(real(0, 1e6), 1e-3)


def _windows(axes: int, *, causal: bool = False) -> dict[str, Argument]:
    """The arguments that all convolutions with this number of axes have."""
    return {
        "kernel_size": Argument(extents(axes)),
        "strides": Argument(extents(axes), (1,) * axes),
        "padding": Argument(word("valid", "same", "causal"), "valid") if causal else _PADDING,
        "dilation_rate": Argument(extents(axes), (1,) * axes),
        "groups": Argument(integer(), 1),
        **_FORMAT,
        **_ACTIVATION,
        **_BIAS,
    }


def _transposed_windows(axes: int) -> dict[str, Argument]:
    """The arguments that all transposed convolutions with this number of axes have."""
    return {**_windows(axes), "output_padding": Argument(optional(extents(axes, 0)), None)}


def _bias(arguments: Arguments, units: Extent) -> Shapes:
    return {"bias": (units,)} if arguments["use_bias"] else {}


def _dense(a: Arguments) -> Shapes:
    return {"kernel": (None, a["units"]), **_bias(a, a["units"])}


def _einsum(a: Arguments) -> Shapes:
    return {"kernel": None, **({"bias": None} if a["bias_axes"] else {})}


def _products(value: Any) -> str:
    """Read the equation of products of two tensors, without the batch."""
    if isinstance(value, str) and len(value) <= _LONGEST_EQUATION and _PRODUCTS.fullmatch(value):
        operands, _, result = value.partition("->")
        first, second = operands.split(",")
        if all(len(set(axes)) == len(axes) for axes in (first, second, result)) and (
            set(result) <= {*first, *second}
        ):
            return value
    raise ValueError("an equation such as 'qhd,khd->hqk'")


def _equation(value: Any) -> str:
    """Read the equation of a product with weights."""
    if isinstance(value, str) and len(value) <= _LONGEST_EQUATION and _EQUATION.fullmatch(value):
        found = value.replace(" ", "")
        operands, _, result = found.partition("->")
        for axes in (*operands.split(","), result):
            letters = axes.replace("...", "")
            if len(set(letters)) < len(letters):
                raise ValueError("an equation in which no axis occurs twice in an operand")
        return found
    raise ValueError("an equation such as 'abc,cd->abd' or '...x,xy->...y'")


def _letters(value: Any) -> str:
    """Read names of axes."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{0,8}", value):
        return value
    raise ValueError("letters of the equation")


def _output_shape(value: Any) -> Value:
    """Read the shape of a result; a size that the input has may be null."""
    values = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(values) <= MAX_RANK:
        raise ValueError(f"1 to {MAX_RANK} sizes")
    return tuple(optional(integer())(each) for each in values)


def _conv(a: Arguments) -> Shapes:
    return {"kernel": (*a["kernel_size"], None, a["filters"]), **_bias(a, a["filters"])}


def _transposed(a: Arguments) -> Shapes:
    return {"kernel": (*a["kernel_size"], a["filters"], None), **_bias(a, a["filters"])}


def _depthwise(a: Arguments) -> Shapes:
    kernel = (*a["kernel_size"], "channels", a["depth_multiplier"])
    # There are channels * depth_multiplier results.
    units = "channels" if a["depth_multiplier"] == 1 else None
    return {"depthwise_kernel": kernel, **_bias(a, units)}


def _separable(a: Arguments) -> Shapes:
    ones = (1,) * len(a["kernel_size"])
    between = "channels" if a["depth_multiplier"] == 1 else None
    return {
        "depthwise_kernel": (*a["kernel_size"], "channels", a["depth_multiplier"]),
        "pointwise_kernel": (*ones, between, a["filters"]),
        **_bias(a, a["filters"]),
    }


def _statistics(a: Arguments, multiplier: int = 1) -> Shapes:
    learned = {"gamma": a["scale"], "beta": a["center"]}
    names = [*(name for name, used in learned.items() if used), "moving_mean", "moving_variance"]
    if len(a["axis"]) > 1:
        return dict.fromkeys(names)  # their rank is that of the tensor
    return dict.fromkeys(names, ("channels",) if multiplier == 1 else (None,))


def _layer_norm(a: Arguments) -> Shapes:
    return {name: (None,) for name, used in (("gamma", a["scale"]), ("beta", a["center"])) if used}


def _garnet(a: Arguments) -> Shapes:
    return _transforms("", "features", *(a[size] for size in _GARNET_SIZES))


def _garnet_stack(a: Arguments) -> Shapes:
    found: Shapes = {}
    features: Extent = "features"
    # Lists of unlike lengths are refused where the shape of the result is computed.
    for number, sizes in enumerate(zip(*(a[size] for size in _GARNET_SIZES), strict=False)):
        found |= _transforms(str(number), features, *sizes)
        features = sizes[-1]
    return found


def _transforms(
    number: str, features: Extent, passed: int, aggregators: int, filters: int
) -> Shapes:
    """The arrays of a GarNet, or of one in a stack of them."""
    return {
        f"FLR{number}_kernel": (features, passed),
        f"FLR{number}_bias": (passed,),
        f"S{number}_kernel": (features, aggregators),
        f"S{number}_bias": (aggregators,),
        f"Fout{number}_kernel": (aggregators * passed, filters),
        f"Fout{number}_bias": (filters,),
    }


def _recurrent(gates: int) -> Callable[[Arguments], Shapes]:
    def arrays(a: Arguments) -> Shapes:
        width = gates * a["units"]
        bias: tuple[Extent, ...] = (2, width) if a.get("reset_after") else (width,)
        return {
            "kernel": (None, width),
            "recurrent_kernel": (a["units"], width),
            **({"bias": bias} if a["use_bias"] else {}),
        }

    return arrays


def _recurrent_arguments(
    *, gated: bool = True, reset_after: bool | None = None
) -> dict[str, Argument]:
    found = {
        "units": Argument(integer()),
        "activation": Argument(_activation),
        **({"recurrent_activation": Argument(_activation)} if gated else {}),
        **_BIAS,
        "return_sequences": Argument(flag, False),
        "return_state": Argument(flag, False),
        "go_backwards": Argument(flag, False),
        "stateful": Argument(flag, False),
        "time_major": Argument(flag, False),
    }
    if reset_after is not None:
        found["reset_after"] = Argument(flag, reset_after)
    return found


def _quantizers(*names: str) -> dict[str, Argument]:
    return {f"{name}_quantizer": _QUANTIZED for name in names}


def _pooling(axes: int) -> dict[str, Argument]:
    return {
        "pool_size": Argument(extents(axes), (2,) * axes),
        "strides": Argument(optional(extents(axes)), None),
        "padding": _PADDING,
        **_FORMAT,
    }


_KEEPDIMS = {"keepdims": Argument(flag, False)}
_DENSE = {"units": Argument(integer()), **_ACTIVATION, **_BIAS}
_NORM = {
    "axis": Argument(integers(-MAX_RANK), (-1,)),
    "epsilon": _EPSILON,
    "center": Argument(flag, True),
    "scale": Argument(flag, True),
}
_GARNET_SIZES = ("n_propagate", "n_aggregators", "n_filters")
_GARNET = {
    "simplified": Argument(flag, False),
    "collapse": Argument(optional(word("mean", "sum", "max")), None),
    "input_format": Argument(word("x", "xn", "xen"), "xn"),
    "output_activation": Argument(_activation, "tanh"),
    "mean_by_nvert": Argument(flag, False),
    "quantize_transforms": Argument(optional(flag), False),
}
_FILTERS = {"filters": Argument(integer())}
_MULTIPLIER = {"depth_multiplier": Argument(integer(), 1)}
_SHAPE = Argument(integers(-1))
_RNN_QUANTIZERS = _quantizers("kernel", "recurrent", "bias", "state")

#: The layers, by class.
KINDS: Mapping[str, Kind] = {
    "InputLayer": Kind(
        {
            "shape": Argument(integers(1)),
            "dtype": Argument(
                word(
                    *("float16", "bfloat16", "float32", "float64", "bool"),
                    *(f"{sign}int{width}" for sign in ("", "u") for width in (8, 16, 32, 64)),
                ),
                "float32",
            ),
        }
    ),
    **{kind: Kind({}) for kind in (*IDENTITY, *_MERGES)},
    "Reverse": Kind({}),  # of the first axis
    "Einsum": Kind({"equation": Argument(_products)}),
    "Dense": Kind(_DENSE, _dense),
    "BinaryDense": Kind(_DENSE, _dense),
    "TernaryDense": Kind(_DENSE, _dense),
    "QDense": Kind({**_DENSE, **_quantizers("kernel", "bias")}, _dense),
    "EinsumDense": Kind(
        {
            "equation": Argument(_equation),
            "output_shape": Argument(_output_shape),
            "bias_axes": Argument(optional(_letters), None),
            **_ACTIVATION,
        },
        _einsum,
    ),
    "Conv1D": Kind({**_FILTERS, **_windows(1, causal=True)}, _conv),
    "Conv2D": Kind({**_FILTERS, **_windows(2)}, _conv),
    "QConv1D": Kind(
        {**_FILTERS, **_windows(1, causal=True), **_quantizers("kernel", "bias")}, _conv
    ),
    "QConv2D": Kind({**_FILTERS, **_windows(2), **_quantizers("kernel", "bias")}, _conv),
    "QConv2DBatchnorm": Kind(
        {**_FILTERS, **_windows(2), **_quantizers("kernel", "bias"), **_NORM},
        lambda a: {**_conv(a), **dict.fromkeys(_statistics(a), (a["filters"],))},
    ),
    "QDenseBatchnorm": Kind(
        {**_DENSE, **_quantizers("kernel", "bias"), **_NORM},
        lambda a: {**_dense(a), **dict.fromkeys(_statistics(a), (a["units"],))},
    ),
    "QDepthwiseConv2DBatchnorm": Kind(
        {**_MULTIPLIER, **_windows(2), **_quantizers("depthwise", "bias"), **_NORM},
        lambda a: {**_depthwise(a), **_statistics(a, a["depth_multiplier"])},
    ),
    **{
        f"Conv{axes}DTranspose": Kind(
            {**_FILTERS, **_transposed_windows(axes)},
            _transposed,
        )
        for axes in (1, 2)
    },
    "QConv2DTranspose": Kind(
        {**_FILTERS, **_transposed_windows(2), **_quantizers("kernel", "bias")}, _transposed
    ),
    "DepthwiseConv1D": Kind({**_MULTIPLIER, **_windows(1, causal=True)}, _depthwise),
    "DepthwiseConv2D": Kind({**_MULTIPLIER, **_windows(2)}, _depthwise),
    "QDepthwiseConv2D": Kind(
        {**_MULTIPLIER, **_windows(2), **_quantizers("depthwise", "bias")}, _depthwise
    ),
    **{
        f"{prefix}SeparableConv{axes}D": Kind(
            {
                **_FILTERS,
                **_MULTIPLIER,
                **_windows(axes, causal=axes == 1),
                **(_quantizers("depthwise", "pointwise", "bias") if prefix else {}),
            },
            _separable,
        )
        for prefix in ("", "Q")
        for axes in (1, 2)
    },
    "BatchNormalization": Kind(_NORM, _statistics),
    "QBatchNormalization": Kind(
        {**_NORM, **_quantizers("beta", "gamma", "mean", "variance")}, _statistics
    ),
    "LayerNormalization": Kind({**_NORM, "rms_scaling": Argument(flag, False)}, _layer_norm),
    "GarNet": Kind({**{size: Argument(integer()) for size in _GARNET_SIZES}, **_GARNET}, _garnet),
    "GarNetStack": Kind(
        {**{size: Argument(integers(1)) for size in _GARNET_SIZES}, **_GARNET}, _garnet_stack
    ),
    "Activation": Kind(_ACTIVATION),
    "QActivation": Kind({"activation": Argument(_activation)}),
    "ReLU": Kind(
        {
            "max_value": Argument(optional(real(0)), None),
            "negative_slope": Argument(optional(real(0)), 0),
            "threshold": Argument(optional(real(0)), 0),
        }
    ),
    "LeakyReLU": Kind({"alpha": Argument(_scalar, 0.3)}),
    "ThresholdedReLU": Kind({"theta": Argument(_scalar, 1.0)}),
    "ELU": Kind({"alpha": Argument(_scalar, 1.0)}),
    "PReLU": Kind(
        {"shared_axes": Argument(optional(integers(1)), None)}, lambda a: {"alpha": None}
    ),
    "FixedPointQuantizer": Kind(
        {
            "fusible": Argument(flag),
            "RND": Argument(word("trn", "trn_zero", "rnd", "rnd_conv", "rnd_inf", "rnd_min_inf")),
            "SAT": Argument(word("wrap", "sat", "sat_sym", "sat_zero")),
            "overrides": Argument(_overrides, None),
        },
        lambda a: dict.fromkeys(("keep_negative", "bits", "integers")),
    ),
    "UnaryLUT": Kind(
        {
            "kif_out": Argument(extents(3, -64)),
            "activation": Argument(lambda value: "unary_lut", ""),
        },
        lambda a: {"table": (None,)},
    ),
    "Softmax": Kind({"axis": Argument(integers(-MAX_RANK), (-1,))}),
    "Embedding": Kind(
        {
            "input_dim": Argument(integer()),
            "output_dim": Argument(integer()),
            "mask_zero": Argument(flag, False),
        },
        lambda a: {"embeddings": (a["input_dim"], a["output_dim"])},
    ),
    **{
        f"{which}Pooling{axes}D": Kind(_pooling(axes))
        for which in ("Average", "Max")
        for axes in (1, 2)
    },
    **{
        f"Global{which}Pooling{axes}D": Kind({**_FORMAT, **_KEEPDIMS})
        for which in ("Average", "Max")
        for axes in (1, 2)
    },
    "Rescaling": Kind(
        {"scale": Argument(_scale, 1.0), "offset": Argument(_scale, 0.0)},
    ),
    "Flatten": Kind(_FORMAT),
    "Reshape": Kind({"target_shape": _SHAPE}),
    "RepeatVector": Kind({"n": Argument(integer())}),
    "Permute": Kind({"dims": Argument(integers(1))}),
    "Concatenate": Kind({"axis": Argument(integer(-MAX_RANK, MAX_RANK), -1)}),
    "Dot": Kind({"axes": Argument(integers(-MAX_RANK)), "normalize": Argument(flag, False)}),
    "UpSampling1D": Kind({"size": Argument(integer(), 2)}),
    "UpSampling2D": Kind(
        {
            "size": Argument(extents(2), (2, 2)),
            "interpolation": Argument(
                word("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian"),
                "nearest",
            ),
            **_FORMAT,
        }
    ),
    "ZeroPadding1D": Kind({"padding": Argument(sides(1), (1, 1)), **_FORMAT}),
    "ZeroPadding2D": Kind({"padding": Argument(sides(2), (1, 1, 1, 1)), **_FORMAT}),
    "Cropping1D": Kind({"cropping": Argument(sides(1), (1, 1))}),
    "Cropping2D": Kind({"cropping": Argument(sides(2), (0, 0, 0, 0)), **_FORMAT}),
    "SimpleRNN": Kind(_recurrent_arguments(gated=False), _recurrent(1)),
    "LSTM": Kind(_recurrent_arguments(), _recurrent(4)),
    "GRU": Kind(_recurrent_arguments(reset_after=True), _recurrent(3)),
    "QSimpleRNN": Kind({**_recurrent_arguments(gated=False), **_RNN_QUANTIZERS}, _recurrent(1)),
    "QLSTM": Kind({**_recurrent_arguments(), **_RNN_QUANTIZERS}, _recurrent(4)),
    "QGRU": Kind({**_recurrent_arguments(reset_after=False), **_RNN_QUANTIZERS}, _recurrent(3)),
}

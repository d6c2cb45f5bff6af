"""Handlers of QKeras' layers for hls4ml's Keras 2 parser that don't need QKeras.

hls4ml's own handlers create each quantizer with QKeras, and so import TensorFlow. The handlers here
return the same layers with quantizers that `quantized` evaluates. They are registered under class
names with a prefix of Gatewright, which `keras2.Model` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hls4ml.converters.keras_v2_to_hls import (
    get_layer_handlers,
    parse_default_keras_layer,
    register_keras_v2_layer_handler,
)
from hls4ml.model.quantizers import Quantizer
from hls4ml.model.types import (
    ExponentPrecisionType,
    FixedPrecisionType,
    IntegerPrecisionType,
    XnorPrecisionType,
)
from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.frontend.keras2 import OURS, QUANTIZED_LAYERS, plain
from gatewright.frontend.network import Object, Value
from gatewright.frontend.quantized import Quantized, quantize

_HLS4ML = "hls4ml.model.quantizers"
_TERNARY_THRESHOLD = 0.33  # QKeras' default


class WeightQuantizer(Quantizer):  # type: ignore[misc]  # hls4ml has no types
    """A quantizer of weights, with the attributes that hls4ml's passes read.

    Attributes:
        quantizer: Its class and arguments.
        bits: Width of its type in bits, according to hls4ml.
        hls_type: The type of the quantized weights.
        alpha: The scale; 1 once it is multiplied into the weights, or has a layer of its own.
        is_sign: Whether hls4ml treats its weights as signs, without a scale.
    """

    def __init__(self, quantizer: Object, *, signs: bool = False, xnor: bool = False) -> None:
        """Make one.

        Args:
            quantizer: Its class and arguments.
            signs: Return signs, whatever the scale: hls4ml pairs these with binary activations.
            xnor: Return 0 for -1, for hls4ml's one-bit type.
        """
        self.quantizer = quantizer
        self.is_sign = signs
        self._xnor = xnor
        bits, to = _hls4ml_type(quantizer, signs=signs, xnor=xnor)
        super().__init__(bits, to)
        if quantizer.kind != "quantized_po2":
            alpha = quantizer.arguments.get("alpha")
            self.alpha: Any = list(alpha) if isinstance(alpha, tuple) else alpha

    def __call__(self, data: Any) -> NDArray[Any]:
        """The quantized values of an array, float32; for signs with `xnor`, integers 0 and 1."""
        values = self.quantized(data).values
        if not self.is_sign:
            return values
        positive = values >= 0
        return positive.astype(int) if self._xnor else positive * 2.0 - 1.0

    def quantized(self, data: Any) -> Quantized:
        """The quantized values of an array, with their scale.

        Raises:
            UnsupportedError: if QKeras can't evaluate the quantizer either, or it draws at random.
        """
        try:
            return quantize(self.quantizer, data)
        except ValueError as error:
            raise UnsupportedError(f"{self.quantizer.kind} {error}") from None

    def without_scale(self) -> WeightQuantizer:
        """The same quantizer with a scale of 1."""
        return self._with(alpha=1)

    def with_leading_axes(self, axes: int) -> WeightQuantizer:
        """The same quantizer for arrays with this many further axes in front."""
        axis: Any = self.quantizer.arguments.get("scale_axis")
        return self if axis is None else self._with(scale_axis=axis + axes)

    def _with(self, **changed: Value) -> WeightQuantizer:
        arguments = {**self.quantizer.arguments, **changed}
        return WeightQuantizer(
            Object(self.quantizer.kind, arguments), signs=self.is_sign, xnor=self._xnor
        )

    def serialize_class_name(self) -> str:
        """The class under which hls4ml saves this quantizer."""
        if self.is_sign:
            return f"{_HLS4ML}.QKerasBinaryQuantizer"
        kind = "PO2" if self.quantizer.kind == "quantized_po2" else ""
        return f"{_HLS4ML}.QKeras{kind}Quantizer"

    def serialize_state(self) -> dict[str, Any]:
        """The state that hls4ml saves of this quantizer."""
        state = {"config": plain(self.quantizer)}
        return {**state, "xnor": self._xnor} if self.is_sign else state


def _hls4ml_type(quantizer: Object, *, signs: bool, xnor: bool) -> tuple[int, Any]:
    """The width in bits and the type of hls4ml for a quantizer's values."""
    kind = quantizer.kind
    arguments: Mapping[str, Any] = quantizer.arguments
    if signs:
        return (1, XnorPrecisionType()) if xnor else (2, IntegerPrecisionType(2, signed=True))
    if kind == "quantized_po2":
        bits = arguments["bits"]
        return bits, ExponentPrecisionType(bits, signed=True)
    if kind == "quantized_bits":
        bits, integer = arguments["bits"], arguments["integer"]
        if bits == integer == 1:  # -1 and 1; hls4ml's one-bit type would lose the -1
            return bits, FixedPrecisionType(2, 2, signed=True)
        if bits == integer:
            return bits, IntegerPrecisionType(bits, signed=True)
        return bits, FixedPrecisionType(bits, integer + 1, signed=True)
    if "ternary" in kind:
        return 2, IntegerPrecisionType(2, signed=True)
    if "binary" in kind:
        return 1, XnorPrecisionType()
    return 16, FixedPrecisionType(16, 6, signed=True)


#: hls4ml's names of weights by QKeras' names, where they differ.
_CALLED = {"kernel": "weight"}


def _weights_handler(kind: str) -> Callable[..., tuple[dict[str, Any], list[int | None]]]:
    """A handler for one of QKeras' layers with weights."""
    roles = QUANTIZED_LAYERS[kind]

    def parse(
        keras_layer: dict[str, Any], input_names: Any, input_shapes: Any, data_reader: Any
    ) -> tuple[dict[str, Any], list[int | None]]:
        given = {**keras_layer, "class_name": kind}
        handlers = get_layer_handlers()
        if kind == "QConv2DBatchnorm":
            layer, shape = handlers["Conv2D"](given, input_names, input_shapes, data_reader)
            norm, shape = handlers["BatchNormalization"](given, input_names, [shape], data_reader)
            layer |= norm
        else:
            parse_plain = handlers[kind.removeprefix("Q")]
            layer, shape = parse_plain(given, input_names, input_shapes, data_reader)
        for role in roles:
            found = keras_layer["config"][f"{role}_quantizer"]
            layer[f"{_CALLED.get(role, role)}_quantizer"] = _made(kind, role, found)
        return layer, shape

    return parse


def _made(kind: str, role: str, quantizer: Object | None) -> WeightQuantizer | None:
    if quantizer is None:
        return None
    signs = "binary" in quantizer.kind and kind != "QBatchNormalization"
    return WeightQuantizer(quantizer, signs=signs, xnor=signs and role == "kernel")


def _parse_activation(
    keras_layer: dict[str, Any], input_names: Any, input_shapes: Any, data_reader: Any
) -> tuple[dict[str, Any], list[int | None]]:
    """Handle a QActivation; returns the same layer as hls4ml's own handler."""
    quantizer: Object = keras_layer["config"]["activation"]
    given = {**keras_layer, "class_name": "QActivation"}
    layer: dict[str, Any] = parse_default_keras_layer(given, input_names)
    kind, config = quantizer.kind, plain(quantizer)["config"]
    if kind in ("binary", "ternary"):
        kind += "_tanh"
    elif kind in ("binary_tanh", "ternary_tanh"):
        bits = 1 if kind == "binary_tanh" else 2
        config |= {"bits": bits, "integer": bits}
    elif kind == "quantized_bits":
        kind = "linear"
    what = kind.removeprefix("quantized_")
    layer |= {"class_name": "Activation", "activation": what}
    if kind == "ternary_tanh":
        threshold = config.get("threshold")
        layer["class_name"] = "TernaryTanh"
        layer["threshold"] = _TERNARY_THRESHOLD if threshold is None else threshold
    elif what in ("sigmoid", "tanh") and not config[f"use_real_{what}"]:
        half = FixedPrecisionType(2, 0, signed=False)
        layer |= {"class_name": "HardActivation", "activation": f"hard_{what}"}
        layer |= {"slope": 0.5, "shift": 0.5, "slope_prec": half}
        layer["shift_prec"] = FixedPrecisionType(2, 0, signed=False)
    elif what == "relu" and config["negative_slope"] != 0:
        layer |= {"class_name": "LeakyReLU", "activation": "leaky_relu"}
        layer["activ_param"] = config["negative_slope"]
    layer["activation_quantizer"] = {"class_name": kind, "config": config}
    layer["trusted"] = True
    return layer, list(input_shapes[0])


def register() -> None:
    """Register the handlers in hls4ml's parser, if they aren't there yet."""
    if f"{OURS}QActivation" in get_layer_handlers():
        return
    for kind in QUANTIZED_LAYERS:
        register_keras_v2_layer_handler(f"{OURS}{kind}", _weights_handler(kind))
    register_keras_v2_layer_handler(f"{OURS}QActivation", _parse_activation)

"""Checks of Keras architectures and weights: what hls4ml would misread is refused by name."""

from __future__ import annotations

import difflib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.quiet import quiet

Weights = dict[str, dict[str, NDArray[Any]]]

# Layers that do nothing at inference; hls4ml knows how to skip the first.
_IDENTITY = {
    "Dropout",
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
}
# hls4ml reads these, but the weights of the layers within are laid out in many ways.
_NESTED = {"Functional", "Model", "Sequential", "TimeDistributed", "Bidirectional"}
_ACTIVATIONS = {
    "binary_tanh",
    "elu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "relu",
    "relu1",
    "relu6",
    "selu",
    "sigmoid",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "ternary_tanh",
}
_QUANTIZER = re.compile(
    r"(quantized_\w+|(stochastic_)?(binary|ternary)(_tanh)?|bernoulli)(\(.*\))?"
)
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def check_model(origin: str, architecture: Any, weights: Weights, weights_origin: str) -> None:
    """Check an architecture and its weights against each other.

    Args:
        origin: What the user calls the architecture.
        architecture: As Keras 2 saves it; reworded in place where hls4ml knows a layer by another
            name.
        weights: Arrays by layer and name of the weight.
        weights_origin: What the user calls the weights.

    Raises:
        InputError: naming file, layer and what would be right.
    """
    layers = check_architecture(origin, architecture)
    names = [layer["config"]["name"] for layer in layers]
    for name, arrays in weights.items():
        if name not in names:
            raise InputError(
                f"{weights_origin}: weights of a layer '{name}', which {origin} doesn't have"
                f"{near(name, names)}"
            )
        for key, array in arrays.items():
            if not np.isfinite(array).all():
                where = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
                raise InputError(
                    f"{weights_origin}: layer '{name}': weight '{key}' at {where} is "
                    f"{array[tuple(where)]}"
                )
    for layer in layers:
        _check_weights(weights_origin, layer, weights.get(layer["config"]["name"], {}))


def near(name: str, names: list[str]) -> str:
    """A hint with names close to `name`, or with all of them where there are few."""
    matches = difflib.get_close_matches(name, names, n=3)
    if matches:
        return f"; did you mean {' or '.join(repr(match) for match in matches)}?"
    return f"; there are {', '.join(names)}" if len(names) <= 20 else ""


def refuse_lambda(origin: str, node: Any) -> None:
    """Lambda layers carry code: refuse them wherever they are nested, before Keras sees them."""
    if isinstance(node, list):
        for item in node:
            refuse_lambda(origin, item)
    elif isinstance(node, dict):
        if node.get("class_name") in ("Lambda", "__lambda__", "function") and "config" in node:
            config = node["config"]
            name = config.get("name", "") if isinstance(config, dict) else ""
            if node["class_name"] != "function":
                raise UnsupportedError(
                    f"{origin}: layer '{name}' is a Lambda, which carries code; "
                    "models run none of their own code here: replace it with a layer"
                )
        for item in node.values():
            refuse_lambda(origin, item)


def check_architecture(origin: str, architecture: Any) -> list[dict[str, Any]]:
    """Check that the architecture is a Keras 2 one of known layers; return the layers.

    Layers that hls4ml would read differently from Keras are refused, or said in its words.
    """
    if not isinstance(architecture, dict) or architecture.get("class_name") not in (
        "Sequential",
        "Functional",
        "Model",
    ):
        raise InputError(
            f"{origin}: not the architecture of a Sequential or Functional Keras model"
        )
    config = architecture.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not layers:
        raise InputError(f"{origin}: the architecture lists no layers")
    refuse_lambda(origin, architecture)
    with quiet():
        from hls4ml.converters import get_supported_keras_layers
    supported = (set(get_supported_keras_layers()) | _IDENTITY) - _NESTED
    for layer in layers:
        if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
            raise InputError(f"{origin}: the architecture holds a layer without a configuration")
        kind = str(layer.get("class_name"))
        layer["config"].setdefault("name", layer.get("name", kind.lower()))
        name = str(layer["config"]["name"])
        if kind in _NESTED:
            raise UnsupportedError(
                f"{origin}: layer '{name}' is a {kind}; only plain layers are read"
            )
        if kind not in supported:
            raise InputError(
                f"{origin}: layer '{name}' is of class {kind}, which hls4ml doesn't know"
                f"{near(kind, sorted(supported))}"
            )
        if not _IDENTIFIER.fullmatch(name):
            raise InputError(
                f"{origin}: layer name '{name}' can't name hardware; use letters, digits and _"
            )
        if "batch_shape" in layer["config"] or isinstance(
            next(iter(layer.get("inbound_nodes") or ()), None), dict
        ):
            raise InputError(
                f"{origin}: written by Keras 3; save it from tf-keras, or as a .keras file"
            )
        nodes = layer.get("inbound_nodes") or ()
        if len(nodes) > 1:
            raise UnsupportedError(
                f"{origin}: layer '{name}' is used {len(nodes)} times; "
                "give each use a layer of its own"
            )
        _check_meaning(origin, name, layer)
    return layers


def _check_meaning(origin: str, name: str, layer: dict[str, Any]) -> None:
    """Refuse what hls4ml would misread; reword what it knows by another name."""
    config = layer["config"]
    if layer["class_name"] in _IDENTITY:
        layer["class_name"] = "Dropout"
    if layer["class_name"] == "ReLU":
        slope = config.get("negative_slope") or 0
        limit = config.get("max_value")
        if limit in (1, 6) and not slope and not config.get("threshold"):
            layer["class_name"], config["activation"] = "Activation", f"relu{limit:.0f}"
        elif limit is not None or (config.get("threshold") or 0) != 0:
            raise UnsupportedError(
                f"{origin}: layer '{name}': hls4ml clips a ReLU at 1 or 6 only, without slope or "
                "threshold; use a quantized_relu of the range wanted, or a ThresholdedReLU"
            )
        if slope:
            layer["class_name"], config["alpha"] = "LeakyReLU", slope
    if layer["class_name"] == "Softmax" and config.get("axis", -1) == -1:
        # hls4ml writes C++ for the layer that does not compile, and for the activation it does.
        layer["class_name"], config["activation"] = "Activation", "softmax"
    _check_geometry(origin, name, config)
    activation = config.get("activation")
    if isinstance(activation, str):
        known = activation in _ACTIVATIONS
        quantizer = _QUANTIZER.fullmatch(activation) is not None
        if not known and not (quantizer and layer["class_name"] == "QActivation"):
            hint = (
                "; put it in a QActivation" if quantizer else near(activation, sorted(_ACTIVATIONS))
            )
            raise UnsupportedError(
                f"{origin}: layer '{name}': hls4ml has no activation '{activation}'{hint}"
            )
    for key, value in config.items():
        if not (key == "activation" or key.endswith("_quantizer")):
            continue
        quantizer_class = value.get("class_name") if isinstance(value, dict) else value
        if (
            key != "activation"
            and quantizer_class is not None
            and not _QUANTIZER.fullmatch(str(quantizer_class))
        ):
            raise InputError(
                f"{origin}: layer '{name}': {key} '{quantizer_class}' is not one of QKeras"
            )
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            bound = value["config"].get("relu_upper_bound")
            if bound is not None:
                raise UnsupportedError(
                    f"{origin}: layer '{name}': hls4ml drops relu_upper_bound={bound} of "
                    f"{quantizer_class}; choose the integer bits so that the type ends there"
                )


def _check_geometry(origin: str, name: str, config: dict[str, Any]) -> None:
    """Refuse what hls4ml's parser passes over in layers with windows."""

    def extents(value: Any) -> list[int]:
        return [int(v) for v in value] if isinstance(value, list | tuple) else [int(value)]

    for key, wanted, instead in (
        ("data_format", "channels_last", "channels_last"),
        ("interpolation", "nearest", "nearest"),
        ("keepdims", False, "keepdims=False and a Reshape"),
    ):
        if config.get(key, wanted) != wanted:
            raise UnsupportedError(
                f"{origin}: layer '{name}': {key}={config[key]!r} is not supported; use {instead}"
            )
    for key in ("dilation_rate", "groups", "depth_multiplier"):
        if any(extent != 1 for extent in extents(config.get(key, 1))):
            raise UnsupportedError(
                f"{origin}: layer '{name}': {key}={config[key]}; hls4ml does 1 only"
            )


def _check_weights(origin: str, layer: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Check that a layer has the weights that its configuration implies, as far as that says."""
    config, name = layer["config"], layer["config"]["name"]
    expected: dict[str, tuple[int | None, ...]] = {}
    kind = layer["class_name"].removeprefix("Q").removeprefix("Binary").removeprefix("Ternary")
    kind, batchnorm = kind.removesuffix("Batchnorm"), kind.endswith(("Batchnorm", "Normalization"))
    units = config.get("units", config.get("filters"))
    if kind == "Dense":
        expected["kernel"] = (None, units)
    elif kind in ("Conv1D", "Conv2D"):
        expected["kernel"] = (*config["kernel_size"], None, units)
    elif kind.startswith(("DepthwiseConv", "SeparableConv")):
        channels = arrays["depthwise_kernel"].shape[-2:-1] if "depthwise_kernel" in arrays else (1,)
        expected["depthwise_kernel"] = (*config["kernel_size"], None, config["depth_multiplier"])
        if kind.startswith("Separable"):
            ones = (1,) * len(config["kernel_size"])
            expected["pointwise_kernel"] = (*ones, *channels, units)
        units = channels[0] if units is None else units
    elif kind == "Embedding":
        expected["embeddings"] = (config["input_dim"], config["output_dim"])
    if batchnorm and kind != "LayerNormalization":
        expected |= {"moving_mean": (units,), "moving_variance": (units,)}
        expected |= {"gamma": (units,)} if config.get("scale", True) else {}
        expected |= {"beta": (units,)} if config.get("center", True) else {}
    if ("Conv" in kind or kind == "Dense") and config.get("use_bias", True):
        expected["bias"] = (units,)
    for key, shape in expected.items():
        array = arrays.get(key)
        if array is None:
            raise InputError(f"{origin}: layer '{name}' lacks its weight '{key}'")
        if array.ndim != len(shape) or any(
            want is not None and want != got for want, got in zip(shape, array.shape, strict=True)
        ):
            want = ", ".join("any" if extent is None else str(extent) for extent in shape)
            raise InputError(
                f"{origin}: layer '{name}': weight '{key}' has shape {list(array.shape)}, "
                f"the architecture says [{want}]"
            )

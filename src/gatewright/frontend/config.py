"""hls4ml's configuration from our options: defaults, and what the user set per layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.honoured import PARTS, Setting
from gatewright.frontend.messages import near
from gatewright.frontend.precision import SAFE_DEFAULT, Choices, write_precision
from gatewright.hlsconfig import plain_type, setting_name
from gatewright.options import (
    DEFAULT_PRECISION,
    HARDWARE_CHOICES,
    STRATEGIES,
    ConvertOptions,
)

LayerList = list[dict[str, Any]]

#: Layers whose C++ has a version for hls4ml's strategy Resource.
_WITH_RESOURCE = ("Dense", "Conv1D", "Conv2D")
#: Layers of Keras that multiply by weights.
_MULTIPLYING = (
    "BatchNormalization",
    "BinaryDense",
    "Dense",
    "TernaryDense",
    *(f"{kind}Conv{dim}D" for kind in ("", "Depthwise", "Separable") for dim in (1, 2)),
)


@dataclass(frozen=True)
class Asked:
    """What was asked of the hardware, layer by layer, before hls4ml moves or drops any of it.

    Attributes:
        layers: By layer of the model, then by key: `strategy`, `reuse_factor` and the keys of
            `HARDWARE_CHOICES`.
        default: The same keys for layers that hls4ml adds.
        settings: What the user set for layers.
    """

    layers: dict[str, dict[str, str | int]]
    default: dict[str, str | int]
    settings: list[Setting] = field(default_factory=list)

    def of(self, node: str) -> dict[str, str | int]:
        """What was asked of a node of the graph, or of the layer that it is a part of."""
        parents = (node.removesuffix(part) for part in PARTS)
        name = next((n for n in (node, *parents) if n in self.layers), None)
        return self.default if name is None else self.layers[name]


def default_precision(options: ConvertOptions) -> str:
    """The model's default type: what the user says, else the one of the kind of inference."""
    return options.precision or (
        DEFAULT_PRECISION if options.inference == "hls4ml" else SAFE_DEFAULT
    )


def configure(
    config: dict[str, Any],
    layers: LayerList,
    options: ConvertOptions,
    backend: Any,
    labels: Mapping[str, str],
    inputs: Mapping[str, FixedType],
) -> tuple[Choices, Asked]:
    """Apply the options to a configuration that hls4ml made, with granularity "name".

    Args:
        config: hls4ml's configuration; changed in place.
        layers: The layers that hls4ml parsed.
        options: Resolved options.
        backend: hls4ml's backend object, which knows what can be configured per layer.
        labels: What the model calls layers that are named otherwise here.
        inputs: Types of inputs, by calibration samples.

    Returns:
        The user's choices of types, and what was asked of the hardware.

    Raises:
        InputError: if a setting names an unknown layer, key or value.
    """
    names = config["LayerName"]
    chosen = copy.deepcopy(names)
    user: set[tuple[str, str]] = set()
    default: dict[str, str | int] = {key: choices[0] for key, choices in HARDWARE_CHOICES.items()}
    default |= {"strategy": str(options.strategy), "reuse_factor": int(options.reuse_factor or 1)}
    asked = Asked({layer["name"]: dict(default) for layer in layers}, default)
    for layer in layers:
        entry = names.setdefault(layer["name"], {})
        entry["Trace"] = True
        if layer["class_name"] in ("InputLayer", "Input"):
            to = inputs.get(layer["name"])
            if options.input_precision is not None:
                write_precision(entry, "result", _type("input precision", options.input_precision))
                user.add((layer["name"], "result"))
            else:
                write_precision(entry, "result", DEFAULT_PRECISION if to is None else str(to))
        elif layer["class_name"] == "Dot":
            # hls4ml's inference fails on it where it finds this type open.
            write_precision(entry, "accum", default_precision(options))
    for key, value in (*options.hls_settings, *options.settings):
        selector, path = _parted(key, labels)
        if not path:
            raise InputError(f"setting '{key}={value}': write layer.key=value")
        is_hls4mls = (key, value) in options.hls_settings
        selected = _selected(key, selector, layers, labels)
        if not is_hls4mls:  # hls4ml drops what its own configurations say of layers that go
            names_of = tuple(layer["name"] for layer in selected)
            asked.settings.append(Setting(key, path, value, names_of))
        for layer in selected:
            name = layer["name"]
            if is_hls4mls and _is_chosen(chosen.get(name, {}), path, value):
                continue
            if path == "strategy" or path in HARDWARE_CHOICES:
                asked.layers[name][path] = _choice(key, path, value)
            else:
                _set(names[name], layer, key, path, value, user, backend)
    for layer in layers:
        _pass_on(names[layer["name"]], layer, asked.layers[layer["name"]], backend)
    return Choices(user, names), asked


def _is_chosen(entry: Mapping[str, Any], path: str, value: str) -> bool:
    """Whether a setting says what hls4ml chose for the layer of itself."""
    first, _, what = path.partition(".")
    if first != "precision":
        said = {setting_name(str(key)): each for key, each in entry.items()}
        return str(said.get(path)) == value
    own = str(entry.get("Precision", {}).get(what, entry.get(f"{what}_t")))
    if "auto" in (own, value):
        return own == value
    return _canonical(own) == _canonical(value)


def _canonical(text: str) -> str:
    try:
        return str(FixedType.parse(plain_type(text)))
    except InputError:
        return text


def _choice(key: str, path: str, value: str) -> str:
    choices = HARDWARE_CHOICES.get(path, STRATEGIES)
    if value not in choices:
        raise InputError(
            f"setting '{key}': {path} '{value}' does not exist; there are {', '.join(choices)}"
        )
    return value


def _pass_on(
    entry: dict[str, Any], layer: dict[str, Any], asked: dict[str, str | int], backend: Any
) -> None:
    """Tell hls4ml what was asked of a layer, as far as its C++ keeps its meaning."""
    kind = layer["class_name"].removeprefix("Q").removesuffix("Batchnorm")
    asked["reuse_factor"] = reuse = int(entry.get("ReuseFactor", asked["reuse_factor"]))
    # hls4ml's own adder graphs take minutes and leave no weights; the numbers are Latency's.
    if asked["strategy"] == "resource" and kind in _WITH_RESOURCE:
        entry["Strategy"] = "Resource"
        if kind == "Dense" or {layer["filt_width"], layer.get("filt_height", 1)} == {1}:
            # hls4ml moves the factor, and forgets that when it makes the layer a pointwise one.
            size = [layer["n_chan"], layer["n_filt"]] if "n_chan" in layer else None
            valid = backend.get_valid_reuse_factors(*(size or [layer["n_in"], layer["n_out"]]))
            entry["ReuseFactor"] = backend.get_closest_reuse_factor(valid, reuse)
    if kind not in _MULTIPLYING:
        return
    if asked["strategy"] == "distributed_arithmetic" and reuse > 1:
        raise InputError(
            f"layer '{layer['name']}': strategy distributed_arithmetic is fully unrolled; "
            f"its reuse factor must be 1, not {reuse}"
        )


def _type(key: str, value: str) -> str:
    try:
        return str(FixedType.parse(value))
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _parted(key: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """The selector and the key of a layer's setting; the model's own names may have dots."""
    for label in labels.values():
        if key.startswith(f"{label}."):
            return label, key[len(label) + 1 :]
    selector, _, path = key.partition(".")
    return selector, path


def _selected(key: str, selector: str, layers: LayerList, labels: Mapping[str, str]) -> LayerList:
    """The layers of that name, else those of that class in Keras' or hls4ml's words."""
    from hls4ml.model.layers import layer_map

    by_name = [layer for layer in layers if selector in (layer["name"], labels.get(layer["name"]))]
    if by_name:
        return by_name
    if selector in layer_map:
        return [
            layer
            for layer in layers
            if selector in (layer["class_name"], layer_map[layer["class_name"]].__name__)
        ]
    names = [labels.get(layer["name"], layer["name"]) for layer in layers]
    raise InputError(
        f"setting '{key}': no layer and no class of layers '{selector}'{near(selector, names)}"
    )


#: Ends of the names of types that no value of the model has.
_NO_VALUES = ("table", "inp_norm", "inv_inp")


def _is_quantized(layer: dict[str, Any], what: str) -> bool:
    """Whether a quantizer of the model sets a type of a layer."""
    quantizers = [f"{what}_quantizer"]
    if what == "weight" and "Depthwise" in layer["class_name"]:
        quantizers.append("depthwise_quantizer")
    return what != "activation" and any(layer.get(name) is not None for name in quantizers)


def _set(
    entry: dict[str, Any],
    layer: dict[str, Any],
    key: str,
    path: str,
    value: str,
    user: set[tuple[str, str]],
    backend: Any,
) -> None:
    """Set one key of one layer."""
    from hls4ml.model.attributes import ChoiceAttribute, TypeAttribute
    from hls4ml.model.layers import layer_map

    kind = layer_map[layer["class_name"]]
    attributes = {
        attribute.name: attribute
        for attribute in backend.create_layer_class(kind).expected_attributes
        if attribute.configurable
    }
    types = [
        name.removesuffix("_t") for name, a in attributes.items() if isinstance(a, TypeAttribute)
    ]
    types += ["inp_norm"] if kind.__name__ == "Softmax" else []
    first, _, what = path.partition(".")
    if path == "precision.default":
        for what in types:
            if not _is_quantized(layer, what) and not what.endswith(_NO_VALUES):
                _set(entry, layer, key, f"precision.{what}", value, user, backend)
        return
    if first == "precision":
        if what not in types:
            raise InputError(
                f"setting '{key}': layer '{layer['name']}' has no precision '{what}'"
                f"; there are {', '.join('precision.' + t for t in types)}"
            )
        if _is_quantized(layer, what):
            raise InputError(
                f"setting '{key}': the model's own quantizer sets the type of '{what}' "
                f"of layer '{layer['name']}'"
            )
        text = "auto" if value == "auto" else _type(f"setting '{key}'", value)
        write_precision(entry, what, text)
        if text == "auto":
            user.discard((layer["name"], what))
        else:
            user.add((layer["name"], what))
        return
    plain = {
        n: a for n, a in attributes.items() if not isinstance(a, TypeAttribute) and n != "trace"
    }
    if path not in plain:
        known = ["strategy", *HARDWARE_CHOICES, *sorted(plain), *("precision." + t for t in types)]
        raise InputError(
            f"setting '{key}': layer '{layer['name']}' has no '{path}'; "
            f"there are {', '.join(known)}"
        )
    attribute = plain[path]
    if isinstance(attribute, ChoiceAttribute):
        if value not in attribute.choices:
            raise InputError(
                f"setting '{key}': '{value}' does not exist; "
                f"there are {', '.join(attribute.choices)}"
            )
        entry[attribute.config_name] = value
    elif attribute.value_type is bool:
        if value.lower() not in ("true", "false"):
            raise InputError(f"setting '{key}': '{value}' is neither true nor false")
        entry[attribute.config_name] = value.lower() == "true"
    else:
        try:
            number = int(value)
        except ValueError:
            raise InputError(f"setting '{key}': '{value}' is not an integer") from None
        if path in ("reuse_factor", "table_size", "parallelization_factor") and number < 1:
            raise InputError(f"setting '{key}': {number}: must be at least 1")
        entry[attribute.config_name] = number

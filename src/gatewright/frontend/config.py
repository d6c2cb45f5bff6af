"""hls4ml's configuration from Gatewright's options: defaults, and the user's settings of layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.hls_config import plain_type, setting_name
from gatewright.frontend.honoured import PARTS, Setting
from gatewright.frontend.messages import near
from gatewright.frontend.precision import SAFE_DEFAULT, Choices, write_precision
from gatewright.hlsgraph import garnet
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
class HardwareRequests:
    """What the user requests of the hardware, before hls4ml changes or drops requests.

    Attributes:
        layers: By layer of the model, then by key: `strategy`, `reuse_factor` and the keys of
            `HARDWARE_CHOICES`.
        default: The same keys for layers that hls4ml adds.
        settings: The user's settings of layers.
    """

    layers: dict[str, dict[str, str | int]]
    default: dict[str, str | int]
    settings: list[Setting] = field(default_factory=list)

    def of(self, node: str) -> dict[str, str | int]:
        """The requests for a node of the graph, or for the layer that it is a part of."""
        parents = (node.removesuffix(part) for part in PARTS)
        name = next((n for n in (node, *parents) if n in self.layers), None)
        return self.default if name is None else self.layers[name]


def default_precision(options: ConvertOptions) -> str:
    """The model's default type: the user's, else the default of the kind of type inference."""
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
) -> tuple[Choices, HardwareRequests]:
    """Apply the options to a configuration that hls4ml made, with granularity "name".

    Args:
        config: hls4ml's configuration; changed in place.
        layers: The layers that hls4ml parsed.
        options: Resolved options.
        backend: hls4ml's backend object, which knows what can be configured per layer.
        labels: The model's own names of layers that were renamed, by new name.
        inputs: Types of inputs that calibration data gave, by input.

    Returns:
        The user's choices of types, and the requests for the hardware.

    Raises:
        InputError: if a setting names an unknown layer, key or value.
    """
    names = config["LayerName"]
    chosen = copy.deepcopy(names)
    user: set[tuple[str, str]] = set()
    default: dict[str, str | int] = {key: choices[0] for key, choices in HARDWARE_CHOICES.items()}
    default |= {"strategy": str(options.strategy), "reuse_factor": int(options.reuse_factor or 1)}
    requests = HardwareRequests({layer["name"]: dict(default) for layer in layers}, default)
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
            # hls4ml's type inference fails on this layer if this type isn't set.
            write_precision(entry, "accum", default_precision(options))
    for key, value in (*options.hls_settings, *options.settings):
        selector, path = _parted(key, labels)
        if not path:
            raise InputError(f"setting '{key}={value}': write layer.key=value")
        is_hls4mls = (key, value) in options.hls_settings
        selected = _selected(key, selector, layers, labels)
        if not is_hls4mls:  # hls4ml ignores its own settings of layers that it drops
            names_of = tuple(layer["name"] for layer in selected)
            requests.settings.append(Setting(key, path, value, names_of))
        for layer in selected:
            name = layer["name"]
            if is_hls4mls and _is_chosen(chosen.get(name, {}), path, value):
                continue
            if path == "strategy" or path in HARDWARE_CHOICES:
                requests.layers[name][path] = _choice(key, path, value)
            else:
                _Setter(names[name], layer, user, backend).set(key, path, value)
    for layer in layers:
        _pass_on(names[layer["name"]], layer, requests.layers[layer["name"]], backend)
    return Choices(user, names), requests


def _is_chosen(entry: Mapping[str, Any], path: str, value: str) -> bool:
    """Whether a setting has the value that hls4ml had chosen for the layer anyway."""
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
            f"setting '{key}': {path} '{value}' does not exist; choose from {', '.join(choices)}"
        )
    return value


def _pass_on(
    entry: dict[str, Any], layer: dict[str, Any], request: dict[str, str | int], backend: Any
) -> None:
    """Pass a layer's requests on to hls4ml where they mean the same in its C++."""
    kind = layer["class_name"].removeprefix("Q").removesuffix("Batchnorm")
    request["reuse_factor"] = reuse = int(entry.get("ReuseFactor", request["reuse_factor"]))
    # hls4ml never gets distributed arithmetic: its own adder graphs take minutes and leave no
    # weights. Strategy Latency gives the same numbers.
    if request["strategy"] == "resource" and kind in _WITH_RESOURCE:
        entry["Strategy"] = "Resource"
        if kind == "Dense" or {layer["filt_width"], layer.get("filt_height", 1)} == {1}:
            # hls4ml rounds the reuse factor to a valid one, and loses that if it makes the layer a
            # pointwise convolution.
            size = [layer["n_chan"], layer["n_filt"]] if "n_chan" in layer else None
            valid = backend.get_valid_reuse_factors(*(size or [layer["n_in"], layer["n_out"]]))
            entry["ReuseFactor"] = backend.get_closest_reuse_factor(valid, reuse)
    if kind == "GarNet" and layer["n_vertices"] % reuse:
        raise InputError(
            f"layer '{layer['name']}': its reuse factor, {reuse}, must divide its "
            f"{layer['n_vertices']} vertices; set {layer['name']}.reuse_factor"
        )
    if kind not in _MULTIPLYING:
        return
    if request["strategy"] == "distributed_arithmetic" and reuse > 1:
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
    """The selector and the key of a setting. The model's own names of layers may have dots."""
    for label in labels.values():
        if key.startswith(f"{label}."):
            return label, key[len(label) + 1 :]
    selector, _, path = key.partition(".")
    return selector, path


def _selected(key: str, selector: str, layers: LayerList, labels: Mapping[str, str]) -> LayerList:
    """The layers with that name, else the layers of that class of Keras or hls4ml."""
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
        f"setting '{key}': there is no layer or class of layers '{selector}'{near(selector, names)}"
    )


#: Types that can be set although hls4ml declares no attribute for them, by its class of layers.
_LOOKED_UP = {"Softmax": ("inp_norm",), "GarNet": garnet.LOOKED_UP}

_AT_LEAST_ONE = ("reuse_factor", "table_size", "parallelization_factor")

#: Endings of names of types that only hls4ml's internal tables use.
_NO_VALUES = ("table", "inp_norm", "inv_inp")


def _is_quantized(layer: dict[str, Any], what: str) -> bool:
    """Whether a quantizer of the model sets this type of the layer."""
    quantizers = [f"{what}_quantizer"]
    if what == "weight" and "Depthwise" in layer["class_name"]:
        quantizers.append("depthwise_quantizer")
    return what != "activation" and any(layer.get(name) is not None for name in quantizers)


class _Setter:
    """Sets keys of one layer.

    Args:
        entry: The layer's part of hls4ml's configuration; changed in place.
        layer: The layer as hls4ml parsed it.
        user: Types and keys that the user has set, as (layer, name); changed in place.
        backend: hls4ml's backend object, which knows what can be configured.
    """

    def __init__(
        self,
        entry: dict[str, Any],
        layer: dict[str, Any],
        user: set[tuple[str, str]],
        backend: Any,
    ) -> None:
        from hls4ml.model.attributes import TypeAttribute
        from hls4ml.model.layers import layer_map

        self.entry, self.layer, self.user = entry, layer, user
        kind = layer_map[layer["class_name"]]
        known = backend.create_layer_class(kind).expected_attributes
        configurable = [attribute for attribute in known if attribute.configurable]
        self.types = list(_LOOKED_UP.get(kind.__name__, ()))
        self.others = {}
        for attribute in configurable:
            if isinstance(attribute, TypeAttribute):
                self.types.append(attribute.name.removesuffix("_t"))
            elif attribute.name != "trace":
                self.others[attribute.name] = attribute

    def set(self, key: str, path: str, value: str) -> None:
        """Set a key.

        Args:
            key: The setting as the user wrote it, for messages.
            path: The key within the layer.
            value: The new value.

        Raises:
            InputError: if the layer has no such key, or the value is wrong.
        """
        first, _, what = path.partition(".")
        if path == "precision.default":
            for each in self.types:
                if not _is_quantized(self.layer, each) and not each.endswith(_NO_VALUES):
                    self._set_precision(key, each, value)
        elif first == "precision":
            self._set_precision(key, what, value)
        else:
            self._set_other(key, path, value)

    def _set_precision(self, key: str, what: str, value: str) -> None:
        if what not in self.types:
            raise InputError(
                f"setting '{key}': layer '{self.layer['name']}' has no precision '{what}'"
                f"; choose from {', '.join('precision.' + t for t in self.types)}"
            )
        if _is_quantized(self.layer, what):
            raise InputError(
                f"setting '{key}': the model's own quantizer sets the type of '{what}' "
                f"of layer '{self.layer['name']}'"
            )
        text = "auto" if value == "auto" else _type(f"setting '{key}'", value)
        write_precision(self.entry, what, text)
        if text == "auto" and what in garnet.LOOKED_UP:
            del self.entry["Precision"][what]  # where it is missing, hls4ml has a type of its own
        change = self.user.discard if text == "auto" else self.user.add
        change((self.layer["name"], what))

    def _set_other(self, key: str, path: str, value: str) -> None:
        if path not in self.others:
            types = ("precision." + each for each in self.types)
            known = ["strategy", *HARDWARE_CHOICES, *sorted(self.others), *types]
            raise InputError(
                f"setting '{key}': layer '{self.layer['name']}' has no '{path}'; "
                f"choose from {', '.join(known)}"
            )
        attribute = self.others[path]
        self.entry[attribute.config_name] = _value_of(attribute, key, value)
        self.user.add((self.layer["name"], attribute.config_name))


def _value_of(attribute: Any, key: str, value: str) -> str | bool | int:
    """The value of an attribute of hls4ml from its text."""
    from hls4ml.model.attributes import ChoiceAttribute

    if isinstance(attribute, ChoiceAttribute):
        if value not in attribute.choices:
            raise InputError(
                f"setting '{key}': '{value}' does not exist; "
                f"choose from {', '.join(attribute.choices)}"
            )
        return value
    if attribute.value_type is bool:
        if value.lower() not in ("true", "false"):
            raise InputError(f"setting '{key}': '{value}' is neither true nor false")
        return value.lower() == "true"
    try:
        number = int(value)
    except ValueError:
        raise InputError(f"setting '{key}': '{value}' is not an integer") from None
    if attribute.name in _AT_LEAST_ONE and number < 1:
        raise InputError(f"setting '{key}': {number}: must be at least 1")
    return number

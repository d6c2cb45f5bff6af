"""hls4ml's configuration from our options: defaults, and what the user set per layer."""

from __future__ import annotations

from typing import Any

from gatewright.errors import InputError
from gatewright.fixed import FixedType
from gatewright.frontend.check import near
from gatewright.frontend.precision import SAFE_DEFAULT, Choices, write_precision
from gatewright.options import DEFAULT_PRECISION, STRATEGIES, ConvertOptions

LayerList = list[dict[str, Any]]


def default_precision(options: ConvertOptions) -> str:
    """The model's default type: what the user says, else the one of the kind of inference."""
    return options.precision or (
        DEFAULT_PRECISION if options.inference == "hls4ml" else SAFE_DEFAULT
    )


def configure(
    config: dict[str, Any], layers: LayerList, options: ConvertOptions, backend: Any
) -> tuple[Choices, dict[str, str]]:
    """Apply the options to a configuration that hls4ml made, with granularity "name".

    Args:
        config: hls4ml's configuration; changed in place.
        layers: The layers that hls4ml parsed.
        options: Resolved options.
        backend: hls4ml's backend object, which knows what can be configured per layer.

    Returns:
        The user's choices of types, and the strategy asked for by layer.

    Raises:
        InputError: if a setting names an unknown layer, key or value.
    """
    names = config["LayerName"]
    config["Model"]["Strategy"] = _hls4ml_strategy(str(options.strategy))
    user: set[tuple[str, str]] = set()
    strategies = {layer["name"]: str(options.strategy) for layer in layers}
    for layer in layers:
        entry = names.setdefault(layer["name"], {})
        entry["Trace"] = True
        if layer["class_name"] in ("InputLayer", "Input"):
            entry.setdefault("Precision", {})["result"] = _type(
                "input precision", str(options.input_precision)
            )
            user.add((layer["name"], "result"))
    for key, value in options.settings:
        selector, dot, path = key.partition(".")
        if not dot or not path:
            raise InputError(f"setting '{key}={value}': write layer.key=value")
        for layer in _selected(key, selector, layers):
            name = layer["name"]
            if path == "strategy":
                strategies[name] = _strategy(key, value)
                names[name]["Strategy"] = _hls4ml_strategy(value)
            else:
                _set(names[name], layer, key, path, value, user, backend)
    return Choices(user, names), strategies


def _hls4ml_strategy(strategy: str) -> str:
    # The emulation's numbers don't depend on it, and hls4ml's own adder graphs take minutes.
    return "Resource" if strategy == "resource" else "Latency"


def _strategy(key: str, value: str) -> str:
    if value not in STRATEGIES:
        raise InputError(
            f"setting '{key}': strategy '{value}' does not exist; there are {', '.join(STRATEGIES)}"
        )
    return value


def _type(key: str, value: str) -> str:
    try:
        return str(FixedType.parse(value))
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _selected(key: str, selector: str, layers: LayerList) -> LayerList:
    """The layers of that name, else those of that class in Keras' or hls4ml's words."""
    from hls4ml.model.layers import layer_map

    by_name = [layer for layer in layers if layer["name"] == selector]
    if by_name:
        return by_name
    if selector in layer_map:
        return [
            layer
            for layer in layers
            if selector in (layer["class_name"], layer_map[layer["class_name"]].__name__)
        ]
    names = [layer["name"] for layer in layers]
    raise InputError(
        f"setting '{key}': no layer and no class of layers '{selector}'{near(selector, names)}"
    )


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
    if first == "precision":
        if what not in types:
            raise InputError(
                f"setting '{key}': layer '{layer['name']}' has no precision '{what}'"
                f"; there are {', '.join('precision.' + t for t in types)}"
            )
        if layer.get(f"{what}_quantizer") is not None and what != "activation":
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
        known = ["strategy", *sorted(plain), *("precision." + t for t in types)]
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
        if path in ("reuse_factor", "table_size") and number < 1:
            raise InputError(f"setting '{key}': {number}: must be at least 1")
        entry[attribute.config_name] = number

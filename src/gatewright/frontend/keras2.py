"""A network as an architecture of Keras 2, for hls4ml's parser and tf-keras.

It is built from the typed description alone, so that no text of a model's file is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from numpy.typing import NDArray

from gatewright.frontend.kinds import KINDS, MADE_BY_READERS, PACKAGE, RECURRENT
from gatewright.frontend.layer_names import identifier_of
from gatewright.frontend.network import Layer, Network, Object, Value
from gatewright.frontend.quantizers import QUANTIZERS

#: Prefix of the class names that Gatewright's handlers register in hls4ml's parser.
OURS: Final = "Gatewright>"

_QUANTIZER: Final = "_quantizer"
#: Layers of QKeras with weights, each with the names of the weights that it quantizes.
QUANTIZED_LAYERS: Final = {
    name: roles
    for name, kind in KINDS.items()
    if name not in RECURRENT
    and (roles := [k.removesuffix(_QUANTIZER) for k in kind.arguments if k.endswith(_QUANTIZER)])
}


def architecture(network: Network, *, training: bool = False) -> dict[str, Any]:
    """The architecture in the form that tf-keras writes.

    Args:
        network: The network.
        training: Whether to include settings that matter in training only. Arguments with their
            default value are then left out, as some classes don't take every argument of their
            table.
    """
    taken = {layer.name for layer in network.layers}
    outermost: dict[str, str] = {}
    for layer in network.layers:
        name = identifier_of(f"{layer.name}_steps", taken) if layer.over else layer.name
        taken.add(name)
        outermost[layer.name] = name
    return {
        "class_name": "Functional",
        "config": {
            "name": network.name,
            "layers": [_entry(layer, outermost, training) for layer in network.layers],
            "input_layers": [[outermost[name], 0, 0] for name in network.inputs],
            "output_layers": [[outermost[name], 0, 0] for name in network.outputs],
        },
    }


def _entry(layer: Layer, outermost: Mapping[str, str], training: bool) -> dict[str, Any]:
    """A layer in its wrappers; `outermost` has the names by which others refer to layers."""
    config: dict[str, Any] = {"name": layer.name, **configuration(layer)}
    if training:
        given = KINDS[layer.kind].arguments
        for key, value in layer.arguments.items():
            if not given[key].required and value == given[key].default:
                config.pop(key, None)
        activation = layer.arguments.get("activation")
        if layer.kind == "QActivation" and isinstance(activation, Object):
            config["activation"] = _text(activation)  # QActivation can't read an object
        config |= {key: plain(value) for key, value in layer.training.items()}
    nodes = [[[outermost[name], 0, 0, {}] for name in layer.inputs]] if layer.inputs else []
    kind = f"{PACKAGE}>{layer.kind}" if layer.kind in MADE_BY_READERS else layer.kind
    for _ in range(layer.over):
        inner = {"class_name": kind, "config": config}
        kind, config = "TimeDistributed", {"name": outermost[layer.name], "layer": inner}
    return {
        "class_name": kind,
        "name": outermost[layer.name],
        "config": config,
        "inbound_nodes": nodes,
    }


def configuration(layer: Layer) -> dict[str, Any]:
    """The arguments of a layer in the form that Keras writes."""
    arguments: Mapping[str, Any] = layer.arguments
    config = {key: plain(value) for key, value in arguments.items()}
    if layer.kind == "InputLayer":
        return {"batch_input_shape": [None, *config["shape"]], "dtype": config["dtype"]}
    if "data_format" in config:
        config["data_format"] = config["data_format"] or "channels_last"
    if layer.kind.startswith(("AveragePooling", "MaxPooling")):
        config["strides"] = config["strides"] or config["pool_size"]
    for key in ("padding", "cropping"):
        sides = arguments.get(key)
        if isinstance(sides, tuple) and len(sides) == 4:
            config[key] = [list(sides[:2]), list(sides[2:])]
    if layer.kind == "FixedPointQuantizer":
        config |= {key: config[key].upper() for key in ("RND", "SAT")}
        overrides = arguments["overrides"]
        if overrides is not None:
            config["overrides"] = {"layers": {name: dict(types) for name, types in overrides}}
    if layer.kind == "Softmax" and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]
    return config


def plain(value: Value) -> Any:
    """An argument as a value of JSON."""
    if isinstance(value, Object):
        config = {key: plain(each) for key, each in value.arguments.items()}
        return {"class_name": value.kind, "config": config}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def _text(quantizer: Object) -> str:
    """A quantizer as the text that QKeras reads, with truth values as numbers."""
    known = QUANTIZERS[quantizer.kind]
    given = {
        key: int(value) if isinstance(value, bool) else value
        for key, value in quantizer.arguments.items()
        if value != known[key].default
    }
    return f"{quantizer.kind}({','.join(f'{key}={value!r}' for key, value in given.items())})"


class Model(dict[str, Any]):
    """The architecture with weights, which looks to hls4ml's parser like a live model.

    So hls4ml's Keras 2 parser can read a network although Keras 3 is installed.
    """

    def __init__(self, network: Network, *, with_qkeras: bool = False) -> None:
        """Make it.

        Args:
            network: The network; hls4ml knows all its layers.
            with_qkeras: Whether hls4ml's own handlers read QKeras' layers; they import QKeras.
        """
        from gatewright.frontend import dot_layers, qkeras_layers

        super().__init__(architecture(network))
        self._layers = {layer.name: layer for layer in network.layers}
        qkeras_layers.register()
        dot_layers.register()
        for layer, entry in zip(network.layers, self["config"]["layers"], strict=True):
            is_quantized = layer.kind in QUANTIZED_LAYERS or layer.kind == "QActivation"
            if is_quantized and not with_qkeras:
                entry["class_name"] = f"{OURS}{layer.kind}"
                quantizers = {k: v for k, v in layer.arguments.items() if isinstance(v, Object)}
                entry["config"] |= quantizers
            if layer.kind in ("Dot", "Einsum"):
                entry["class_name"] = f"{OURS}{layer.kind}"
            if entry["config"].get("activation", "") is None:  # the activation is its own layer
                del entry["config"]["activation"]

    def get_layer(self, name: str) -> _Weighted:
        """The layer with that name, and its weights."""
        return _Weighted([_Weight(*each) for each in self._layers[name].weights.items()])


@dataclass(frozen=True)
class _Weighted:
    weights: list[_Weight]


@dataclass(frozen=True)
class _Weight:
    name: str
    value: NDArray[Any]

    def numpy(self) -> NDArray[Any]:
        return self.value

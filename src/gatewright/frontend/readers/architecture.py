"""Architectures as Keras 2, tf-keras and Keras 3 write them, as networks without weights."""

from __future__ import annotations

import graphlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.arguments import MAX_RANK, plain
from gatewright.frontend.kinds import IDENTITY, KINDS, NESTED, Kind, is_training
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import Framework, Layer, Network, Value, is_name

#: Layers of a network; far more than any that is built.
MAX_LAYERS = 1024
_MERGES = ("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract")
#: Arguments that Keras 3 calls otherwise.
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
#: Read on their own.
_OWN = ("name", "layers", "batch_input_shape", "batch_shape")
#: What a layer may be given besides tensors, where it is null or false.
_CALL = ("training", "mask", "initial_state")


def parse_json(origin: str, text: str | bytes) -> Any:
    """What a JSON text of a model holds.

    Raises:
        InputError: if it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin}: not a Keras architecture ({shown(error)})") from None


def read_architecture(origin: str, architecture: Any) -> Network:
    """The network that an architecture describes, without weights.

    Raises:
        InputError: naming the file, the layer, its argument and what would be right.
        UnsupportedError: if it is made of layers that aren't read.
    """
    kind = architecture.get("class_name") if isinstance(architecture, dict) else None
    if kind not in ("Sequential", "Functional", "Model"):
        raise InputError(
            f"{origin}: not the architecture of a Sequential or Functional Keras model"
        )
    config = architecture.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not layers:
        raise InputError(f"{origin}: the architecture lists no layers")
    if len(layers) > MAX_LAYERS:
        raise InputError(f"{origin}: has {len(layers)} layers; at most {MAX_LAYERS} are read")
    _refuse_lambda(origin, architecture)
    read = [_layer(origin, each) for each in layers]
    names = [layer.name for layer in read]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{origin}: two layers are named '{name}'; give each its own name")
    if kind == "Sequential":
        network = _sequential(origin, config, layers, read)
    else:
        assert isinstance(config, dict)
        network = _functional(origin, config, layers, read)
    network = replace(network, framework=_framework(layers))
    own = config.get("name") if isinstance(config, dict) else None
    return replace(network, name=str(own)) if is_name(own) else network


def _framework(entries: list[dict[str, Any]]) -> Framework:
    """Which Keras wrote an architecture: the shape of an input has another name in Keras 3."""
    is_keras3 = any("batch_shape" in entry["config"] for entry in entries)
    return "keras3" if is_keras3 else "keras2"


def _refuse_lambda(origin: str, architecture: Any) -> None:
    """Lambda layers carry code: refuse them wherever they are nested."""
    waiting = [architecture]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            if node.get("class_name") in ("Lambda", "__lambda__") and "config" in node:
                config = node["config"]
                name = shown(config.get("name", "")) if isinstance(config, dict) else ""
                raise UnsupportedError(
                    f"{origin}: layer '{name}' is a Lambda, which carries code; "
                    "models run none of their own code here: replace it with a layer"
                )
            waiting += node.values()


def _layer(origin: str, entry: Any) -> Layer:
    """One layer with its arguments; what it reads comes later."""
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        raise InputError(f"{origin}: the architecture holds a layer without a configuration")
    config = entry["config"]
    # A class that was registered for a package has its name before its own.
    kind = str(entry.get("class_name")).rpartition(">")[2]
    name = config.get("name", entry.get("name", kind.lower()))
    if kind in NESTED:
        raise UnsupportedError(
            f"{origin}: layer '{shown(name)}' is a {kind}; only plain layers are read"
        )
    if kind not in KINDS:
        raise InputError(
            f"{origin}: layer '{shown(name)}' is of class {shown(kind)}, which is not read"
            f"{near(kind, sorted(KINDS))}"
        )
    if not is_name(name):
        raise InputError(
            f"{origin}: layer name '{shown(name)}' can't name hardware; use letters, digits and _"
        )
    where = f"{origin}: layer '{name}'"
    arguments, training = _arguments(where, kind, KINDS[kind], config)
    return Layer(name, kind, (), MappingProxyType(arguments), MappingProxyType(training))


def _arguments(
    where: str, name: str, kind: Kind, config: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """The arguments that a layer's class lists, and the settings of its training."""
    given = {_RENAMED.get((name, key), key): each for key, each in config.items()}
    if name == "InputLayer":
        given["shape"] = _input_shape(where, config)
    arguments: dict[str, Value] = {}
    for key, argument in kind.arguments.items():
        if key not in given and argument.required:
            raise InputError(f"{where}: its {key} is missing")
        try:
            arguments[key] = argument.read(given[key]) if key in given else argument.default
        except ValueError as error:
            raise InputError(f"{where}: {key} must be {error}") from None
    training: dict[str, Value] = {}
    for key, each in given.items():
        if key in arguments or key in (*_OWN, "dtype") or each is None:
            continue
        if name in IDENTITY or is_training(key):
            try:
                training[key] = plain(each)
            except ValueError:
                continue  # hardware doesn't ask for it
        else:
            raise InputError(
                f"{where}: {name} has no argument '{shown(key)}' that is known here; save the "
                "model without it"
            )
    return arguments, training


def _input_shape(where: str, config: Mapping[str, Any]) -> Any:
    """The shape of an input, without the batch."""
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    if not isinstance(shape, list | tuple) or not 2 <= len(shape) <= MAX_RANK:
        raise InputError(
            f"{where}: its shape must be a list of the batch and 1 to {MAX_RANK - 1} sizes"
        )
    if None in shape[1:]:
        sizes = ", ".join("None" if each is None else shown(each) for each in shape[1:])
        raise InputError(
            f"{where}: its shape ({sizes}) leaves a size open, and hardware has a fixed one; give "
            "the input a shape without None"
        )
    return shape[1:]


def _sequential(
    origin: str, config: Any, entries: list[dict[str, Any]], layers: list[Layer]
) -> Network:
    first = layers[0]
    if first.kind != "InputLayer":
        # Files of older versions have no such layer: the first one knows the shape.
        own = dict(entries[0]["config"])
        if "batch_input_shape" not in own and "batch_shape" not in own:
            built = config.get("build_input_shape") if isinstance(config, dict) else None
            own["batch_input_shape"] = built
        name = f"{first.name}_input"
        while any(layer.name == name for layer in layers):
            name += "_"
        own = {key: own[key] for key in ("batch_input_shape", "batch_shape") if key in own}
        if own.get("batch_input_shape", own.get("batch_shape")) is None:
            raise InputError(
                f"{origin}: its first layer '{first.name}' has no input shape; give it one, or "
                "call the model once before it is saved"
            )
        layers = [_layer(origin, {"class_name": "InputLayer", "config": {"name": name, **own}})]
        layers += [_layer(origin, entry) for entry in entries]
    if any(layer.kind == "InputLayer" for layer in layers[1:]):
        raise InputError(f"{origin}: a Sequential model has one input layer, which comes first")
    chained = [layers[0]]
    for layer in layers[1:]:
        chained.append(_connected(origin, layer, (chained[-1].name,)))
    return Network(origin, tuple(chained), (layers[0].name,), (layers[-1].name,))


def _functional(
    origin: str, config: dict[str, Any], entries: list[dict[str, Any]], layers: list[Layer]
) -> Network:
    names = {layer.name for layer in layers}
    connected: dict[str, Layer] = {}
    for entry, layer in zip(entries, layers, strict=True):
        nodes = entry.get("inbound_nodes") or []
        where = f"{origin}: layer '{layer.name}'"
        if not isinstance(nodes, list):
            raise InputError(f"{where}: inbound_nodes must be a list")
        if len(nodes) > 1:
            raise UnsupportedError(
                f"{where} is used {len(nodes)} times; give each use a layer of its own"
            )
        inputs = tuple(_source(where, each) for node in nodes for each in _tensors(where, node))
        for name in inputs:
            if name not in names:
                raise InputError(f"{where} reads a layer '{shown(name)}', which isn't there")
        connected[layer.name] = _connected(origin, layer, inputs)
    order = {name: layer.inputs for name, layer in connected.items()}
    seen: set[str] = set()
    for name, inputs in order.items():
        if not seen.issuperset(inputs):
            try:
                names_in_order = list(graphlib.TopologicalSorter(order).static_order())
            except graphlib.CycleError:
                raise InputError(
                    f"{origin}: layer '{name}' reads what comes of its own result"
                ) from None
            break
        seen.add(name)
    else:
        names_in_order = list(order)
    inputs = tuple(_ends(origin, config, "input_layers", names))
    outputs = tuple(_ends(origin, config, "output_layers", names))
    for name, layer in connected.items():
        if (layer.kind == "InputLayer") != (name in inputs):
            raise InputError(f"{origin}: layer '{name}' and input_layers don't agree on an input")
    return Network(origin, tuple(connected[name] for name in names_in_order), inputs, outputs)


def _connected(origin: str, layer: Layer, inputs: tuple[str, ...]) -> Layer:
    """The layer with what it reads, as many tensors as its class takes."""
    least, most = (0, 0) if layer.kind == "InputLayer" else (1, 1)
    if layer.kind in _MERGES:
        least, most = 2, MAX_LAYERS
    if not least <= len(inputs) <= most:
        wanted = "none" if not most else "one" if most == 1 else "two or more"
        raise InputError(
            f"{origin}: layer '{layer.name}' reads {len(inputs)} tensors; a {layer.kind} takes "
            f"{wanted}"
        )
    return replace(layer, inputs=inputs)


def _tensors(where: str, node: Any) -> Iterator[Any]:
    """What a call of a layer is given: a list of tensors, or what Keras 3 writes for a call."""
    if isinstance(node, list):
        yield from node
        return
    if not isinstance(node, dict):
        raise InputError(f"{where}: inbound_nodes must be lists or calls")
    given = node.get("kwargs") or {}
    _check_call(where, given)
    waiting = node.get("args") or []
    if not isinstance(waiting, list):
        raise InputError(f"{where}: the arguments of its call must be a list")
    for each in waiting:
        if isinstance(each, list):
            yield from each
        else:
            yield each


def _check_call(where: str, given: Any) -> None:
    """Refuse what would change what a layer does, besides the tensors that it is given."""
    if not isinstance(given, dict):
        raise InputError(f"{where}: the named arguments of its call must be an object")
    for key, each in given.items():
        if each and not (key == "training" and each is True):
            allowed = ", ".join(_CALL)
            raise UnsupportedError(
                f"{where}: is called with {shown(key)}={shown(each)}; only tensors are read, "
                f"and {allowed} where they are null"
            )


def _source(where: str, tensor: Any) -> str:
    """The name of the layer whose result a tensor is."""
    if isinstance(tensor, dict):
        if tensor.get("class_name") != "__keras_tensor__":
            raise UnsupportedError(f"{where}: reads what is no layer's result")
        history = tensor.get("config")
        history = history.get("keras_history") if isinstance(history, dict) else None
        extra: Any = {}
    else:
        history, extra = tensor, {}
        if isinstance(tensor, list) and len(tensor) == 4:
            history, extra = tensor[:3], tensor[3]
    _check_call(where, extra or {})
    if not isinstance(history, list) or len(history) != 3 or not isinstance(history[0], str):
        raise InputError(f"{where}: a tensor that it reads must be [layer, 0, 0]")
    if history[1:] != [0, 0]:
        raise UnsupportedError(
            f"{where}: reads result {shown(history[1:])} of layer '{shown(history[0])}'; each "
            "layer is used once, and has one result"
        )
    return str(history[0])


def _ends(origin: str, config: dict[str, Any], key: str, names: set[str]) -> list[str]:
    """Names of the layers at one end of the network, in order."""
    ends = config.get(key)
    if isinstance(ends, dict):
        ends = list(ends.values())
    if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str):
        ends = [ends]  # Keras 3 writes a single one so
    if not isinstance(ends, list) or not ends:
        raise InputError(f"{origin}: {key} must be a list of [layer, 0, 0]")
    found: list[str] = []
    for each in ends:
        name = _source(f"{origin}: {key}", each)
        if name not in names:
            raise InputError(f"{origin}: {key} names a layer '{shown(name)}', which isn't there")
        if name in found:
            raise UnsupportedError(f"{origin}: {key} names layer '{name}' twice; name it once")
        found.append(name)
    return found

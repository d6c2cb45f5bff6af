"""Reads architectures of Keras 2, tf-keras and Keras 3 as outlines of networks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.arguments import MAX_RANK, extents, flag, integer, optional, plain
from gatewright.frontend.kinds import (
    IDENTITY,
    KINDS,
    MADE_BY_READERS,
    NESTED,
    PACKAGE,
    RECURRENT,
    Kind,
    is_training,
)
from gatewright.frontend.messages import near, shown
from gatewright.frontend.network import Layer, Value, is_name
from gatewright.frontend.readers.calls import label_of, read_calls, read_settings, reference
from gatewright.frontend.readers.outline import Call, Given, Outline, Part, Ref

#: Most layers of a network; far more than can be built.
MAX_LAYERS = 1024
#: Deepest nesting of models and wrappers.
_MAX_DEPTH = 12
#: Arguments with another name in Keras 3, as (class, name): the name in Keras 2.
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
#: Settings that are read separately.
_OWN = ("name", "layers", "batch_input_shape", "batch_shape")
_SHAPES: Final = ("batch_input_shape", "batch_shape", "build_input_shape")
_MODELS: Final = ("Sequential", "Functional", "Model")
#: Layers that can be the activation of another layer.
_ACTIVATIONS: Final = ("ReLU", "LeakyReLU", "ELU", "PReLU", "ThresholdedReLU", "Softmax")
#: Wrappers of a recurrent layer that run it both ways; QKeras has its own.
_BIDIRECTIONAL: Final = ("Bidirectional", "QBidirectional")
#: The layers that merge the two results, by `merge_mode`.
MERGE_MODES: Final = {"concat": "Concatenate", "sum": "Add", "ave": "Average", "mul": "Multiply"}
#: The layer that `flatten` writes out as products, and the arguments of it that matter.
ATTENTION: Final = "MultiHeadAttention"
_ATTENTION: Final = {
    "num_heads": integer(),
    "key_dim": integer(),
    "value_dim": optional(integer()),
    "use_bias": flag,
    "output_shape": optional(extents(1)),
}
_ATTENTION_DEFAULTS: Final = {"use_bias": True}
#: Arguments of it that have to be one of these values.
_PLAIN_ATTENTION: Final[Mapping[str, tuple[Any, ...]]] = {
    "attention_axes": (None, [1], 1),
    "use_gate": (False,),
    "sliding_window": (None,),
}
#: Wrappers that change their layer at inference, and what to do instead.
_REFUSED: Final = {
    "ClusterWeights": "save the result of "
    "tensorflow_model_optimization.clustering.keras.strip_clustering",
    **dict.fromkeys(
        ("QuantizeWrapper", "QuantizeWrapperV2", "QuantizeLayer", "QuantizeAnnotate"),
        "hls4ml has no such types; save the float model, and quantize that with "
        "`gatewright quantize`",
    ),
}


def parse_json(origin: str, text: str | bytes) -> Any:
    """The value of a model's JSON text.

    Raises:
        InputError: if it isn't JSON, or is nested too deep.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin}: not a Keras architecture ({shown(error)})") from None


def read_outline(origin: str, architecture: Any) -> Outline:
    """The outline of the network that an architecture describes.

    Args:
        origin: The model's name in messages.
        architecture: The parsed JSON.

    Raises:
        InputError: if the architecture, a layer or an argument is wrong.
        UnsupportedError: if it has layers or wrappers that aren't supported.
    """
    kind = architecture.get("class_name") if isinstance(architecture, dict) else None
    if kind not in _MODELS:
        raise InputError(
            f"{origin}: not the architecture of a Sequential or Functional Keras model"
        )
    _refuse_lambda(origin, architecture)
    # The shape of an input has another name in Keras 3.
    is_keras3 = any("batch_shape" in node for node in _objects(architecture))
    model = _model(origin, architecture, _MAX_DEPTH)
    if sum(1 for _ in model.walk()) > 2 * MAX_LAYERS:
        raise InputError(f"{origin}: has more than {2 * MAX_LAYERS} layers")
    return Outline(origin, model, "keras3" if is_keras3 else "keras2")


def _objects(architecture: Any) -> Iterator[dict[str, Any]]:
    waiting = [architecture]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            yield node
            waiting += node.values()


def _refuse_lambda(origin: str, architecture: Any) -> None:
    """Refuse Lambda layers, which carry code, at any depth."""
    for node in _objects(architecture):
        if node.get("class_name") in ("Lambda", "__lambda__") and "config" in node:
            config = node["config"]
            name = shown(config.get("name", "")) if isinstance(config, dict) else ""
            raise UnsupportedError(
                f"{origin}: layer '{name}' is a Lambda, which carries code; no code of a "
                f"model runs here: replace it with a layer"
            )


def _model(origin: str, entry: dict[str, Any], depth: int, outer: str = "") -> Part:
    """Read a model, the outermost or one within another; `outer` is then its label."""
    config, kind = entry.get("config"), str(entry["class_name"])
    entries = config.get("layers") if isinstance(config, dict) else config
    where = f"{origin}: layer '{outer}'" if outer else origin
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{where}: the architecture lists no layers")
    if len(entries) > MAX_LAYERS:
        raise InputError(f"{where}: has {len(entries)} layers; at most {MAX_LAYERS} are read")
    if not depth:
        raise UnsupportedError(f"{where}: models are nested more than {_MAX_DEPTH} deep")
    parts = [_part(origin, each, depth - 1, within=bool(outer)) for each in entries]
    if kind == "Sequential":
        if parts[0].kind != "InputLayer":
            parts.insert(0, _first_input(origin, None if outer else entry, parts))
        model = _chained(where, parts)
    else:
        assert isinstance(config, dict)
        inputs, outputs = (_ends(where, config, f"{end}put_layers") for end in ("in", "out"))
        model = _of_layers(kind, parts, tuple(each.layer for each in inputs), outputs)
    own = config.get("name") if isinstance(config, dict) else None
    labels = tuple(part.label for part in model.layers)
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"{origin}: two layers are named '{label}'; give each its own name")
    return replace(model, label=outer or (str(own) if is_name(own) else ""))


def _of_layers(
    kind: str, parts: list[Part], inputs: tuple[str, ...], outputs: tuple[Ref, ...]
) -> Part:
    within = MappingProxyType({"layers": tuple(parts)})
    return Part("", kind, within=within, inputs=inputs, outputs=outputs)


def _chained(where: str, parts: list[Part]) -> Part:
    """The layers of a Sequential model, each called with the result of the layer before."""
    if any(part.kind == "InputLayer" for part in parts[1:]):
        raise InputError(f"{where}: a Sequential model has one input layer, which comes first")
    chained = parts[:1]
    for part in parts[1:]:
        chained.append(replace(part, calls=(Call((Ref(chained[-1].label),)),)))
    return _of_layers("Sequential", chained, (parts[0].label,), (Ref(parts[-1].label),))


def _ends(where: str, config: dict[str, Any], key: str) -> tuple[Ref, ...]:
    """The inputs or the outputs of a model, in order."""
    ends = config.get(key)
    if isinstance(ends, dict):
        ends = list(ends.values())
    if isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str):
        ends = [ends]  # Keras 3 writes a single reference without a list around it
    if not isinstance(ends, list) or not ends:
        raise InputError(f"{where}: {key} must be a list of [layer, 0, 0]")
    return tuple(reference(f"{where}: {key}", each) for each in ends)


def _part(origin: str, entry: Any, depth: int, *, within: bool = False) -> Part:
    """Read a layer, an operation, a wrapper or a model, with its calls.

    `within` says whether it is part of a model within another.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise InputError(f"{origin}: the architecture holds a layer without a class")
    # A class that was registered for a package is written as package>class.
    package, _, kind = entry["class_name"].rpartition(">")
    config = entry.get("config")
    if kind in _MODELS:
        named = config.get("name") if isinstance(config, dict) else None
    elif isinstance(config, dict):
        named = config.get("name")
    else:
        raise InputError(f"{origin}: the architecture holds a layer without a configuration")
    label = label_of(f"{origin}:", named or entry.get("name") or kind.lower())
    where = f"{origin}: layer '{label}'"
    calls = read_calls(where, entry.get("inbound_nodes") or [])
    if kind in _MODELS:
        return replace(_model(origin, entry, depth, label), calls=calls)
    assert isinstance(config, dict)
    if _is_operation(entry):
        computes = config.get("function") if kind == "TFOpLambda" else kind
        settings = read_settings(where, config)
        return Part(label, shown(computes), is_operation=True, settings=settings, calls=calls)
    if "layer" in config and kind not in KINDS:
        return replace(_wrapped(origin, where, label, kind, config, depth), calls=calls)
    if kind == ATTENTION:
        return replace(_attention(origin, where, label, config), calls=calls)
    if kind in _REFUSED or kind in NESTED or kind == "TensorFlowOpLayer":
        raise UnsupportedError(
            f"{where} is a {kind}, which is not supported; "
            f"{_REFUSED.get(kind, 'write its layers out')}"
        )
    if kind not in KINDS or (kind in MADE_BY_READERS and package != PACKAGE):
        known = sorted(set(KINDS).difference(MADE_BY_READERS))
        raise InputError(
            f"{where} is of class {shown(kind)}, which is not supported{near(kind, known)}"
        )
    if within and kind == "InputLayer":  # its shape is that of the tensor from the outer model
        return Part(label, kind, Layer("", kind))
    return replace(layer_of(origin, where, label, kind, config), calls=calls)


def _is_operation(entry: dict[str, Any]) -> bool:
    """Whether an entry is an operation such as a + b. Some of Keras 3 have names of layers."""
    module, nodes = entry.get("module"), entry.get("inbound_nodes")
    if entry["class_name"] in ("TFOpLambda", "SlicingOpLambda"):
        return True
    if isinstance(module, str):
        return any(word in module for word in (".ops.", ".activations"))
    # HDF5 files of Keras 3 have no module; only layers have the setting `trainable` there.
    is_call = isinstance(nodes, list) and bool(nodes) and isinstance(nodes[0], dict)
    return is_call and "trainable" not in entry["config"]


def layer_of(origin: str, where: str, label: str, kind: str, config: Mapping[str, Any]) -> Part:
    """Read a layer, and the layer that is its activation, if it has one.

    Args:
        origin: The model's name in messages.
        where: The file and the layer, to begin messages.
        label: The model's own name of the layer.
        kind: Its class, a key of `kinds.KINDS`.
        config: Its arguments and settings, as Keras writes them.

    Raises:
        InputError: if an argument is missing, unknown or wrong.
    """
    within: dict[str, tuple[Part, ...]] = {}
    own = config.get("activation")
    if isinstance(own, dict) and own.get("class_name") == "function":
        config = {**config, "activation": own.get("config")}
    elif isinstance(own, dict) and str(own.get("class_name")).rpartition(">")[2] in _ACTIVATIONS:
        if not isinstance(own.get("config"), dict):
            raise InputError(f"{where}: its activation is a layer without a configuration")
        own = {"class_name": own["class_name"], "config": own["config"]}
        within["activation"] = (_part(origin, own, 0),)
        config = {**config, "activation": "linear"}
    arguments, training = _arguments(where, kind, KINDS[kind], config)
    layer = Layer("", kind, (), MappingProxyType(arguments), MappingProxyType(training))
    return Part(label, kind, layer, within=MappingProxyType(within))


def _wrapped(
    origin: str, where: str, label: str, kind: str, config: Mapping[str, Any], depth: int
) -> Part:
    """Read a wrapper that does nothing at inference, or acts along the steps of a sequence."""
    known = ("PruneLowMagnitude", "SpectralNormalization", "TimeDistributed", *_BIDIRECTIONAL)
    if kind not in known:
        instead = _REFUSED.get(kind, "save the model with the layer that it wraps")
        raise UnsupportedError(f"{where} is a {shown(kind)}, which is not supported; {instead}")
    if not depth:
        raise UnsupportedError(f"{where}: is nested more than {_MAX_DEPTH} deep")
    inner = _part(origin, config["layer"], depth - 1)
    if kind in _BIDIRECTIONAL:
        return _both_ways(origin, where, label, config, inner)
    return Part(label, kind, within=MappingProxyType({"layer": (inner,)}))


def _both_ways(
    origin: str, where: str, label: str, config: Mapping[str, Any], forward: Part
) -> Part:
    """Read a recurrent layer that runs along a sequence, and another from its end.

    Files of Keras 2 give the two layers' names before the wrapper prefixed them, and the second
    layer only if it isn't a copy of the first.
    """
    mode = config.get("merge_mode", "concat")
    if mode is not None and (not isinstance(mode, str) or mode not in MERGE_MODES):
        raise InputError(
            f"{where}: merge_mode must be one of {', '.join(MERGE_MODES)} or null, not "
            f"'{shown(mode)}'"
        )
    given = config.get("backward_layer")
    backward = replace(forward, label=forward.label.removeprefix("forward_"))
    if given is not None:
        backward = _part(origin, given, 0)
    one, other = (_recurrent(where, part) for part in (forward, backward))
    if given is None:
        turned = {**other.arguments, "go_backwards": not other.arguments["go_backwards"]}
        other = replace(other, arguments=MappingProxyType(turned))
        backward = replace(backward, layer=other)
    for name in ("go_backwards", "return_sequences"):
        alike = one.arguments[name] == other.arguments[name]
        if alike != (name == "return_sequences"):
            raise InputError(
                f"{where}: its two layers have {'the same' if alike else 'another'} {name}"
            )
    if given is None or not forward.label.startswith("forward_"):
        forward = replace(forward, label=f"forward_{forward.label}")
        backward = replace(backward, label=f"backward_{backward.label}")
    if forward.label == backward.label:
        raise InputError(f"{where}: its two layers are both named '{forward.label}'")
    within = {"forward_layer": (forward,), "backward_layer": (backward,)}
    settings = MappingProxyType[str, Given]({"merge_mode": mode})
    return Part(label, "Bidirectional", settings=settings, within=MappingProxyType(within))


def _attention(origin: str, where: str, label: str, config: Mapping[str, Any]) -> Part:
    """Read a MultiHeadAttention: its four products with weights, in Keras' names."""
    read: dict[str, Any] = {}
    for key, reader in _ATTENTION.items():
        try:
            read[key] = reader(config[key] if key in config else _ATTENTION_DEFAULTS.get(key))
        except ValueError as error:
            raise InputError(f"{where}: {key} must be {error}") from None
    for key, allowed in _PLAIN_ATTENTION.items():
        if config.get(key, allowed[0]) not in allowed:
            raise UnsupportedError(
                f"{where}: {key}={shown(config[key])} is not supported, only its default is"
            )
    heads, size = read["num_heads"], read["key_dim"]

    def product(name: str, equation: str, shape: Sequence[int], made: str) -> tuple[Part, ...]:
        biases = made if read["use_bias"] else None
        config = {"equation": equation, "output_shape": [None, *shape], "bias_axes": biases}
        return (layer_of(origin, where, name, "EinsumDense", config),)

    within = {
        f"{name}_dense": product(name, "abc,cde->abde", (heads, each), "de")
        for name, each in (("query", size), ("key", size), ("value", read["value_dim"] or size))
    }
    # Without a size of its own the result is as wide as the query, which `flatten` knows.
    within["output_dense"] = product(
        "attention_output", "abcd,cde->abe", read["output_shape"] or (1,), "e"
    )
    as_query = read["output_shape"] is None
    settings = MappingProxyType[str, Given]({"key_dim": size, "as_query": as_query})
    return Part(label, ATTENTION, settings=settings, within=MappingProxyType(within))


def _recurrent(where: str, part: Part) -> Layer:
    if part.layer is None or part.kind not in RECURRENT:
        raise UnsupportedError(
            f"{where} is a Bidirectional {part.kind}; only SimpleRNN, LSTM and GRU are supported"
        )
    return part.layer


def _first_input(origin: str, entry: Any, parts: list[Part]) -> Part:
    """The input layer of a Sequential model that doesn't list one.

    Its shape is a setting of the first layer. `entry` is None for a model within another, whose
    input is a tensor of the outer model.
    """
    first = parts[0]
    label = f"{first.label}_input"
    while any(part.label == label for part in parts):
        label += "_"
    if entry is None:
        return Part(label, "InputLayer", Layer("", "InputLayer"))
    shape = _shape_within(entry)
    if shape is None:
        raise InputError(
            f"{origin}: its first layer '{first.label}' has no input shape; give it one, or "
            "call the model once before it is saved"
        )
    return layer_of(
        origin, f"{origin}: layer '{label}'", label, "InputLayer", {"batch_input_shape": shape}
    )


def _shape_within(entry: Any) -> Any:
    """The input shape in the settings of a model's first layer, at any depth; None if missing."""
    for _ in range(2 * _MAX_DEPTH):
        if not isinstance(entry, dict):
            return None
        config = entry.get("config")
        build = entry.get("build_config")
        layers = config.get("layers") if isinstance(config, dict) else config
        known = [config.get(key) for key in _SHAPES] if isinstance(config, dict) else []
        first = layers[0] if isinstance(layers, list) and layers else None
        if first is None and isinstance(config, dict):
            first = config.get("layer")
        if found := next((each for each in known if each is not None), None):
            return found
        if first is None:
            return build.get("input_shape") if isinstance(build, dict) else None
        entry = first
    return None


def _arguments(
    where: str, name: str, kind: Kind, config: Mapping[str, Any]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Read a layer's arguments that matter at inference, and its settings of training."""
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
                continue  # the hardware doesn't depend on it
        else:
            raise InputError(
                f"{where}: {name} has no argument '{shown(key)}' that is known; save the "
                f"model without it"
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
            f"{where}: its shape ({sizes}) leaves a size open, but hardware has fixed sizes; "
            f"give the input a shape without None"
        )
    return shape[1:]

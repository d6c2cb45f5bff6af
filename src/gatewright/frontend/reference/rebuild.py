"""Builds the layers of a network with Keras' own classes, in the child process only.

Classes are looked up by the names in the table of layers (`kinds`). They get the typed arguments
that their signatures name, and nothing else of a model's file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from numpy.typing import NDArray

from gatewright.errors import UnsupportedError
from gatewright.frontend.keras2 import configuration
from gatewright.frontend.kinds import IDENTITY, KINDS
from gatewright.frontend.network import Layer, Network, Object
from gatewright.frontend.quantizers import QUANTIZERS
from gatewright.frontend.readers.weights import short_name

#: Layers with an activation that can be separated from the rest of the layer.
_ACTIVATED: Final = (
    *("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"),
    *("SeparableConv1D", "SeparableConv2D", "Conv2DBatchnorm"),
)
#: Values, besides the table's defaults, that an argument may have if a class lacks it.
_DEFAULTS: Final = {"data_format": "channels_last"}
#: Arguments with another name in Keras 3, by class and name.
_KERAS3: Final = {("LeakyReLU", "alpha"): "negative_slope"}


#: How a fixed-point type rounds numbers in its steps, by the names of `ap_fixed` (UG1399).
_ROUNDINGS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "trn": lambda tf, steps: tf.floor(steps),
    "trn_zero": lambda tf, steps: tf.sign(steps) * tf.floor(tf.abs(steps)),
    "rnd": lambda tf, steps: tf.floor(steps + 0.5),
    "rnd_conv": lambda tf, steps: tf.round(steps),
    "rnd_inf": lambda tf, steps: tf.sign(steps) * tf.floor(tf.abs(steps) + 0.5),
    "rnd_min_inf": lambda tf, steps: tf.math.ceil(steps - 0.5),
}


@dataclass(frozen=True)
class Built:
    """A layer that can be called.

    Attributes:
        layer: Its description.
        linear: Computes the result before the activation from the inputs.
        activation: Computes the result from that; None if the layer has no separate activation.
    """

    layer: Layer
    linear: Callable[[list[Any]], Any]
    activation: Callable[[Any], Any] | None


class Framework:
    """Keras 2 with QKeras, or Keras 3, on TensorFlow; builds layers.

    Attributes:
        name: Names and versions of its packages, such as "tf-keras 2.21.0 + QKeras 0.9.0".
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._keras3 = network.framework == "keras3"
        self._keras: Any = import_module("keras" if self._keras3 else "tf_keras")
        self._qkeras: Any = None
        self.name = f"{'Keras' if self._keras3 else 'tf-keras'} {self._keras.__version__}"
        if not self._keras3 and any(_of_qkeras(layer) for layer in network.layers):
            self._qkeras = import_module("qkeras")
            self.name += f" + QKeras {self._qkeras.__version__}"
        if any(layer.kind.startswith("GarNet") for layer in network.layers):
            self.name += " + hls4ml's GarNet"
        if any(layer.kind == "FixedPointQuantizer" for layer in network.layers):
            self.name += ", quantizers as ap_fixed"
        self._tensorflow: Any = import_module("tensorflow")

    def tensor(self, array: NDArray[Any]) -> Any:
        """An array as a tensor of TensorFlow."""
        return self._tensorflow.constant(array)

    def gpus(self) -> list[str]:
        """The names of the GPUs that TensorFlow finds."""
        config = self._tensorflow.config
        details = config.experimental.get_device_details
        return [
            str(details(gpu).get("device_name", gpu.name))
            for gpu in config.list_physical_devices("GPU")
        ]

    def graph(
        self, compute: Callable[..., list[Any]], inputs: list[NDArray[Any]], device: str
    ) -> Callable[[], list[NDArray[Any]]]:
        """A function that runs a computation as one graph, and returns when it has the results.

        Args:
            compute: A function from tensors, one for each input, to a list of tensors.
            inputs: The inputs as arrays.
            device: TensorFlow's device, for example "/CPU:0".
        """
        tf = self._tensorflow
        with tf.device("/CPU:0"):
            tensors = [tf.constant(array) for array in inputs]
        function = tf.function(compute, autograph=False)

        def call() -> list[NDArray[Any]]:
            with tf.device(device):
                return [result.numpy() for result in function(*tensors)]

        return call

    def build(self, layer: Layer) -> Built:
        """Build a layer. It gets its weights at its first call, when its shapes are known.

        Raises:
            UnsupportedError: if the framework has no such layer, or lacks one of its arguments.
        """
        if layer.kind in IDENTITY:
            return Built(layer, lambda inputs: inputs[0], None)
        if layer.kind == "Reverse":
            return Built(layer, lambda inputs: self._tensorflow.reverse(inputs[0], [1]), None)
        if layer.kind == "Einsum":
            operands, _, result = str(layer.arguments["equation"]).partition("->")
            first, second = operands.split(",")
            equation = f"z{first},z{second}->z{result}"
            return Built(layer, lambda inputs: self._tensorflow.einsum(equation, *inputs), None)
        if layer.kind == "FixedPointQuantizer":
            return Built(layer, lambda inputs: self._fixed_point(layer, inputs[0]), None)
        if layer.kind == "UnaryLUT":
            return Built(layer, lambda inputs: self._entries(layer, inputs[0]), None)
        arguments = self._arguments(layer)
        activation = None
        if layer.kind == "Activation" or layer.kind.removeprefix("Q") in _ACTIVATED:
            activation = self._callable(layer, arguments.pop("activation"))
        if layer.kind == "Activation":
            return Built(layer, lambda inputs: inputs[0], activation)
        made = self._class(layer)
        instance = made(name=layer.name, **self._accepted(layer, made, arguments))
        apply = self._on_each_step(instance, layer.over)
        ready = False

        def call(inputs: list[Any]) -> Any:
            nonlocal ready
            if not ready:  # the first call creates its variables
                apply([each[:1] for each in inputs])
                self._give_weights(layer, instance)
                ready = True
            result = apply(inputs)
            return result[0] if isinstance(result, list | tuple) else result

        return Built(layer, call, activation)

    def _on_each_step(self, instance: Any, over: int) -> Callable[[list[Any]], Any]:
        """A layer as a function of steps; Keras' TimeDistributed takes one input only."""
        if not over:
            return lambda inputs: instance(_one(inputs))
        reshape = self._tensorflow.reshape

        def apply(inputs: list[Any]) -> Any:
            steps = inputs[0].shape[1 : over + 1]
            apart = [reshape(each, (-1, *each.shape[over + 1 :])) for each in inputs]
            result = instance(_one(apart))
            return reshape(result, (-1, *steps, *result.shape[1:]))

        return apply

    def _fixed_point(self, layer: Layer, tensor: Any) -> Any:
        """A tensor with each element in its own type, as `ac_fixed` and `ap_fixed` define it."""
        tf = self._tensorflow
        signed, bits, integers = (
            tf.constant(layer.weights[key], tf.float64)
            for key in ("keep_negative", "bits", "integers")
        )
        steps = 2.0 ** (bits - integers)
        words = _ROUNDINGS[str(layer.arguments["RND"])](tf, tf.cast(tensor, tf.float64) * steps)
        numbers = 2.0**bits  # of words
        low = -tf.floor(signed * numbers / 2)
        high = numbers + low - 1
        match layer.arguments["SAT"]:
            case "wrap":
                words = low + tf.math.floormod(words - low, numbers)
            case "sat_zero":
                words = tf.where((words >= low) & (words <= high), words, 0.0)
            case other:
                least = -high * signed if other == "sat_sym" else low
                words = tf.clip_by_value(words, least, high)
        return tf.cast(tf.where(bits > 0, words, 0.0) / steps, tf.float32)

    def _entries(self, layer: Layer, tensor: Any) -> Any:
        """The entries of a table for numbers of the quantizer before it, by their bits."""
        tf = self._tensorflow
        source = self._network.layer(layer.inputs[0])
        if source.kind != "FixedPointQuantizer":
            raise UnsupportedError(f"layer '{layer.name}': a table behind no quantizer")
        bits, integers = (int(source.weights[key].flat[0]) for key in ("bits", "integers"))
        words = tf.cast(tf.cast(tensor, tf.float64) * 2.0 ** (bits - integers), tf.int32)
        table = tf.constant(layer.weights["table"], tf.float32)
        return tf.gather(table, tf.math.floormod(words, len(layer.weights["table"])))

    def _class(self, layer: Layer) -> Any:
        source = self._qkeras if layer.kind.startswith("Q") else self._keras.layers
        if layer.kind.startswith("GarNet") and not self._keras3:
            source = import_module("hls4ml.contrib.garnet")
        found = getattr(source, layer.kind, None) if source is not None else None
        if found is None:
            raise UnsupportedError(
                f"layer '{layer.name}': {self.name} has no {layer.kind} to compare it with"
            )
        return found

    def _arguments(self, layer: Layer) -> dict[str, Any]:
        """The arguments of a layer in the form that its class takes."""
        config = configuration(layer)
        if layer.kind == "BatchNormalization" and len(config["axis"]) == 1:
            config["axis"] = config["axis"][0]
        if "stateful" in config:
            config["stateful"] = False  # samples are independent, as in hardware
        if layer.kind == "Dot" and len(config["axes"]) == 1:
            config["axes"] = config["axes"][0]
        for key, value in layer.arguments.items():
            if isinstance(value, Object):
                config[key] = self._quantizer(layer, value)
        return config

    def _accepted(self, layer: Layer, kind: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments that a class accepts; those that it lacks must have their defaults."""
        known: set[str] = set()
        for each in kind.__mro__:
            if "__init__" in vars(each):
                signature = inspect.signature(each.__init__).parameters.values()
                known |= {p.name for p in signature if p.kind is not p.VAR_KEYWORD}
                if not any(p.kind is p.VAR_KEYWORD for p in signature):
                    break
        accepted = {}
        for key, value in arguments.items():
            name = _KERAS3.get((layer.kind, key), key) if self._keras3 else key
            argument = KINDS[layer.kind].arguments[key]
            if name in known:
                accepted[name] = value
            elif argument.required or layer.arguments[key] not in (
                argument.default,
                _DEFAULTS.get(key),
            ):
                raise UnsupportedError(
                    f"layer '{layer.name}': a {layer.kind} of {self.name} has no '{key}'"
                )
        return accepted

    def _quantizer(self, layer: Layer, quantizer: Object) -> Any:
        if quantizer.kind not in QUANTIZERS:  # a function
            return getattr(self._qkeras, quantizer.kind)
        kind = getattr(self._qkeras, quantizer.kind)
        signature = inspect.signature(kind.__init__).parameters
        arguments = {}
        for key, value in quantizer.arguments.items():
            if key in signature:
                arguments[key] = list(value) if isinstance(value, tuple) else value
            elif value != QUANTIZERS[quantizer.kind][key].default:
                raise UnsupportedError(
                    f"layer '{layer.name}': a {quantizer.kind} of {self.name} has no '{key}'"
                )
        return kind(**arguments)

    def _callable(self, layer: Layer, activation: Any) -> Callable[[Any], Any] | None:
        """An activation as a function of a tensor; None for a linear one."""
        if activation == "linear":
            return None
        if not isinstance(activation, str):
            return activation  # type: ignore[no-any-return]
        tf = self._tensorflow
        # Used only for names that Keras doesn't know.
        own: dict[str, Callable[[Any], Any]] = {
            "relu1": lambda x: tf.clip_by_value(x, 0.0, 1.0),
            "relu6": tf.nn.relu6,
            "hard_tanh": lambda x: tf.clip_by_value(x, -1.0, 1.0),
            "silu": tf.nn.silu,
            "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.2),
        }
        # Layers of QKeras look up names in QKeras first: its hard_sigmoid differs from Keras'.
        if _of_qkeras(layer) and hasattr(self._qkeras.quantizers, activation):
            return getattr(self._qkeras.quantizers, activation)  # type: ignore[no-any-return]
        try:
            return self._keras.activations.get(activation)  # type: ignore[no-any-return]
        except ValueError:
            if activation in own:
                return own[activation]
            raise UnsupportedError(
                f"layer '{layer.name}': {self.name} has no activation '{activation}'"
            ) from None

    def _give_weights(self, layer: Layer, instance: Any) -> None:
        """Give a layer its weights. Its other variables matter in training only."""
        left = set(layer.weights)
        for variable in instance.weights:
            name = short_name(variable.name)
            if name not in layer.weights and name == "kernel":
                name = "depthwise_kernel"  # Keras 3 names it kernel
            if name in left:
                left.discard(name)
                variable.assign(layer.weights[name].reshape(variable.shape))
        if left:
            raise UnsupportedError(
                f"layer '{layer.name}': a {layer.kind} of {self.name} has no weight "
                f"'{sorted(left)[0]}'"
            )


def _one(values: list[Any]) -> Any:
    """The argument of a layer's call: a tensor, or a list of several."""
    return values if len(values) > 1 else values[0]


def _of_qkeras(layer: Layer) -> bool:
    """Whether building a layer needs QKeras."""
    return layer.kind.startswith("Q") or any(
        isinstance(value, Object) or value == "binary_tanh" for value in layer.arguments.values()
    )

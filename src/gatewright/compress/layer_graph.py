"""The graph of a Keras model's layers, and their kernels.

It works on live models, and doesn't import TensorFlow itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Layers that multiply by one kernel. Its columns are the last axis; a depthwise convolution has a
#: column for each channel and each of its multiples.
KERNELS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")

_LIBRARIES = ("tf_keras", "keras", "qkeras")


@dataclass(frozen=True)
class Node:
    """A layer of a model and what it reads.

    Attributes:
        layer: The Keras layer.
        inputs: Names of the layers whose results it reads, in the order of its arguments. Inputs of
            a Functional model are layers too; the first layer of a Sequential model has none.
        plain: Whether it is called once, with the first results of layers only. For other layers
            the configuration doesn't say what they compute.
    """

    layer: Any
    inputs: tuple[str, ...]
    plain: bool

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def kind(self) -> str:
        """See `kind_of`."""
        return kind_of(self.layer)


def kind_of(layer: Any) -> str:
    """Keras' name of a layer's class, also if it is QKeras' version; "" for other layers."""
    kind = type(layer)
    if kind.__module__.partition(".")[0] not in _LIBRARIES:
        return ""
    name = str(kind.__name__)
    return name[1:] if kind.__module__.startswith("qkeras") and name[:1] == "Q" else name


def walk(model: Any) -> list[Node]:
    """The layers of a Sequential or Functional model in topological order.

    Raises:
        InputError: if the model is neither, or has not been built.
    """
    config = _config(model)
    described = config["layers"]
    if "input_layers" not in config:  # Sequential
        names = [str(layer["config"]["name"]) for layer in described]
        known = {layer.name: layer for layer in model.layers}
        chain = [name for name in names if name in known]
        return [
            Node(known[name], tuple(chain[max(0, place - 1) : place]), True)
            for place, name in enumerate(chain)
        ]
    return [
        Node(model.get_layer(layer["name"]), *_read(layer["inbound_nodes"])) for layer in described
    ]


def output_layers(model: Any) -> list[str]:
    """Names of the layers whose results are the model's outputs, in order.

    Raises:
        InputError: as `walk`.
    """
    config = _config(model)
    if "input_layers" not in config:
        return [str(model.layers[-1].name)]
    outputs = config["output_layers"]
    if outputs and isinstance(outputs[0], str):
        outputs = [outputs]
    return [str(name) for name, *_ in outputs]


def kernels(model: Any) -> dict[str, Any]:
    """The layers of a model with one kernel, see `KERNELS`, by name."""
    return {layer.name: layer for layer in model.layers if kind_of(layer) in KERNELS}


def kernel_of(layer: Any) -> Any:
    """The kernel's variable of a layer of `KERNELS`."""
    return layer.depthwise_kernel if is_depthwise(layer) else layer.kernel


def is_depthwise(layer: Any) -> bool:
    """Whether a layer is a depthwise convolution."""
    return kind_of(layer).startswith("Depthwise")


def matrix_of(layer: Any, array: NDArray[Any]) -> NDArray[Any]:
    """An array of the kernel's shape as a matrix (terms, channels of the result)."""
    columns = 2 if is_depthwise(layer) else 1
    return array.reshape(-1, int(np.prod(array.shape[-columns:])))


def kernel_quantizer(layer: Any) -> Any:
    """QKeras' quantizer of a layer's kernel; None if the kernel isn't quantized."""
    name = "depthwise_quantizer" if is_depthwise(layer) else "kernel_quantizer"
    return getattr(layer, f"{name}_internal") if getattr(layer, name, None) else None


def quantized_kernel(layer: Any) -> NDArray[np.float32]:
    """The kernel that a layer multiplies by, float32: quantized if it has a quantizer."""
    quantizer, kernel = kernel_quantizer(layer), kernel_of(layer)
    return np.asarray(kernel if quantizer is None else quantizer(kernel), np.float32)


def _config(model: Any) -> dict[str, Any]:
    if not getattr(model, "_is_graph_network", False):
        raise InputError(
            f"model '{getattr(model, 'name', model)}': its configuration doesn't show its "
            f"layers; build it as a Sequential model with an Input, or with the Functional "
            "API"
        )
    config: dict[str, Any] = model.get_config()
    return config


def _read(inbound: list[Any]) -> tuple[tuple[str, ...], bool]:
    """The names of the layers that a layer's calls read, and whether it is one plain call."""
    names = tuple(_names(inbound))
    if not inbound:
        return names, True
    call = inbound[0] if len(inbound) == 1 and isinstance(inbound[0], list) else []
    if call and isinstance(call[0], str):
        call = [call]
    plain = bool(call) and all(
        len(entry) >= 3 and entry[2] == 0 and not any(entry[3:]) for entry in call
    )
    return names, plain


def _names(node: Any) -> Iterator[str]:
    """The names of layers anywhere in a description of calls."""
    if isinstance(node, list | tuple):
        if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
            yield node[0]
            node = node[3:]
        for entry in node:
            yield from _names(entry)
    elif isinstance(node, dict):
        for entry in node.values():
            yield from _names(entry)

"""Reads ONNX and QONNX models as networks of Keras' and QKeras' layers.

A child process has qonnx simplify the model (`onnx_worker`). What it answers is untrusted: names
become those of layers only if they are identifiers, numbers are checked by the table of layers as
those of a Keras file are. `Quant` nodes become QKeras' quantizers, which compute the same: they
round half to even and saturate. Source of their semantics: the QONNX operators' definitions,
qonnx/custom_op/general.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from gatewright.errors import InputError, UnsupportedError
from gatewright.frontend.messages import shown
from gatewright.frontend.network import Network, is_name
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.frontend.readers.flatten import flatten
from gatewright.frontend.readers.hdf5 import Hdf5, read_in_child
from gatewright.frontend.readers.weights import with_weights
from gatewright.parsing.typed import decode
from gatewright.system.files import opened

_WORKER = Path(__file__).with_name("onnx_worker.py")
#: Seconds for qonnx and the ONNX runtime to start and to fold constants on a busy machine.
_SECONDS = 120.0

#: Activations that Keras has under another name, by operator.
_ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus"}
#: Operators of two tensors, by operator.
_MERGES = {"Add": "Add", "Sub": "Subtract", "Mul": "Multiply", "Max": "Maximum", "Min": "Minimum"}
#: Operators that only give elements another shape.
_RESHAPES = ("Flatten", "Reshape", "Squeeze", "Unsqueeze")
#: What to do about an operator that has no layer.
_ADVICE = {
    "Trunc": "hls4ml has no truncation that keeps its input's scale; export a Quant in its place",
    "QuantizeLinear": "QDQ graphs are not read; export from Brevitas with export_qonnx",
    "DequantizeLinear": "QDQ graphs are not read; export from Brevitas with export_qonnx",
    "FloatQuant": "minifloats have no fixed-point type",
}

Values = NDArray[Any]
Quantizer = dict[str, Any]


@with_config(ConfigDict(extra="forbid"))
class _NodeText(TypedDict):
    op: str
    last: bool
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, int | float | str | list[int | float]]


@with_config(ConfigDict(extra="forbid"))
class _GraphText(TypedDict):
    inputs: list[str]
    outputs: list[str]
    nodes: list[_NodeText]
    shapes: dict[str, list[int]]


@dataclass(frozen=True)
class _Constant:
    """A constant tensor: its values as they are used, and the quantizer that they went through."""

    values: Values
    quantizer: Quantizer | None = None


@dataclass(frozen=True)
class _Grid:
    """The values that a quantizer rounds to.

    Attributes:
        scales: The step, for each channel or for all, in the shape of the node's constant.
        bits: The width of the number of steps.
        signed: Whether that may be negative.
        narrow: Whether its least value is the negative of its greatest.
    """

    scales: Values
    bits: int
    signed: bool
    narrow: bool

    @property
    def finest(self) -> int:
        """Fractional bits of the smallest step."""
        return int(1 - np.frexp(self.scales)[1].min())


def _signed_or_not(bits: int, frac: int, *, signed: bool, narrow: bool) -> Quantizer:
    """`quantized_bits` with this width, and with this number of fractional bits."""
    config = {
        "bits": bits,
        "integer": bits - signed - frac,
        "symmetric": narrow,
        "keep_negative": signed,
        "alpha": 1.0,
    }
    return {"class_name": "quantized_bits", "config": config}


def read_onnx(path: Path) -> Network:
    """Read an ONNX file.

    Raises:
        InputError: if it is damaged, too large, or refers to other files.
        UnsupportedError: if an operator has no layer that computes the same.
    """
    return _Builder(str(path), _answer(path, [])).network()


def execute(path: Path, inputs: Sequence[NDArray[Any]]) -> tuple[list[Values], str]:
    """Run an ONNX file as it is with qonnx's executor.

    Args:
        path: The file.
        inputs: An array (samples, *shape) for each input; images have their channels last, as
            those of `read_onnx`.

    Returns:
        The outputs, float32 (samples, elements); and the executor's name with its version.

    Raises:
        InputError: if it can't be run.
    """
    first, *others = (np.asarray(each, np.float32) for each in inputs)
    # qonnx moves the channels of the first input only.
    arrays = [np.moveaxis(first, -1, 1) if first.ndim > 2 else first, *others]
    with tempfile.TemporaryFile() as samples:
        named: dict[str, Any] = {str(index): array for index, array in enumerate(arrays)}
        np.savez(samples, **named)
        samples.seek(0)
        found = _answer(path, [samples.fileno()])
    outputs = [found.arrays[str(index)] for index in range(len(found.arrays))]
    return outputs, f"qonnx {found.attributes['qonnx']}"


def _answer(path: Path, samples: list[int]) -> Hdf5:
    """What the worker says of a file."""
    try:
        # The ONNX runtime writes records of its use into the user's home.
        with opened(path, MAX_BYTES) as file, tempfile.TemporaryDirectory() as home:
            return read_in_child(
                _WORKER,
                [file.fileno(), *samples],
                str(path),
                "ONNX model",
                path.stat().st_size,
                _SECONDS,
                home=home,
            )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


class _Builder:
    """Makes layers of nodes, each in the form of Keras' own files.

    Args:
        origin: The model's name in messages.
        found: The worker's answer.
    """

    def __init__(self, origin: str, found: Hdf5) -> None:
        self.origin = origin
        try:
            self.graph = decode(_GraphText, found.attributes["graph"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{origin}: not a readable ONNX model ({shown(error)})") from None
        self.constants = {name: _Constant(values) for name, values in found.arrays.items()}
        self.layers: list[dict[str, Any]] = []
        self.weights: dict[tuple[str, ...], dict[str, Values]] = {}
        self.made: dict[str, str] = {}  # names of layers by tensor
        self.readers: dict[str, list[_NodeText]] = {}
        self.writers = {name: node for node in self.graph["nodes"] for name in node["outputs"]}
        for node in self.graph["nodes"]:
            for name in node["inputs"]:
                self.readers.setdefault(name, []).append(node)
        self.merged: set[str] = set()  # names of nodes that are part of the layer before

    def network(self) -> Network:
        """The network of the whole graph."""
        for name in self.graph["inputs"]:
            shape = [None, *self.graph["shapes"][name][1:]]
            self._layer("InputLayer", self._named(name), {"batch_input_shape": shape}, [], name)
        for node in self.graph["nodes"]:
            if node["name"] in self.merged:
                continue
            try:
                self._node(node)
            except (IndexError, KeyError, TypeError, ValueError) as error:
                self._refuse(node, f"is not as its operator is defined ({shown(error)})")
        ends = [self._source(name, None) for name in self.graph["outputs"]]
        config = {
            "name": "model",
            "layers": self.layers,
            "input_layers": [[self.made[name], 0, 0] for name in self.graph["inputs"]],
            "output_layers": [[name, 0, 0] for name in ends],
        }
        architecture = {"class_name": "Functional", "config": config}
        flat = flatten(read_outline(self.origin, architecture))
        network = with_weights(flat, self.weights, self.origin)
        images = [name for name in self.graph["inputs"][:1] if len(self._shape(name)) > 2]
        if not images:
            return network
        note = f"{', '.join(map(shown, images))}: samples have their channels last, as the ports do"
        return replace(network, notes=(*network.notes, note))

    # Nodes

    def _node(self, node: _NodeText) -> None:
        op = node["op"]
        if op in ("Quant", "BipolarQuant") and node["inputs"][0] in self.constants:
            self.constants[node["outputs"][0]] = self._quantized(node)
        elif op in ("Identity", "Dropout"):
            self.made[node["outputs"][0]] = self._source(node["inputs"][0], node)
        elif op in _RESHAPES:
            target = self._shape(node["outputs"][0])[1:]
            self._simple(node, "Reshape", {"target_shape": target})
        elif op in _ACTIVATIONS:
            self._activation(node)
        elif (make := self._makers().get(op)) is not None:
            make(node)
        else:
            advice = f": {_ADVICE[op]}" if op in _ADVICE else ""
            self._refuse(node, f"operator {shown(op)} has no layer{advice}")

    def _makers(self) -> dict[str, Callable[[_NodeText], None]]:
        return {
            "Quant": self._quantization,
            "BipolarQuant": self._quantization,
            "MatMul": self._dense,
            "Conv": self._convolution,
            "BatchNormalization": self._normalization,
            "MaxPool": self._pooling,
            "AveragePool": self._pooling,
            "GlobalAveragePool": self._global_pooling,
            "Softmax": self._softmax,
            "LeakyRelu": self._leaky_relu,
            "Transpose": self._transpose,
            "Concat": self._concatenation,
            **dict.fromkeys((*_MERGES, "Div"), self._elementwise),
        }

    def _quantization(self, node: _NodeText) -> None:
        quantizer = self._quantizer(node)
        self._simple(node, "QActivation", {"activation": quantizer})

    def _activation(self, node: _NodeText) -> None:
        """An activation; a ReLU before an unsigned quantizer is part of that."""
        readers = self.readers.get(node["outputs"][0], [])
        after = readers[0] if len(readers) == 1 and not self._leaves(node) else None
        unsigned = after and after["op"] == "Quant" and not after["attributes"].get("signed")
        if node["op"] == "Relu" and unsigned:
            self.made[node["outputs"][0]] = self._source(node["inputs"][0], node)
        else:
            self._simple(node, "Activation", {"activation": _ACTIVATIONS[node["op"]]})

    def _dense(self, node: _NodeText) -> None:
        kernel = self._constant(node, 1, "the second factor")
        if kernel.values.ndim != 2:
            self._refuse(node, "the second factor must be a matrix")
        units = int(kernel.values.shape[1])
        self._weighted(node, "Dense", {"units": units}, kernel, {"kernel": kernel.values}, units)

    def _convolution(self, node: _NodeText) -> None:
        weights = self._constant(node, 1, "the kernel")
        values, group = weights.values, self._integer(node, "group", 1)
        arrays: dict[str, Values]
        axes = values.ndim - 2
        if not node["last"] or axes not in (1, 2):
            self._refuse(node, "convolutions have one or two axes")
        channels = self._shape(node["inputs"][0])[-1]
        config: dict[str, Any] = {
            "kernel_size": list(values.shape[1:-1]),
            "strides": self._integers(node, "strides", axes, 1),
            "dilation_rate": self._integers(node, "dilations", axes, 1),
            "padding": "valid",
        }
        source = self._padded(node, axes)
        filters = int(values.shape[0])
        if group == channels and group > 1:
            depth = filters // channels
            kernel = values.reshape(channels, depth, *values.shape[1:-1])
            order = (*range(2, 2 + axes), 0, 1)
            arrays = {"depthwise_kernel": kernel.transpose(order)}
            config |= {"depth_multiplier": depth}
            kind = f"DepthwiseConv{axes}D"
        else:
            arrays = {"kernel": values.transpose(*range(1, axes + 2), 0)}
            config |= {"filters": filters, "groups": group}
            kind = f"Conv{axes}D"
        self._weighted(node, kind, config, weights, arrays, filters, source)

    def _weighted(
        self,
        node: _NodeText,
        kind: str,
        config: dict[str, Any],
        kernel: _Constant,
        arrays: dict[str, Values],
        units: int,
        source: str | None = None,
    ) -> None:
        """A layer with a kernel, and with the bias that the node after it adds."""
        bias, output = self._bias(node, units)
        quantized = kernel.quantizer is not None and kind != "DepthwiseConv1D"
        which = "depthwise" if "depthwise_kernel" in arrays else "kernel"
        if quantized:
            kind = f"Q{kind}"
            config |= {f"{which}_quantizer": kernel.quantizer}
            if bias is not None:
                config |= {"bias_quantizer": bias.quantizer}
        if bias is not None:
            arrays = arrays | {"bias": bias.values.reshape(-1)}
        config |= {"use_bias": bias is not None}
        sources = [source or self._source(node["inputs"][0], node)]
        self._layer(kind, self._named(node["name"]), config, sources, output, arrays)

    def _bias(self, node: _NodeText, units: int) -> tuple[_Constant | None, str]:
        """What the only reader adds to each unit's results, if that is so; and the tensor then."""
        output = node["outputs"][0]
        readers = self.readers.get(output, [])
        if len(readers) != 1 or readers[0]["op"] != "Add" or self._leaves(node):
            return None, output
        others = [name for name in readers[0]["inputs"] if name != output]
        bias = self._settled(others[0]) if len(others) == 1 else None
        if bias is None or bias.values.size != units or bias.values.shape[-1:] != (units,):
            return None, output
        self.merged.add(readers[0]["name"])
        return bias, readers[0]["outputs"][0]

    def _normalization(self, node: _NodeText) -> None:
        if not node["last"] and len(self._shape(node["inputs"][0])) > 2:
            self._refuse(node, "normalizes an axis that is not the last one")
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        arrays = {
            name: self._constant(node, index, name).values.reshape(-1)
            for index, name in enumerate(names, 1)
        }
        epsilon = node["attributes"].get("epsilon", 1e-5)
        self._simple(node, "BatchNormalization", {"axis": [-1], "epsilon": epsilon}, arrays)

    def _affine(self, node: _NodeText, gamma: Values, beta: Values) -> None:
        """A scale and an offset for each channel, as a normalization that changes nothing else."""
        channels = self._shape(node["outputs"][0])[-1]
        arrays = {
            "gamma": gamma,
            "beta": beta,
            "moving_mean": np.zeros(1),
            "moving_variance": np.ones(1),
        }
        arrays = {
            name: np.ascontiguousarray(np.broadcast_to(each.reshape(-1), (channels,)), np.float32)
            for name, each in arrays.items()
        }
        config = {"axis": [-1], "epsilon": 0.0}
        self._simple(node, "BatchNormalization", config, arrays)

    def _elementwise(self, node: _NodeText) -> None:
        """An operator of two tensors, or of a tensor and a constant of each channel."""
        op = node["op"]
        settled = [self._settled(name) for name in node["inputs"]]
        if not any(settled) and op in _MERGES:
            shapes = [self._shape(name) for name in node["inputs"]]
            if any(shape != shapes[0] for shape in shapes):
                self._refuse(node, "its inputs must have the same shape")
            self._simple(node, _MERGES[op])
            return
        constant = next((each for each in settled if each is not None), None)
        channels = self._shape(node["outputs"][0])[-1]
        second = len(settled) == 2 and settled[0] is None
        if constant is None or op in ("Max", "Min") or not (second or op in ("Add", "Mul")):
            self._refuse(node, f"operator {op} has no layer for these inputs")
        values = constant.values.astype(np.float32)
        if values.size != 1 and (values.size != channels or values.shape[-1] != channels):
            self._refuse(node, "its constant must be a number, or one for each channel")
        zero, one = np.zeros(1, np.float32), np.ones(1, np.float32)
        scales = {"Mul": values, "Div": 1 / values if op == "Div" else one}
        offsets = {"Add": values, "Sub": -values}
        if op == "Div" and not np.array_equal(np.frexp(values)[0] ** 2, np.full_like(values, 0.25)):
            self._refuse(node, "divides by a number that is no power of two")
        self._affine(node, scales.get(op, one), offsets.get(op, zero))

    def _pooling(self, node: _NodeText) -> None:
        shape = self._shape(node["inputs"][0])
        axes = len(shape) - 2
        if axes not in (1, 2):
            self._refuse(node, "pooling has one or two axes")
        if any(self._integers(node, "pads", 2 * axes, 0)) or self._integer(node, "ceil_mode", 0):
            self._refuse(node, "pooling with pads or ceil_mode has no layer")
        if any(each != 1 for each in self._integers(node, "dilations", axes, 1)):
            self._refuse(node, "pooling with dilation has no layer")
        which = "Max" if node["op"] == "MaxPool" else "Average"
        config = {
            "pool_size": self._integers(node, "kernel_shape", axes, 1),
            "strides": self._integers(node, "strides", axes, 1),
            "data_format": "channels_last" if node["last"] else "channels_first",
        }
        self._simple(node, f"{which}Pooling{axes}D", config)

    def _global_pooling(self, node: _NodeText) -> None:
        axes = len(self._shape(node["inputs"][0])) - 2
        if axes not in (1, 2):
            self._refuse(node, "pooling has one or two axes")
        config = {"data_format": "channels_first", "keepdims": True}
        self._simple(node, f"GlobalAveragePooling{axes}D", config)

    def _softmax(self, node: _NodeText) -> None:
        rank = len(self._shape(node["inputs"][0]))
        if self._integer(node, "axis", -1, least=-rank) not in (-1, rank - 1):
            self._refuse(node, "Softmax must be along the last axis")
        self._simple(node, "Activation", {"activation": "softmax"})

    def _leaky_relu(self, node: _NodeText) -> None:
        self._simple(node, "LeakyReLU", {"alpha": node["attributes"].get("alpha", 0.01)})

    def _transpose(self, node: _NodeText) -> None:
        order = self._integers(node, "perm", len(self._shape(node["inputs"][0])), 0)
        if not order or order[0] != 0:
            self._refuse(node, "moves the batch")
        self._simple(node, "Permute", {"dims": order[1:]})

    def _concatenation(self, node: _NodeText) -> None:
        rank = len(self._shape(node["inputs"][0]))
        axis = self._integer(node, "axis", 1, least=-rank)
        if axis % rank == 0:
            self._refuse(node, "joins batches")
        self._simple(node, "Concatenate", {"axis": axis})

    def _padded(self, node: _NodeText, axes: int) -> str:
        """The source of a convolution, with zeros around it if it has pads."""
        source = self._source(node["inputs"][0], node)
        pads = self._integers(node, "pads", 2 * axes, 0)
        if not any(pads):
            return source
        sides = [[pads[axis], pads[axis + axes]] for axis in range(axes)]
        name = f"{self._named(node['name'])}_pad"
        config = {"padding": sides if axes == 2 else sides[0]}
        self._layer(f"ZeroPadding{axes}D", name, config, [source], name)
        return name

    # Quantizers

    def _quantizer(self, node: _NodeText) -> Quantizer:
        """QKeras' quantizer of activations that computes what a node does."""
        grid = self._grid(node)
        if grid.scales.size != 1:
            self._refuse(node, "its scale differs from channel to channel, which has no type")
        scale = float(grid.scales.reshape(-1)[0])
        if node["op"] == "BipolarQuant":
            return {"class_name": "binary", "config": {"alpha": scale}}
        if not grid.signed:
            config = {"bits": grid.bits, "integer": grid.bits - grid.finest}
            return {"class_name": "quantized_relu", "config": config}
        return _signed_or_not(grid.bits, grid.finest, signed=True, narrow=grid.narrow)

    def _grid(self, node: _NodeText) -> _Grid:
        """What a `Quant` or a `BipolarQuant` rounds to."""
        scales = self._constant(node, 1, "scale").values.astype(np.float64)
        if not (scales > 0).all() or (np.frexp(scales)[0] != 0.5).any():
            wrong = scales.reshape(-1)[np.frexp(scales.reshape(-1))[0] != 0.5]
            self._refuse(node, f"its scale {wrong[0] if wrong.size else 0:g} is no power of two")
        if node["op"] == "BipolarQuant":
            return _Grid(scales, bits=1, signed=True, narrow=True)
        if self._number(node, 2, "zero point"):
            self._refuse(node, "its zero point must be 0")
        bits = self._number(node, 3, "bit width")
        if bits != int(bits) or not 1 <= bits <= 64:
            self._refuse(node, f"its bit width {bits:g} must be a whole number up to 64")
        mode = node["attributes"].get("rounding_mode", "ROUND")
        if mode not in ("ROUND", "HALF_EVEN"):
            self._refuse(node, f"its rounding mode is {shown(mode)}; only ROUND can be exact")
        signed, narrow = (bool(node["attributes"].get(key)) for key in ("signed", "narrow"))
        if (signed and bits == 1) or (narrow and not signed):
            self._refuse(node, "a signed bit, or a narrow unsigned range, has no quantizer")
        return _Grid(scales, int(bits), signed, narrow)

    def _quantized(self, node: _NodeText) -> _Constant:
        """A constant after its quantizer, by that operator's definition."""
        grid = self._grid(node)
        values = self.constants[node["inputs"][0]].values.astype(np.float64)
        if node["op"] == "BipolarQuant":
            steps = np.where(values >= 0, 1.0, -1.0)
        else:
            high = (1 << (grid.bits - grid.signed)) - 1
            low = -high - (not grid.narrow) if grid.signed else 0
            steps = np.clip(np.round(values / grid.scales), low, high)  # rounds half to even
        found = steps * grid.scales
        if found.shape != values.shape:
            self._refuse(node, "its scale has another shape than the constant")
        if grid.scales.size == 1 and node["op"] == "BipolarQuant":
            alpha = float(grid.scales.reshape(-1)[0])
            quantizer: Quantizer = {"class_name": "binary", "config": {"alpha": alpha}}
        elif grid.scales.size == 1:
            quantizer = _signed_or_not(
                grid.bits, grid.finest, signed=grid.signed, narrow=grid.narrow
            )
        else:  # the type that holds the values of all channels, which rounds none of them
            largest = int(np.abs(np.ldexp(found, grid.finest)).max())
            bits = largest.bit_length() + grid.signed
            quantizer = _signed_or_not(
                max(bits, 1 + grid.signed), grid.finest, signed=grid.signed, narrow=False
            )
        return _Constant(found.astype(np.float32), quantizer)

    # Values

    def _settled(self, name: str) -> _Constant | None:
        """A constant, quantized if the node that does so comes later in the file; else None."""
        if name in self.constants:
            return self.constants[name]
        node = self.writers.get(name)
        if node is None or node["op"] not in ("Quant", "BipolarQuant"):
            return None
        if node["inputs"][0] in self.constants:
            self.constants[name] = self._quantized(node)
        return self.constants.get(name)

    def _constant(self, node: _NodeText, index: int, what: str) -> _Constant:
        found = self._settled(node["inputs"][index]) if index < len(node["inputs"]) else None
        if found is None:
            self._refuse(node, f"{what} must be constant")
        return found

    def _number(self, node: _NodeText, index: int, what: str) -> float:
        values = np.unique(self._constant(node, index, what).values)
        if values.size != 1:
            self._refuse(node, f"its {what} differs from channel to channel, which has no type")
        return float(values[0])

    def _integer(self, node: _NodeText, key: str, default: int, *, least: int = 0) -> int:
        found = node["attributes"].get(key, default)
        if not isinstance(found, int) or found < least:
            self._refuse(node, f"{key} must be an integer of at least {least}")
        return found

    def _integers(self, node: _NodeText, key: str, count: int, default: int) -> list[int]:
        found = node["attributes"].get(key, [default] * count)
        if not isinstance(found, list) or len(found) != count:
            self._refuse(node, f"{key} must be {count} integers")
        if not all(isinstance(each, int) and each >= 0 for each in found):
            self._refuse(node, f"{key} must be {count} integers of at least 0")
        return [int(each) for each in found]

    def _shape(self, name: str) -> list[int]:
        return self.graph["shapes"].get(name, [])

    def _leaves(self, node: _NodeText) -> bool:
        return node["outputs"][0] in self.graph["outputs"]

    def _source(self, name: str, node: _NodeText | None) -> str:
        """The layer that makes a tensor."""
        if name not in self.made:
            where = f"node '{shown(node['name'])}': " if node else ""
            raise UnsupportedError(f"{self.origin}: {where}'{shown(name)}' is made by no layer")
        return self.made[name]

    # Layers

    def _simple(
        self,
        node: _NodeText,
        kind: str,
        config: dict[str, Any] | None = None,
        arrays: dict[str, Values] | None = None,
    ) -> None:
        """A layer of all the node's inputs that aren't constant."""
        sources = [self._source(name, node) for name in node["inputs"] if not self._settled(name)]
        name = self._named(node["name"])
        self._layer(kind, name, config or {}, sources, node["outputs"][0], arrays)

    def _layer(
        self,
        kind: str,
        name: str,
        config: dict[str, Any],
        sources: list[str],
        output: str,
        arrays: dict[str, Values] | None = None,
    ) -> None:
        inbound = [[[source, 0, 0, {}] for source in sources]] if sources else []
        self.layers.append(
            {
                "class_name": kind,
                "name": name,
                "config": {"name": name, **config},
                "inbound_nodes": inbound,
            }
        )
        if arrays:
            self.weights[name,] = arrays
        self.made[output] = name

    def _named(self, name: str) -> str:
        if not is_name(name):
            raise InputError(f"{self.origin}: '{shown(name)}' can't be the name of a layer")
        return name

    def _refuse(self, node: _NodeText, why: str) -> NoReturn:
        raise UnsupportedError(f"{self.origin}: node '{shown(node['name'])}': {why}")
